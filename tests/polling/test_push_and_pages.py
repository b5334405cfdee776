"""WebSub, gaps closed by paging, and full text: against a real publisher and a real hub."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import replace
from email.utils import formatdate
from urllib.parse import parse_qs

import pytest
from feedlab import Publisher, polled, rss

from monitor.clock import ManualClock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.model import FeedState
from monitor.net.fetcher import Fetcher
from monitor.net.routes import Request
from monitor.polling.feed_store import FeedStore
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.polite_fetcher import PoliteFetcher
from monitor.polling.poll import Intake
from monitor.polling.poll_decision import PollDecision
from monitor.polling.websub import Push
from monitor.polling.websub_protocol import (
    ASK_EVERY,
    CHANGED_AFTER,
    LEASE,
    RENEW_BEFORE,
    RETRY_AFTER,
    signature_holds,
)
from monitor.polling.websub_store import WebSubStore
from monitor.reasons import FetchReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys

NOW = 1_767_225_600.0
RECENT = formatdate(NOW - 600, usegmt=True)
PAPER = FeedSource(id="paper", url="https://paper.example/feed")


class Hub:
    """Everything a WebSub test needs: the subscriber, the store, the clock."""

    def __init__(
        self, publisher: Publisher, fetcher: Fetcher, store: Redis, keys: Keys, clock: ManualClock
    ) -> None:
        self.publisher, self.clock = publisher, clock
        self.feeds = FeedStore(store, keys)
        self.subscriptions = WebSubStore(store, keys)
        polite = PoliteFetcher(fetcher, self.feeds, clock, PollingSettings(host_spacing=0.0))
        self.push = Push(
            polite, self.subscriptions, self.feeds, clock, "https://desk.example/ww/", 60.0
        )
        self.state = FeedState(
            feed_id="paper", url="", hub=publisher.url("/hub"), topic_url="https://paper.example/t"
        )
        publisher.serve("/hub", "", status="202 Accepted")

    def asked(self) -> list[dict[str, str]]:
        """Return the forms the hub was sent."""
        forms = [parse_qs(asked.body.decode()) for asked in self.publisher.asked]
        return [{name: values[0] for name, values in form.items()} for form in forms]

    async def tend(self) -> None:
        await self.push.tend(PAPER, self.state)

    def path(self) -> str:
        """Return the path of the callback the hub was given last."""
        return self.asked()[-1]["hub.callback"].removeprefix("https://desk.example/ww")

    async def verify(self, **changes: str) -> tuple[int, str]:
        query = {
            "hub.mode": "subscribe",
            "hub.topic": self.state.topic_url,
            "hub.challenge": "echo-me",
            "hub.lease_seconds": "864000",
        } | {name.replace("hub_", "hub."): value for name, value in changes.items()}
        answer = await self.push.handle_websub(Request("GET", self.path(), query))
        return answer.status, str(answer.body)


@pytest.fixture
def hub(
    publisher: Publisher, fetcher: Fetcher, store: Redis, keys: Keys, clock: ManualClock
) -> Hub:
    """A hub that accepts requests."""
    return Hub(publisher, fetcher, store, keys, clock)


async def test_a_subscription_is_asked_verified_and_renewed(hub: Hub) -> None:
    """One request, the challenge echoed, quiet while the lease runs, a renewal before its end."""
    await hub.tend()
    await hub.tend()
    (form,) = hub.asked()
    assert form["hub.mode"] == "subscribe"
    assert form["hub.topic"] == hub.state.topic_url
    assert len(form["hub.secret"]) >= 32
    assert await hub.verify() == (200, "echo-me")
    hub.clock.advance(LEASE - RENEW_BEFORE - 60)
    await hub.tend()
    assert len(hub.asked()) == 1
    hub.clock.advance(120)
    await hub.tend()
    assert len(hub.asked()) == 2
    assert hub.asked()[1]["hub.callback"] == form["hub.callback"]


async def test_a_feed_that_names_other_hubs_has_us_ask_seldom(hub: Hub) -> None:
    """Another hub at every poll: one request an hour, and no hub learns another's secret."""
    for n in range(20):
        hub.publisher.serve(f"/hub{n}", "", status="202 Accepted")
        hub.state = replace(hub.state, hub=hub.publisher.url(f"/hub{n}"))
        await hub.tend()
        hub.clock.advance(600)
    forms = hub.asked()
    assert 2 <= len(forms) <= 4
    assert len({form["hub.secret"] for form in forms}) == len(forms)
    assert len({form["hub.callback"] for form in forms}) == len(forms)


