"""Manners of what a poll asks for besides its feed: pages and articles, spaced, held, in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from itertools import pairwise

import pytest
from feedlab import FeedRequest, PublicLoopback, Publisher, polled, rss

from monitor.clock import ManualClock, SystemClock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.net.fetcher import Fetcher
from monitor.polling.feed_store import FeedStore
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.polite_fetcher import PoliteFetcher
from monitor.polling.poll import Intake
from monitor.polling.poll_decision import PollDecision
from monitor.reasons import FetchReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.waiting import takes

NOW = ManualClock().now()
RECENT = formatdate(NOW - 600, usegmt=True)
OLD = formatdate(NOW - 20 * 86400, usegmt=True)
SPACING = 2.0
HERE, THERE = "127.0.0.1", "127.0.0.2"
ARTICLE = "<html><body><article><h1>Ferry sinks</h1>" + "".join(
    f"<p>Paragraph {n} says what happened at the port that night.</p>" for n in range(9)
)


@pytest.fixture
def settings(settings: PollingSettings) -> PollingSettings:
    """Settings under which one host is asked every two seconds."""
    return settings.model_copy(update={"host_spacing": SPACING})


@pytest.fixture
async def fetcher(settings: PollingSettings, clock: ManualClock) -> AsyncIterator[Fetcher]:
    """A fetcher to which loopback is public, so that its sites are held."""
    fetcher = Fetcher(settings, clock, PublicLoopback(settings.allow_hosts))
    yield fetcher
    await fetcher.aclose()


@dataclass
class FullTextFeed:
    """A feed with full texts, and others on every host."""

    publisher: Publisher
    intake: Intake
    feeds: FeedStore
    clock: ManualClock
    source: FeedSource

    async def poll(self, *items: tuple[str, str, str], **links: str) -> PollDecision:
        """Poll the feed, holding these items now; `links` gives their addresses by GUID."""
        text = rss(*items)
        for guid, link in links.items():
            text = text.replace(f"https://paper.example/{guid}<", f"{link}<")
        self.publisher.serve("/feed", text)
        return await polled(self.intake, self.source)

    async def free(self, host: str, after: float = 0.0) -> bool:
        """Whether a feed of `host` may be asked so many seconds from now."""
        feed = FeedSource(id="other", url=f"http://{host}/")
        await self.feeds.sync([feed], {"other": HostSlot(host, host)}, self.clock.now())
        await self.feeds.poll_now(["other"], 0.0)
        now = self.clock.now() + after
        claim = await self.feeds.claim_due(now, 1, 0.01, spacing=SPACING, max_backlog=99)
        return bool(claim.feeds)


@pytest.fixture
async def desk(
    publisher: Publisher, intake: Intake, clock: ManualClock, store: Redis, keys: Keys
) -> FullTextFeed:
    """A feed past its baseline."""
    source = FeedSource(id="paper", url=publisher.url(), full_text=True)
    desk = FullTextFeed(publisher, intake, FeedStore(store, keys), clock, source)
    await desk.poll(("0", "First", RECENT))
    publisher.asked.clear()
    clock.advance(600)
    return desk


def gaps(requests: Sequence[FeedRequest]) -> list[float]:
    """Return the times between requests."""
    return [later.at - sooner.at for sooner, later in pairwise(requests)]


@pytest.mark.parametrize("host", [HERE, THERE])
async def test_articles_are_spaced(desk: FullTextFeed, host: str) -> None:
    """robots.txt and every page wait their turn, also after one that failed; so do feeds, then."""
    links = {f"i{n}": desk.publisher.url(f"/{n}", host) for n in range(3)}
    desk.publisher.pages["/1"] = b"no HTTP at all"
    await desk.poll(*((guid, f"Number {guid}", RECENT) for guid in links), **links)
    asked = [request for request in desk.publisher.asked if request.host == host]
    assert [request.path for request in asked[-4:]] == ["/robots.txt", "/2", "/1", "/0"]
    assert min(gaps(asked)) >= SPACING
    assert not await desk.free(host, SPACING - 0.1)
    assert await desk.free(host, SPACING + 0.1)


@pytest.mark.parametrize("refusing", ["/robots.txt", "/2"])
async def test_a_refusal_ends_the_reading_and_holds_the_site(
    desk: FullTextFeed, refusing: str
) -> None:
    """After a 429 that host is asked for nothing more, by no feed, for as long as it wants."""
    links = {f"i{n}": desk.publisher.url(f"/{n}", THERE) for n in range(3)}

    async def refuse(asked: FeedRequest, writer: asyncio.StreamWriter) -> None:
        status = "429 Slow" if asked.host == THERE else "404 Not Found"
        head = f"HTTP/1.1 {status}\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()

    desk.publisher.serve("/else", ARTICLE)
    desk.publisher.pages[refusing] = refuse
    older = ("e", "Elsewhere", formatdate(NOW - 900, usegmt=True))
    news = [(guid, f"Number {guid}", RECENT) for guid in links]
    decision = await desk.poll(older, *news, e=desk.publisher.url("/else", HERE), **links)
    asked = [request.path for request in desk.publisher.asked if request.host == THERE]
    assert asked == (["/robots.txt"] if refusing == "/robots.txt" else ["/robots.txt", "/2"])
    assert "Paragraph 8" in decision.stories[0].body
    assert not await desk.free(THERE, 3500)
    desk.publisher.asked.clear()
    await desk.poll(("i9", "The next", RECENT), i9=desk.publisher.url("/9", THERE))
    assert [request.path for request in desk.publisher.asked] == ["/feed"]
    assert await desk.free(THERE, 3700)


@pytest.mark.parametrize("refusing", ["/robots.txt", "/2"])
async def test_a_site_that_refuses_without_a_time_is_left_for_this_poll(
    desk: FullTextFeed, refusing: str
) -> None:
    """A bot check or an overload on one page: the others are not tried, until the next poll."""
    links = {f"i{n}": desk.publisher.url(f"/{n}") for n in range(3)}
    desk.publisher.serve(refusing, "", status="503 Busy")
    await desk.poll(*((guid, f"Number {guid}", RECENT) for guid in links), **links)
    asked = [request.path for request in desk.publisher.asked]
    assert asked == ["/feed", "/robots.txt", "/2"][: 2 + (refusing == "/2")]
    desk.publisher.serve(refusing, ARTICLE)
    desk.publisher.serve("/3", ARTICLE)
    decision = await desk.poll(("i3", "The next", RECENT), i3=desk.publisher.url("/3"))
    assert "Paragraph 8" in decision.stories[0].body


async def test_articles_that_nobody_is_told_of_are_not_fetched(desk: FullTextFeed) -> None:
    """What was there before us, and what is old, keeps the feed's text."""
    links = {"b": desk.publisher.url("/b"), "s": desk.publisher.url("/s")}
    await desk.poll(("s", "Long past", OLD), **links)
    desk.source = desk.source.model_copy(update={"id": "new"})
    decision = await desk.poll(("b", "Before us", RECENT), **links)
    assert [story.baseline for story in decision.stories] == [True]
    assert [request.path for request in desk.publisher.asked] == ["/feed", "/feed"]


