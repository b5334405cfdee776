"""Every address of the desk, with the right it needs. What stands here with `OPEN` needs none."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.desk import feeds_out, metrics_out
from monitor.desk.api.openapi import describe_api
from monitor.desk.api.routes import RESOURCES, V1
from monitor.desk.ask import Answer
from monitor.desk.mcp import http as mcp
from monitor.desk.pages import delivery, event, feeds, history, now, sign_in, silences, topics, why

OPEN = ""  # anyone may: signing in


@dataclass(frozen=True, slots=True)
class Address:
    """One address: its method, its path, the right it needs, and who answers."""

    method: str
    path: str
    right: str
    answer: Answer


ADDRESSES: tuple[Address, ...] = (
    Address("GET", "/", "read", now.show),
    Address("GET", "/live", "read", now.live),
    Address("GET", "/live/since", "read", now.since),
    Address("GET", "/events/{event}", "read", event.show),
    Address("POST", "/events/{event}/answer", "answer", event.answer),
    Address("POST", "/events/{event}/claim", "answer", event.claim),
    Address("POST", "/events/{event}/release", "answer", event.release),
    Address("POST", "/events/{event}/apart", "answer", event.part),
    Address("POST", "/events/{event}/mute", "answer", event.mute),
    Address("GET", "/why", "read", why.show),
    Address("GET", "/topics", "read", topics.show),
    Address("GET", "/topics/{topic}", "read", topics.tune),
    Address("POST", "/topics/{topic}", "answer", topics.trial),
    Address("POST", "/topics/{topic}/save", "edit", topics.save),
    Address("GET", "/feeds", "read", feeds.show),
    Address("POST", "/feeds/poll", "operate", feeds.poll),
    Address("POST", "/feeds/pause", "operate", feeds.pause),
    Address("POST", "/feeds/resume", "operate", feeds.resume),
    Address("POST", "/feeds/inspect", "operate", feeds.inspect),
    Address("GET", "/feeds.opml", "read", feeds.export),
    Address("POST", "/feeds/opml", "edit", feeds.take_over),
    Address("GET", "/silences", "read", silences.show),
    Address("POST", "/silences", "silence", silences.add),
    Address("POST", "/silences/end", "silence", silences.end),
    Address("GET", "/delivery", "read", delivery.show),
    Address("GET", "/delivery/letter", "read", delivery.show_letter),
    Address("POST", "/delivery/requeue", "operate", delivery.requeue),
    Address("POST", "/delivery/drop", "operate", delivery.drop),
    Address("GET", "/history", "read", history.show),
    Address("GET", "/history.csv", "read", history.export_csv),
    Address("GET", "/history.jsonl", "read", history.export_json),
    Address("GET", "/alerts.atom", "read", feeds_out.atom),
    Address("GET", "/alerts.json", "read", feeds_out.json_feed),
    Address("GET", "/metrics", "read", metrics_out.show),
    Address("GET", f"{V1}/openapi.json", "read", describe_api),
    *(Address(one.method, one.path, one.right, one.answer) for one in RESOURCES),
    Address("POST", "/mcp", "read", mcp.message),
    Address("GET", "/mcp", "read", mcp.no_stream),
    Address("GET", "/sign-in", OPEN, sign_in.show),
    Address("GET", "/sign-in/link", OPEN, sign_in.use_link),
    Address("POST", "/sign-out", "read", sign_in.sign_out),
)