async def test_a_hub_that_hammers_makes_no_more_polls_than_the_least_interval(hub: Hub) -> None:
    """Ten pushes a second for two minutes, also in the middle of polls: a poll a minute."""
    await hub.feeds.sync([PAPER], {"paper": HostSlot("paper.example", "")}, hub.clock.now())
    hub.clock.advance(10)
    polls, version = 0, 0
    for _ in range(1200):
        now = hub.clock.now()
        await hub.feeds.pushed("paper", now, 60.0)
        claim = await hub.feeds.claim_due(now, 1, 30.0, spacing=0.0, max_backlog=99)
        for name, _ in claim.feeds:
            await hub.feeds.pushed(name, now, 60.0)
            state = FeedState(name, "", version=version + 1, last_poll=now, next_due=now + 3600)
            decision = PollDecision(state, FetchReason.UNCHANGED)
            place = HostSlot("paper.example", "")
            assert await hub.feeds.commit(decision, version, place, now=now, spacing=0.0)
            polls, version = polls + 1, version + 1
        hub.clock.advance(0.1)
    assert 2 <= polls <= 3


async def test_a_token_of_odd_characters_is_no_token(hub: Hub) -> None:
    """What no hub was given is answered 404, whatever it is written in."""
    await hub.tend()
    for token in ("\u00e9", "\udce9", ""):
        answer = await hub.push.handle_websub(Request("GET", f"/websub/paper/{token}", {}))
        assert answer.status == 404


async def test_a_silent_or_refusing_hub_is_asked_again_later(hub: Hub) -> None:
    """No verification, a refusal, an error: asked again after hours, not with every poll."""
    hub.publisher.serve("/hub", "", status="500 Broken")
    await hub.tend()
    await hub.tend()
    assert len(hub.asked()) == 1
    hub.clock.advance(RETRY_AFTER + 1)
    await hub.tend()
    assert len(hub.asked()) == 2


async def test_a_short_lease_is_renewed_before_it_ends(hub: Hub) -> None:
    """A hub that grants an hour is asked after half of it; if it then is silent, after hours."""
    await hub.tend()
    await hub.verify(hub_lease_seconds="3600")
    hub.clock.advance(1700)
    await hub.tend()
    assert len(hub.asked()) == 1
    hub.clock.advance(200)
    await hub.tend()
    assert len(hub.asked()) == 2
    hub.clock.advance(RETRY_AFTER - 60)
    await hub.tend()
    assert len(hub.asked()) == 2
    hub.clock.advance(120)
    await hub.tend()
    assert len(hub.asked()) == 3


async def test_no_hub_is_asked_with_every_poll(hub: Hub) -> None:
    """One that grants a second, or that denies what it granted, waits for its next request."""
    await hub.tend()
    await hub.verify(hub_lease_seconds="1")
    hub.clock.advance(ASK_EVERY - 10)
    await hub.tend()
    assert len(hub.asked()) == 1
    hub.clock.advance(20)
    await hub.tend()
    assert len(hub.asked()) == 2
    await hub.verify()
    await hub.verify(hub_mode="denied")
    hub.clock.advance(RETRY_AFTER - 10)
    await hub.tend()
    assert len(hub.asked()) == 2
    hub.clock.advance(20)
    await hub.tend()
    assert len(hub.asked()) == 3


