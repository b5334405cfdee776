"""What a feed's own settings, and the network it is in, do to its poll."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from feedlab import Publisher, polled, rss

from monitor.config.schema import FeedSource
from monitor.model import FeedState
from monitor.polling.poll import Intake
from monitor.reasons import FetchReason
from monitor.store.client import Redis
from monitor.store.keys import Keys

FEED = rss(("1", "Ferry sinks", "Thu, 01 Jan 2026 00:00:00 GMT"))
SITEMAP = "<urlset><url><loc>https://paper.example/1</loc></url></urlset>"


async def test_a_feeds_login_is_sent(publisher: Publisher, intake: Intake) -> None:
    """Username and password of a feed are HTTP Basic authentication."""
    publisher.serve("/feed", FEED)
    source = FeedSource.model_validate(
        {"id": "paper", "url": publisher.url(), "username": "desk", "password": "hunter2"}
    )
    assert (await polled(intake, source)).reason == FetchReason.OK
    assert publisher.asked[0].headers["authorization"] == "Basic ZGVzazpodW50ZXIy"


@pytest.mark.parametrize(
    ("kind", "body", "named"),
    [
        ("sitemap", FEED, "no sitemap"),
        ("sitemap", SITEMAP, "pages without news"),
        ("feed", SITEMAP, "markup, but is no feed"),
    ],
)
async def test_a_feeds_kind_is_what_it_is_read_as(
    publisher: Publisher, intake: Intake, kind: str, body: str, named: str
) -> None:
    """`kind` decides over what the document looks like."""
    publisher.serve("/feed", body)
    source = FeedSource.model_validate({"id": "paper", "url": publisher.url(), "kind": kind})
    outcome = await intake.look(source, FeedState("paper", ""))
    assert outcome.reason == FetchReason.NOT_A_FEED
    assert named in outcome.message


async def test_a_limit_holds_no_gateway_of_ours(
    publisher: Publisher,
    intake: Intake,
    store: Redis,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A named host in an allowed network serves unrelated feeds: one's 429 is its own."""
    real = socket.getaddrinfo

    def answers(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "rsshub.intern" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    publisher.serve("/limited", "", status="429 Slow", Retry_After="3600")
    publisher.serve("/other", FEED)
    source = FeedSource(id="one", url=publisher.url("/limited", "rsshub.intern"))
    decision = await polled(intake, source)
    assert decision.reason == FetchReason.RATE_LIMITED
    assert decision.state.next_due - decision.state.last_poll >= 3600
    assert [key async for key in store.scan_iter(keys("host", "*", "hold"))] == []
