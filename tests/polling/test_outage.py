"""Our own outage: no feed is put off for it, and every feed is polled soon after it ends."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from feedlab import Publisher, polled, rss

from monitor.clock import ManualClock
from monitor.config.schema import FeedSource
from monitor.model import FeedState
from monitor.polling.fetch_result import FetchResult
from monitor.polling.outage import CHRONIC, OutageWatch
from monitor.polling.poll import Intake
from monitor.reasons import FetchReason

FINE = FeedState(feed_id="x", url="", last_success=1.0)
DOWN = FetchResult(FetchReason.DNS_FAILED)
GOOD = FetchResult(FetchReason.NOT_MODIFIED)


def watch(*results: FetchResult, before: FeedState = FINE) -> OutageWatch:
    """Return a watch that was told of these results, each of another site."""
    outage = OutageWatch()
    for n, result in enumerate(results):
        outage.note(f"s{n}.example", before, result, 100.0 + n)
    return outage


@pytest.mark.parametrize(
    ("results", "ours"),
    [
        ([DOWN, DOWN], False),
        ([DOWN, DOWN, DOWN], True),
        ([GOOD, DOWN, DOWN, DOWN], True),
        ([DOWN, GOOD, DOWN, GOOD, DOWN], False),
        ([GOOD] * 12 + [DOWN] * 8, False),
        ([GOOD] * 12 + [DOWN] * 9, True),
        ([DOWN] * 12 + [GOOD] * 4, False),
        ([FetchResult(FetchReason.BLOCKED_ADDRESS)] * 3, True),
        ([FetchResult(FetchReason.RATE_LIMITED)] * 5, False),
    ],
)
def test_most_sites_at_once_is_us(results: list[FetchResult], ours: bool) -> None:
    """Three sites and three quarters of the latest; whoever answers at all was reached."""
    assert watch(*results).ours is ours


def test_feeds_that_always_fail_and_feeds_of_one_site_prove_nothing() -> None:
    """A list of dead feeds is no outage, nor is one publisher whose server is down."""
    assert not watch(*[DOWN] * 9, before=FeedState("x", "", failures=CHRONIC)).ours
    outage = OutageWatch()
    for n in range(9):
        outage.note("one.example", FINE, DOWN, 100.0 + n)
    assert not outage.ours


@pytest.mark.parametrize("answer", ["10.1.2.3", None])
async def test_feeds_are_polled_within_minutes_of_an_outage(
    publisher: Publisher,
    intake: Intake,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    answer: str | None,
) -> None:
    """For an hour DNS answers a private address, or nothing: afterwards all are due in a minute."""
    real, wrong = socket.getaddrinfo, False

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if wrong and answer is None:
            raise socket.gaierror("no network")
        return real(answer if wrong else "127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    publisher.serve("/feed", rss(("1", "Ferry sinks", "")))
    feeds = [FeedSource(id=f"f{n}", url=publisher.url("/feed", f"n{n}.test")) for n in range(5)]
    due = {feed.id: clock.now() for feed in feeds}

    async def run_until(end: float) -> None:
        while min(due.values()) <= end:
            feed = min(feeds, key=lambda feed: due[feed.id])
            clock.advance(max(0.0, due[feed.id] - clock.now()))
            due[feed.id] = (await polled(intake, feed)).state.next_due

    await run_until(clock.now() + 1000)
    wrong = True
    await run_until(clock.now() + 3600)
    wrong = False
    assert max(due.values()) - clock.now() <= 16 * 60 / 10, "as of the end of the outage"
    asked = len(publisher.asked)
    await run_until(clock.now() + 120)
    assert len(publisher.asked) - asked >= 5