async def test_two_polls_do_not_ask_one_host_at_once(
    publisher: Publisher, fetcher: Fetcher, store: Redis, keys: Keys, settings: PollingSettings
) -> None:
    """Whoever wants an article while another is fetched from its host waits until that is done."""
    settings = settings.model_copy(update={"host_spacing": 0.01})
    turns = PoliteFetcher(fetcher, FeedStore(store, keys), SystemClock(), settings)
    home, second, at_once = HostSlot("paper.example", ""), asyncio.Event(), []

    async def article(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        if len(publisher.asked) > 1:
            second.set()
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(second.wait(), 0.3)
            at_once.append(second.is_set())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    publisher.pages["/1"] = publisher.pages["/2"] = article
    await asyncio.gather(*(turns.fetch(publisher.url(f"/{n}"), home) for n in (1, 2)))
    assert at_once == [False]
    assert second.is_set()


async def test_hostile_articles_cost_a_story_only_its_text(desk: FullTextFeed) -> None:
    """Pages that are deep, endless or no text at all: the story stands, the next page is read."""
    desk.publisher.serve("/0", ARTICLE)
    desk.publisher.serve("/1", "<div>" * 300_000)
    desk.publisher.serve("/2", "<p>" + "a&#" * 500_000)
    desk.publisher.serve("/3", b"\0\xff\xfe" * 100_000)
    links = {f"i{n}": desk.publisher.url(f"/{n}") for n in range(4)}
    decision = await desk.poll(*((guid, f"Number {guid}", RECENT) for guid in links), **links)
    bodies = {story.title: story.body for story in decision.stories}
    assert "Paragraph 8" in bodies.pop("Number i0")
    assert bodies == dict.fromkeys(("Number i1", "Number i2", "Number i3"), "")


def page(first: int, following: str = "") -> str:
    """Return a page of five entries, none of them in another page."""
    link = f"<a:link xmlns:a='http://www.w3.org/2005/Atom' rel='next' href='{following}'/>"
    items = ((f"n{n}", f"Item number {n}", RECENT) for n in range(first, first + 5))
    return rss(*items, extra=link if following else "")


@pytest.mark.parametrize("host", [HERE, THERE])
async def test_pages_are_spaced_and_a_refusal_holds_their_site(
    desk: FullTextFeed, host: str
) -> None:
    """Each page of a paged feed waits its turn; 429 on one holds its site as on a feed."""
    publisher = desk.publisher
    desk.source = desk.source.model_copy(update={"full_text": False})
    publisher.serve("/feed", page(10, publisher.url("/page2", host)))
    publisher.serve("/page2", page(20, publisher.url("/page3", host)))
    publisher.serve("/page3", "", status="429 Slow", Retry_After="3600")
    decision = await polled(desk.intake, desk.source)
    assert len(decision.stories) == 10
    asked = [request for request in publisher.asked if request.host == host]
    assert [request.path for request in asked[-2:]] == ["/page2", "/page3"]
    assert min(gaps(asked)) >= SPACING
    assert not await desk.free(host, 3500)
    assert await desk.free(host, 3700)


async def test_secrets_follow_no_page_to_another_origin(desk: FullTextFeed) -> None:
    """A feed's own headers and its password go to pages of its origin alone."""
    publisher = desk.publisher
    desk.source = FeedSource.model_validate(
        {"id": "paper", "url": publisher.url(), "headers": {"X-Key": "k3y"}}
        | {"username": "desk", "password": "hunter2"}
    )
    publisher.serve("/feed", page(10, publisher.url("/page2")))
    publisher.serve("/page2", page(20, publisher.url("/page3", THERE)))
    publisher.serve("/page3", page(30))
    await polled(desk.intake, desk.source)
    sent = [
        (request.path, request.headers.get("x-key"), request.headers.get("authorization"))
        for request in publisher.asked
    ]
    assert sent == [
        ("/feed", "k3y", "Basic ZGVzazpodW50ZXIy"),
        ("/page2", "k3y", "Basic ZGVzazpodW50ZXIy"),
        ("/page3", None, None),
    ]


async def test_slow_pages_get_what_time_the_document_left(desk: FullTextFeed) -> None:
    """A chain of pages that takes its time is left; what was read until then is kept."""
    publisher = desk.publisher
    quick = desk.intake.settings.model_copy(update={"timeout": 1.0, "parse_timeout": 1.0})
    desk.intake.settings = quick

    async def slow(asked: FeedRequest, writer: asyncio.StreamWriter) -> None:
        await takes(0.8)
        number = int(asked.path.removeprefix("/page"))
        body = page(10 * number, publisher.url(f"/page{number + 1}")).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    publisher.serve("/feed", page(10, publisher.url("/page2")))
    publisher.pages |= dict.fromkeys(("/page2", "/page3", "/page4", "/page5"), slow)
    decision = await polled(desk.intake, desk.source)
    assert decision.reason == FetchReason.OK
    titles = {story.title for story in decision.stories}
    assert titles >= {f"Item number {n}" for n in (*range(10, 15), *range(20, 25))}
    assert "/page5" not in [request.path for request in publisher.asked]


async def test_a_redirected_answer_holds_the_site_that_gave_it(desk: FullTextFeed) -> None:
    """Retry-After is for the one who said it, not for the address that led there."""
    desk.publisher.serve(
        "/feed", "", status="302 Found", Location=desk.publisher.url("/limited", THERE)
    )
    desk.publisher.serve("/limited", "", status="429 Slow", Retry_After="3600")
    await polled(desk.intake, desk.source)
    assert await desk.free(HERE, 10)
    assert not await desk.free(THERE, 3500)
    assert await desk.free(THERE, 3700)
