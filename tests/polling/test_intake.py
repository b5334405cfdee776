"""What a feed's own settings, and the network it is in, do to its poll."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from feedlab import Publisher, polled, rss

from monitor.clock import ManualClock
from monitor.config.schema import FeedSource
from monitor.model import FeedState
from monitor.polling.feed_reader import FeedReader
from monitor.polling.poll import Intake
from monitor.reasons import FetchReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
ATOM = "xmlns:a='http://www.w3.org/2005/Atom'"
FEED = rss(("1", "Ferry sinks", DATE))
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
    publisher: Publisher, reader: FeedReader, kind: str, body: str, named: str
) -> None:
    """`kind` decides over what the document looks like."""
    publisher.serve("/feed", body)
    source = FeedSource.model_validate({"id": "paper", "url": publisher.url(), "kind": kind})
    outcome = await reader.read(source, FeedState("paper", ""))
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


@pytest.mark.parametrize(
    "link",
    [
        "http://xn--/article",
        "http://xn--a/article",
        "http://a..b/article",
        "http://[::1/article",
        "http://%00.example/article",
        "http://127.0.0.1:99999999/article",
        "http://xn--ls8h=.la/article",
        "http://" + "a" * 64 + ".example/article",
    ],
)
async def test_one_odd_link_costs_its_text_alone(
    publisher: Publisher, intake: Intake, link: str
) -> None:
    """Addresses that a library stumbles over: full text, next page and all, the stories come."""
    source = FeedSource(id="paper", url=publisher.url(), full_text=True)
    publisher.serve("/feed", FEED)
    await polled(intake, source)
    items = [("2", "Port closed", DATE), ("3", "A reader posts a link", DATE)]
    text = rss(*items).replace("https://paper.example/3", link)
    text = text.replace("https://paper.example/2", publisher.url("/2"))
    text = text.replace("<item>", f"<a:link {ATOM} rel='next' href='{link}'/><item>", 1)
    publisher.serve("/feed", text)
    decision = await polled(intake, source)
    assert decision.reason == FetchReason.OK
    assert {story.title for story in decision.stories} == {"Port closed", "A reader posts a link"}


async def test_a_fault_of_ours_costs_one_poll_and_backs_off(
    publisher: Publisher,
    intake: Intake,
    store: Redis,
    keys: Keys,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exception while a document is compared is counted, committed and backed off from."""

    def stumble(*_: Any, **__: Any) -> None:
        raise UnicodeError("no library likes this")

    monkeypatch.setattr("monitor.polling.poll_decision.diff_entries", stumble)
    publisher.serve("/feed", FEED)
    source = FeedSource(id="paper", url=publisher.url())
    decision = await polled(intake, source)
    assert (decision.reason, decision.state.failures) == (FetchReason.INTERNAL, 1)
    state = await store.hgetall(keys("feed", "paper", "state"))
    assert state[b"last_reason"] == b"internal"
    assert float(state[b"next_due"]) > clock.now() + 60
