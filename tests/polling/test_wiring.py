"""From a real server's answer to the state and the due time in the real store, by whole polls."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate

import pytest
from feedlab import Publisher, polled, rss

from monitor.clock import ManualClock
from monitor.config.schema import FeedSource
from monitor.model import FeedState
from monitor.net.address_guard import AddressGuard
from monitor.polling.feed_store import FeedStore
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.polite_fetcher import host_slot_of
from monitor.polling.poll import Intake
from monitor.polling.poll_decision import ADOPT_AFTER, PollDecision
from monitor.reasons import FetchReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys

NOW = ManualClock().now()  # midnight of a Thursday, UTC
HOUR = 3600.0
DAY = 86400.0
ITEM = ("1", "Ferry sinks", formatdate(NOW - 600, usegmt=True))
WALL = "<html><head><title>Just a moment...</title></head><body></body></html>"


@dataclass
class PolledFeed:
    """One feed, polled again and again."""

    publisher: Publisher
    intake: Intake
    feeds: FeedStore
    clock: ManualClock
    store: Redis
    keys: Keys
    source: FeedSource

    async def poll(self) -> PollDecision:
        return await polled(self.intake, self.source)

    async def wait(self) -> float:
        """Return how long from now the store wants the feed left alone."""
        due = await self.store.zscore(self.keys("due"), self.source.id)
        return float(due) - self.clock.now()

    async def state(self) -> FeedState:
        return (await self.feeds.load_states([self.source.id]))[0]

    def asked(self, name: str) -> list[str | None]:
        """Return one header of every request, None where it was not sent."""
        return [asked.headers.get(name) for asked in self.publisher.asked]


@pytest.fixture
async def desk(
    publisher: Publisher, intake: Intake, clock: ManualClock, store: Redis, keys: Keys
) -> PolledFeed:
    """A feed with an interval of one minute that nothing but its publisher can lengthen."""
    source = FeedSource(id="paper", url=publisher.url(), interval=60.0)
    feeds = FeedStore(store, keys)
    await feeds.sync([source], {"paper": HostSlot("127.0.0.1", "")}, clock.now())
    return PolledFeed(publisher, intake, feeds, clock, store, keys, source)


@pytest.mark.parametrize(
    ("status", "headers", "extra", "wait"),
    [
        ("200 OK", {}, "", 60),
        ("200 OK", {"Cache_Control": "max-age=600"}, "", 600),
        ("200 OK", {"Expires": formatdate(NOW + 900, usegmt=True)}, "", 900),
        ("200 OK", {"Cache_Control": "max-age=999999999"}, "", 6 * HOUR),
        ("200 OK", {}, "<ttl>30</ttl>", 1800),
        ("200 OK", {}, "<ttl>999999</ttl>", 6 * HOUR),
        ("200 OK", {}, "<skipHours><hour>0</hour><hour>1</hour></skipHours>", 2 * HOUR),
        ("200 OK", {}, "<skipDays><day>Thursday</day></skipDays>", DAY),
        ("429 Slow", {"Retry_After": "7200"}, "", 7200),
        ("429 Slow", {"Retry_After": "9999999999"}, "", DAY),
        ("429 Slow", {"Cache_Control": "max-age=3000"}, "", 3000),
        ("503 Busy", {"Retry_After": formatdate(NOW + 5000, usegmt=True)}, "", 5000),
    ],
)
async def test_what_a_publisher_asks_is_when_its_feed_is_due(
    desk: PolledFeed, status: str, headers: dict[str, str], extra: str, wait: float
) -> None:
    """Headers, ttl and skipped times of one answer lead to the due time, up to the caps."""
    desk.publisher.serve("/feed", rss(ITEM, extra=extra), status=status, **headers)
    await desk.poll()
    assert wait <= await desk.wait() <= 1.1 * wait


async def test_a_304_may_ask_for_time_too(desk: PolledFeed) -> None:
    """The headers of an answer without a document count as well."""
    desk.publisher.serve("/feed", rss(ITEM), ETag='"1"')
    await desk.poll()
    desk.publisher.serve("/feed", "", status="304 Not Modified", Cache_Control="max-age=900")
    await desk.poll()
    assert 900 <= await desk.wait() <= 990


async def test_validators_are_kept_and_sent_back(desk: PolledFeed) -> None:
    """ETag and Last-Modified of one poll are in the next, and after a 304 in the one after it."""
    desk.publisher.serve("/feed", rss(ITEM), ETag='"1"', Last_Modified="yesterday")
    await desk.poll()
    desk.publisher.serve("/feed", "", status="304 Not Modified")
    assert (await desk.poll()).reason == FetchReason.NOT_MODIFIED
    await desk.poll()
    assert desk.asked("if-none-match") == [None, '"1"', '"1"']
    assert desk.asked("if-modified-since") == [None, "yesterday", "yesterday"]
    assert (await desk.state()).unchanged == 2


async def test_validators_go_to_the_address_that_gave_them(desk: PolledFeed) -> None:
    """Where the feed's address redirects they are for the target, poll after poll."""
    desk.publisher.serve("/feed", "", status="302 Found", Location="/real")
    desk.publisher.serve("/real", rss(ITEM), ETag='"1"')
    await desk.poll()
    await desk.poll()
    assert [asked.path for asked in desk.publisher.asked] == ["/feed", "/real"] * 2
    assert desk.asked("if-none-match") == [None, None, None, '"1"']


async def test_a_304_that_nobody_asked_for_is_an_error(desk: PolledFeed) -> None:
    """Without validators sent there is nothing it could mean."""
    desk.publisher.serve("/feed", "", status="304 Not Modified")
    assert (await desk.poll()).reason == FetchReason.PROTOCOL_ERROR
    assert (await desk.state()).failures == 1