async def test_a_hub_is_asked_under_the_guard(
    hub: Hub, settings: PollingSettings, clock: ManualClock
) -> None:
    """A feed cannot have us post to an internal machine, nor to one that never answers."""
    strict = settings.model_copy(update={"allow_hosts": ("127.0.0.1",), "timeout": 0.2})
    polite = PoliteFetcher(Fetcher(strict, clock), hub.feeds, clock, strict)
    hub.push = Push(polite, hub.subscriptions, hub.feeds, clock, "https://a.example", 60.0)
    hub.state = replace(hub.state, hub=hub.publisher.url("/hub", "127.0.0.2"))
    await hub.tend()
    assert hub.asked() == []
    hub.publisher.pages["/silent"] = lambda *_: asyncio.Event().wait()
    hub.state = replace(hub.state, hub=hub.publisher.url("/silent"))
    clock.advance(CHANGED_AFTER + 1)
    async with asyncio.timeout(20):
        await hub.tend()
    assert len(hub.asked()) == 1


async def test_only_what_was_asked_for_is_confirmed(hub: Hub) -> None:
    """Another topic, an unsubscription, a wrong token, an unknown feed: 404."""
    await hub.tend()
    assert (await hub.verify(hub_topic="https://evil.example/"))[0] == 404
    assert (await hub.verify(hub_mode="unsubscribe"))[0] == 404
    wrong = ("wrong", "", "\u00e9", "\ud800")  # the last two are no token that we ever made
    for path in (*(f"/websub/paper/{token}" for token in wrong), "/websub/other/x", "/websub/"):
        assert (await hub.push.handle_websub(Request("GET", path))).status == 404
    assert not (await hub.subscriptions.load("paper")).active(hub.clock.now())


async def test_a_signed_push_makes_the_feed_due_and_a_forged_one_nothing(
    hub: Hub, store: Redis, keys: Keys
) -> None:
    """Pushes are hints: they hasten the poll, and bring nothing in themselves."""
    await hub.tend()
    await hub.verify()
    secret = hub.asked()[0]["hub.secret"]
    body = b"<rss>whatever it says</rss>"
    await store.zadd(keys("due"), {"paper": hub.clock.now() + 999})
    for header in ("", "sha256=00", "md5=abc", "sha1=" + "0" * 40, "sha256=ÿ"):
        request = Request("POST", hub.path(), {}, {"x-hub-signature": header}, body)
        assert (await hub.push.handle_websub(request)).status == 202
        assert await store.zscore(keys("due"), "paper") > hub.clock.now()
    for method in ("sha1", "sha256", "sha384", "sha512"):
        signed = hmac.new(secret.encode(), body, getattr(hashlib, method)).hexdigest()
        assert signature_holds(secret, body, f"{method}={signed}")
    request = Request("POST", hub.path(), {}, {"x-hub-signature": f"{method}={signed}"}, body)
    assert (await hub.push.handle_websub(request)).status == 202
    assert await store.zscore(keys("due"), "paper") == hub.clock.now()
    assert await store.xlen(keys("stream", "stories")) == 0


async def test_no_public_address_no_subscription(
    fetcher: Fetcher, hub: Hub, store: Redis, keys: Keys, clock: ManualClock
) -> None:
    """Without `public_url`, or where a feed opts out, no hub hears from us."""
    polite = PoliteFetcher(fetcher, hub.feeds, clock, PollingSettings())
    quiet = Push(polite, hub.subscriptions, hub.feeds, clock, "", 60.0)
    await quiet.tend(PAPER, hub.state)
    await hub.push.tend(PAPER.model_copy(update={"websub": False}), hub.state)
    assert hub.asked() == []


def page(numbers: range, following: str = "") -> str:
    """Return a page of a paged feed."""
    link = f"<a:link xmlns:a='http://www.w3.org/2005/Atom' rel='next' href='{following}'/>"
    return rss(
        *((f"n{n}", f"Item number {n}", RECENT) for n in numbers), extra=link if following else ""
    )


async def test_pages_are_followed_to_close_a_gap_and_only_then(
    publisher: Publisher, intake: Intake
) -> None:
    """After an outage older pages are read until something known turns up; else none is asked."""
    source = FeedSource(id="paper", url=publisher.url())
    publisher.serve("/feed", page(range(3), "/page2"))
    await polled(intake, source)
    publisher.serve("/feed", page(range(2, 5), "/page2"))
    await polled(intake, source)
    assert [asked.path for asked in publisher.asked] == ["/feed", "/feed"]
    publisher.serve("/feed", page(range(20, 25), "/page2"))
    publisher.serve("/page2", page(range(12, 20), "/page3"))
    publisher.serve("/page3", page(range(3, 12), "/page4"))
    decision = await polled(intake, source)
    assert [asked.path for asked in publisher.asked[2:]] == ["/feed", "/page2", "/page3"]
    assert len(decision.stories) == 20


