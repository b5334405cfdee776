"""One story and its copy walk through the real service; metrics, traces and log tell of them."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.http_sink import HttpSink
from tests.support.outlets import Outlets
from tests.support.service import ENERGY, Service
from tests.support.waiting import until

pytestmark = pytest.mark.slow

Row = tuple[str, dict[str, str]]  # the name of a series, and labels it has

BEFORE = "Missiles damage a power plant and leave a city without electricity"
STRIKE = "Drones strike two power stations near Odesa, 200,000 homes dark"
LEAD = "A wave of drones hit two power stations before dawn, the regional governor said."

# What has moved once a story was told and its copy held back.
MOVED: list[Row] = [
    ("fetches_total", {"reason": "ok"}),
    ("fetches_total", {"reason": "unchanged"}),
    ("fetches_total", {"reason": "client_error"}),
    ("fetch_seconds_count", {}),
    ("fetch_bytes_total", {}),
    ("parse_seconds_count", {}),
    ("entries_total", {"reason": "new"}),
    ("poll_lateness_seconds_count", {}),
    ("stories_total", {}),
    ("embed_batch_texts_count", {}),
    ("embed_batch_seconds_count", {}),
    ("embed_texts_total", {}),
    ("embed_texts_per_second", {}),
    ("model_ready", {}),
    ("model_info", {"name": "hashing"}),
    ("stories_analysed_total", {}),
    ("analyse_seconds_count", {}),
    ("copies_total", {}),
    ("events_total", {}),
    ("matches_total", {"topic": "energy"}),
    ("alerts_total", {"reason": "first"}),
    ("suppressions_total", {"reason": "baseline"}),
    ("suppressions_total", {"reason": "copy"}),
    ("lease_held", {"lease": "triage"}),
    ("notifications_total", {"channel": "desk", "outcome": "sent"}),
    ("send_seconds_count", {"channel": "desk"}),
    ("published_to_seen_seconds_count", {}),
    ("seen_to_alerted_seconds_count", {}),
    ("alerted_to_delivered_seconds_count", {}),
    ("published_to_delivered_seconds_count", {}),
    ("workers_seen", {"worker": "triage"}),
    ("topics", {}),
    ("config_ok", {}),
    ("store_up", {}),
    ("build_info", {}),
]
# What is measured, and rightly 0 where nothing waits: it has no series until it is measured.
MEASURED: list[Row] = [
    (name, {"queue": queue})
    for name in ("queue_depth", "queue_lag", "queue_pending", "queue_oldest_seconds")
    for queue in ("stories", "vectors")
]
MEASURED += [(name, {"channel": "desk"}) for name in ("outbox_waiting", "outbox_oldest_seconds")]
MEASURED += [("feeds_due", {})]


@dataclass(frozen=True, slots=True)
class ObservedWalk:
    """What was seen from outside: series not moved, what a collector was sent, lines logged."""

    unmoved: list[Row]
    traces: list[bytes]
    lines: list[dict[str, Any]]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> ObservedWalk:
    """One run of the service, which the tests below look at from three sides."""
    service = Service(tmp_path_factory.mktemp("observed"))
    try:
        return asyncio.run(_walk(service))
    finally:
        service.end()


async def _walk(service: Service) -> ObservedWalk:
    port = _free_port()
    with Outlets() as outlets:
        async with HttpSink() as desk, HttpSink() as collector:
            outlets.publish("wire", BEFORE)
            outlets.publish("post", "Museum finds a forgotten map")
            service.configure(
                {name: outlets.url(name) for name in ("wire", "post", "nowhere")},
                channels={"desk": {"type": "webhook", "url": desk.url}},
                topics=[{**ENERGY, "examples": [BEFORE, STRIKE]}],
                embedding={"model": "hashing"},
            )
            service.start(
                WIREWATCH_HTTP=f"127.0.0.1:{port}",
                WIREWATCH_LOG_FORMAT="json",
                WIREWATCH_LOG_LEVEL="debug",
                OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}",
            )
            await service.until_baselined()
            outlets.publish("wire", STRIKE, LEAD)
            await service.until(lambda: _told(desk))
            outlets.publish("post", STRIKE, LEAD)
            await service.until(lambda: _copied(service))
            unmoved = await _unmoved(f"http://127.0.0.1:{port}/metrics")
            assert await asyncio.to_thread(service.stop) == 0  # it has spans to hand over still
            return ObservedWalk(unmoved, [one.body for one in collector.taken], _lines(service))


async def _told(desk: HttpSink) -> bool:
    return bool(desk.taken)


async def _copied(service: Service) -> bool:
    return (await service.counts()).get("copies", 0) > 0


async def _unmoved(url: str) -> list[Row]:
    """Return what has not moved; a figure may come a moment after what it counts."""
    still: list[Row] = []

    async def moved() -> bool:
        nonlocal still
        page = (await client.get(url)).text
        samples = [one for kind in text_string_to_metric_families(page) for one in kind.samples]
        still = [row for row in MOVED if not _total(samples, row)]
        still += [row for row in MEASURED if _total(samples, row) is None]
        return not still

    async with httpx.AsyncClient() as client:
        with suppress(TimeoutError):
            await until(moved, limit=10.0)
    return still


def _total(samples: list[Sample], row: Row) -> float | None:
    """Return the sum of the series that a row names, or None where there is none."""
    name, labels = row
    found = [
        sample.value
        for sample in samples
        if sample.name == f"wirewatch_{name}" and labels.items() <= sample.labels.items()
    ]
    return sum(found) if found else None


def _lines(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.said().splitlines() if line.startswith("{")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _trace_of_the_story(walk: ObservedWalk) -> str:
    told = [one for one in walk.lines if one["event"] == "delivered"]
    (line,) = [one for one in told if one["notification"].endswith("@desk")]
    return str(line["trace"])


def test_every_metric_of_the_way_has_moved(walk: ObservedWalk) -> None:
    """Each stage, told from outside by `/metrics`, has counted what it did."""
    assert walk.unmoved == []


def test_the_log_names_the_story_at_every_stage(walk: ObservedWalk) -> None:
    """The trace id of the delivery is on a line of each stage, so that one grep shows the way."""
    trace = _trace_of_the_story(walk)
    events = {line["event"] for line in walk.lines if line.get("trace") == trace}
    assert {"stories_found", "embedded", "decided", "delivered"} <= events


def test_a_collector_is_sent_one_trace_from_fetch_to_receipt(walk: ObservedWalk) -> None:
    """Each stage has put its step into the trace whose id the log names."""
    proto = pytest.importorskip(
        "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
        reason="the extra otel is not installed",
    )
    request = proto.ExportTraceServiceRequest()
    for body in walk.traces:
        request.MergeFromString(body)
    spans = [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
    story = int(_trace_of_the_story(walk), 16)
    names = [span.name for span in spans if int.from_bytes(span.trace_id, "big") == story]
    assert sorted(names) == ["deliver", "embed", "fetch", "triage"]