async def test_a_delta_adds_and_is_not_taken_for_the_document(desk: PolledFeed) -> None:
    """226 brings its entries; after it the whole document is read again, even the same one."""
    desk.publisher.serve("/feed", rss(ITEM), ETag='"1"')
    await desk.poll()
    added = ("2", "Port closed", ITEM[2])
    desk.publisher.serve("/feed", rss(added), status="226 IM Used", IM="feed", ETag='"2"')
    assert [story.title for story in (await desk.poll()).stories] == ["Port closed"]
    desk.publisher.serve("/feed", rss(ITEM), ETag='"1"')
    decision = await desk.poll()
    assert (decision.reason, decision.stories) == (FetchReason.OK, ())


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason", "hold"),
    [
        (401, {}, "", FetchReason.UNAUTHORISED, 0),
        (403, {"Retry_After": "60"}, "", FetchReason.UNAUTHORISED, 0),
        (403, {}, WALL, FetchReason.BOT_WALL, 0),
        (404, {}, "", FetchReason.CLIENT_ERROR, 0),
        (410, {}, "", FetchReason.GONE, 0),
        (418, {}, "", FetchReason.CLIENT_ERROR, 0),
        (429, {"Retry_After": "7200"}, "", FetchReason.RATE_LIMITED, 7200),
        (429, {"Cache_Control": "max-age=3000"}, "", FetchReason.RATE_LIMITED, 3000),
        (500, {"Retry_After": "60"}, "", FetchReason.SERVER_ERROR, 0),
        (503, {}, "", FetchReason.UNAVAILABLE, 0),
        (503, {"Retry_After": "7200"}, "", FetchReason.UNAVAILABLE, 7200),
        (503, {"Cache_Control": "max-age=3000"}, "", FetchReason.UNAVAILABLE, 0),
        (599, {}, "", FetchReason.SERVER_ERROR, 0),
        (204, {}, "", FetchReason.PROTOCOL_ERROR, 0),
    ],
)
async def test_every_status_has_its_class(
    desk: PolledFeed,
    status: int,
    headers: dict[str, str],
    body: str,
    reason: FetchReason,
    hold: float,
) -> None:
    """The reason that is stored, and how long the site is held by those that may ask for it."""
    desk.publisher.serve("/feed", body, status=f"{status} X", **headers)
    decision = await desk.poll()
    assert (decision.reason, decision.hold) == (reason, hold)
    state = await desk.state()
    assert (state.last_reason, state.status, state.failures) == (reason, status, 1)


async def test_a_feed_that_has_moved_lives_where_it_is_asked(desk: PolledFeed) -> None:
    """Adopted after a week, asked there alone, one host with its neighbours; over restarts too."""
    publisher, source, now = desk.publisher, desk.source, desk.clock.now
    other = FeedSource(id="other", url=publisher.url("/other", "127.0.0.2"))
    places = {"paper": HostSlot("127.0.0.1", ""), "other": HostSlot("127.0.0.2", "")}
    publisher.serve("/feed", "", status="301 Moved", Location=publisher.url("/new", "127.0.0.2"))
    publisher.serve("/new", rss(ITEM))

    async def claimed() -> set[str]:
        """Restart, let both fall due, and return which may be asked at the same time."""
        await desk.feeds.sync([source, other], places, now())
        await desk.feeds.poll_now(["paper", "other"], now())
        desk.clock.advance(DAY)
        claim = await desk.feeds.claim_due(now(), 9, 1.0, spacing=1.0, max_backlog=9)
        desk.clock.advance(DAY)
        return {feed_id for feed_id, _ in claim.feeds}

    await desk.poll()
    assert await claimed() == {"paper", "other"}
    desk.clock.advance(ADOPT_AFTER)
    assert (await desk.poll()).notices
    assert len(await claimed()) == 1
    publisher.asked.clear()
    await desk.poll()
    assert [(asked.host, asked.path) for asked in publisher.asked] == [("127.0.0.2", "/new")]
    assert await desk.store.get(desk.keys("host", "127.0.0.2")) == f"f {now():.3f}".encode()
    publisher.serve("/new", "", status="404 Not Found")
    await desk.poll()
    assert await claimed() == {"paper", "other"}


def test_a_place_is_a_host_and_the_site_it_belongs_to() -> None:
    """The registrable domain is held; internal hosts hold nothing; what is no address is apart."""
    guard = AddressGuard(("gate.intern", ".desk.example", "10.0.0.0/8"))
    assert {url: host_slot_of(url, guard) for url in (
        "https://feeds.bbci.co.uk/news/rss.xml", "http://GATE.intern/x", "http://a.desk.example/",
        "http://10.1.2.3:8080/x", "https://192.0.2.7/x",
    )} == {
        "https://feeds.bbci.co.uk/news/rss.xml": HostSlot("feeds.bbci.co.uk", "bbci.co.uk"),
        "http://GATE.intern/x": HostSlot("gate.intern", ""),
        "http://a.desk.example/": HostSlot("a.desk.example", ""),
        "http://10.1.2.3:8080/x": HostSlot("10.1.2.3", ""),
        "https://192.0.2.7/x": HostSlot("192.0.2.7", "192.0.2.7"),
    }  # fmt: skip
    odd = [host_slot_of(url, guard) for url in ("ftp://a.example/", "ftp://b.example/", "http://[")]
    assert len({place.host for place in odd}) == 3
    assert {place.site for place in odd} == {""}
