"""Traces go to a collector when OpenTelemetry's variables say so, and nowhere otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from monitor.observability import traces

proto = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
    reason="the extra otel is not installed",
)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector on loopback: its address and what it was sent."""
    taken: list[bytes] = []

    class CollectorHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), CollectorHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.shutdown()
    server.server_close()


def test_without_the_variables_nothing_is_set_up() -> None:
    """No endpoint, or OTEL_SDK_DISABLED: no tracer, and recording costs nothing."""
    assert not traces.set_up("poller", {})
    disabled = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}
    assert not traces.set_up("poller", disabled)
    traces.record("fetch", "ab12", 1.0, 2.0)


def test_a_story_is_one_trace_from_fetch_to_receipt(
    collector: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of one story share the trace id it was given when it was fetched."""
    url, taken = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    assert traces.set_up("all")
    traces.record("fetch", "ab12cd34ef56", 100.0, 101.0, feed="bbc")
    traces.record("deliver", "ab12cd34ef56", 105.0, 105.5, channel="desk")
    traces.record("deliver", "not-a-trace", 105.0, 105.5)
    traces.flush()
    request = proto.ExportTraceServiceRequest()
    for body in taken:
        request.MergeFromString(body)
    spans = [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
    ours = [span for span in spans if int.from_bytes(span.trace_id, "big") == 0xAB12CD34EF56]
    assert [span.name for span in ours] == ["fetch", "deliver"]
    assert ours[0].end_time_unix_nano - ours[0].start_time_unix_nano == 1_000_000_000
    assert len(spans) == 3