async def test_endless_pages_end(publisher: Publisher, intake: Intake) -> None:
    """A feed whose pages lead in a circle, or fail, costs a few requests and loses nothing."""
    source = FeedSource(id="paper", url=publisher.url())
    publisher.serve("/feed", page(range(1)))
    await polled(intake, source)
    publisher.serve("/feed", page(range(50, 55), "/page2"))
    publisher.serve("/page2", page(range(45, 50), "/page2"))
    assert len((await polled(intake, source)).stories) == 10
    publisher.serve("/feed", page(range(80, 85), "http://10.0.0.1/next"))
    assert len((await polled(intake, source)).stories) == 5


ARTICLE = (
    "<html><body><nav>Home World Sport</nav><article><h1>Ferry sinks</h1>"
    + "".join(f"<p>Paragraph {n} says what happened at the port that night.</p>" for n in range(9))
    + "</article><script>track()</script></body></html>"
)


async def test_full_text_is_read_where_asked_for(publisher: Publisher, intake: Intake) -> None:
    """New stories get their article's paragraphs; a page that fails costs only its text."""
    source = FeedSource(id="paper", url=publisher.url(), full_text=True)
    publisher.serve("/feed", rss(("0", "Old", RECENT)))
    await polled(intake, source)
    text = rss(("1", "Ferry sinks", RECENT), ("2", "Port closed", RECENT), ("3", "Sly", RECENT))
    text = text.replace("https://paper.example/1", publisher.url("/1"))
    text = text.replace("https://paper.example/2", publisher.url("/2"))
    text = text.replace("https://paper.example/3", "http://169.254.169.254/latest")
    publisher.serve("/feed", text)
    publisher.serve("/1", ARTICLE)
    stories = {story.title: story for story in (await polled(intake, source)).stories}
    assert "Paragraph 8 says what happened" in stories["Ferry sinks"].body
    assert "\n\n" in stories["Ferry sinks"].body
    assert "track()" not in stories["Ferry sinks"].body
    assert stories["Port closed"].body == stories["Sly"].body == ""


@pytest.mark.parametrize(
    ("robots", "status", "read"),
    [
        ("User-agent: *\nDisallow: /*/private$\n", "200 OK", {"Open"}),
        ("User-agent: wirewatch\nDisallow: /\n\nUser-agent: *\nAllow: /", "200 OK", set()),
        ("User-agent: other\nDisallow: /", "200 OK", {"Open", "Shut"}),
        ("", "404 Not Found", {"Open", "Shut"}),
        ("", "503 Busy", set()),
        ("<html>" + "<p>not a robots.txt</p>" * 50, "200 OK", {"Open", "Shut"}),
        ("User-agent: *\nDisallow: /" + "*a" * 40 + "b", "200 OK", {"Open", "Shut"}),
    ],
)
async def test_articles_are_read_only_where_robots_may(
    publisher: Publisher, intake: Intake, robots: str, status: str, read: set[str]
) -> None:
    """robots.txt is asked once for a site, obeyed, and in doubt taken for a no (RFC 9309)."""
    source = FeedSource(id="paper", url=publisher.url(), full_text=True)
    publisher.serve("/feed", rss(("0", "Old", RECENT)))
    await polled(intake, source)
    text = rss(("1", "Open", RECENT), ("2", "Shut", RECENT))
    text = text.replace("https://paper.example/1", publisher.url("/a/public"))
    text = text.replace("https://paper.example/2", publisher.url("/" + "a" * 60 + "/private"))
    publisher.serve("/feed", text)
    publisher.serve("/robots.txt", robots, status=status)
    publisher.serve("/a/public", ARTICLE)
    publisher.serve("/" + "a" * 60 + "/private", ARTICLE)
    stories = (await polled(intake, source)).stories
    assert {story.title for story in stories if story.body} == read
    assert [asked.path for asked in publisher.asked].count("/robots.txt") == 1
