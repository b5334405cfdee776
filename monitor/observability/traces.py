"""Traces by OpenTelemetry, when its standard variables ask for them; else nothing at all.

Set `OTEL_EXPORTER_OTLP_ENDPOINT` (and what else OpenTelemetry knows: `OTEL_SERVICE_NAME`,
`OTEL_TRACES_SAMPLER`, …) and install the extra: `pip install 'wirewatch[otel]'`. A story keeps the
trace id it was given when it was fetched, so that its way through four processes is one trace.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

from monitor.observability.logs import get_logger

log = get_logger(__name__)

_tracer: Any = None
_provider: Any = None


def set_up(stage: str, env: Mapping[str, str] = os.environ) -> bool:
    """Start tracing for this process if the environment asks for it; return whether it does."""
    global _tracer, _provider
    wanted = env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not wanted or env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    try:
        api = importlib.import_module("opentelemetry.trace")
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        log.warning("traces_not_installed", hint="pip install 'wirewatch[otel]'")
        return False
    name = env.get("OTEL_SERVICE_NAME") or f"wirewatch-{stage}"
    provider = sdk.TracerProvider(resource=resources.Resource.create({"service.name": name}))
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    api.set_tracer_provider(provider)
    _provider, _tracer = provider, provider.get_tracer("wirewatch")
    log.info("traces_on", service=name)
    return True


def record(
    name: str, trace_id: str, began: float, ended: float, **attributes: str | int | float
) -> None:
    """Record one step of trace `trace_id` (hex digits), if tracing; times in Unix seconds."""
    if _tracer is None:
        return
    span = _tracer.start_span(
        name, context=_parent(trace_id), start_time=int(began * 1e9), attributes=attributes
    )
    span.end(end_time=int(ended * 1e9))


def flush() -> None:
    """Send what is still in hand; for the end of a process."""
    if _provider is not None:
        _provider.shutdown()


def _parent(trace_id: str) -> Any:
    """Return a context that makes a span part of the story's own trace, or None."""
    try:
        number = int(trace_id, 16)
    except ValueError:
        return None
    if not 0 < number < 1 << 128:
        return None
    api = importlib.import_module("opentelemetry.trace")
    origin = api.SpanContext(
        trace_id=number,
        span_id=number & 0xFFFFFFFFFFFFFFFF or 1,
        is_remote=True,
        trace_flags=api.TraceFlags(1),
    )
    return api.set_span_in_context(api.NonRecordingSpan(origin))
