"""Due times, leases, hosts and the one step that hands over: on real Valkey and real Redis."""

from __future__ import annotations

import asyncio
import json
import math

import pytest
from feedlab import parsed

from monitor.config.schema import FeedSource, PollingSettings
from monitor.model import Entry, FeedState
from monitor.parsing.document import ParsedFeed
from monitor.polling.feed_store import Claim, FeedStore
from monitor.polling.fetch_result import FetchResult
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.poll_decision import PollDecision, decide
from monitor.reasons import FetchReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys

NOW = 1_767_225_600.0
SETTINGS = PollingSettings()


def source(name: str, host: str = "") -> FeedSource:
    """Return a feed on a host of its own, or on `host`."""
    return FeedSource(id=name, url=f"https://{host or name + '.example'}/feed")


def places(*sources: FeedSource, site: bool = True) -> dict[str, HostSlot]:
    """Return where the feeds live."""
    hosts = {item.id: item.url.split("/")[2] for item in sources}
    return {name: HostSlot(host, host if site else "") for name, host in hosts.items()}


@pytest.fixture
def feeds(each_store: Redis, keys: Keys) -> FeedStore:
    """A feed store in a key space of its own."""
    return FeedStore(each_store, keys)


async def claim(
    feeds: FeedStore, now: float = NOW + 60, limit: int = 100, spacing: float = 1.0
) -> list[str]:
    """Claim due feeds for 30 seconds and return their ids."""
    found = await feeds.claim_due(now, limit, 30.0, spacing=spacing, max_backlog=50)
    return [name for name, _ in found.feeds]


def entries(count: int) -> tuple[Entry, ...]:
    """Return entries published just now."""
    return tuple(
        parsed(
            Entry(guid=f"g{n}", title=f"Headline {n}", link=f"https://a.example/{n}", published=NOW)
        )
        for n in range(count)
    )


async def polled(
    feeds: FeedStore, item: FeedSource, outcome: FetchResult, now: float = NOW
) -> tuple[PollDecision, bool]:
    """Decide and commit one poll."""
    state, seen = await feeds.load(item.id)
    decision = decide(item, state, seen, outcome, now, SETTINGS)
    place = places(item)[item.id]
    return decision, await feeds.commit(decision, state.version, place, now=now, spacing=1.0)


def read(*items: Entry) -> FetchResult:
    """Return a successful poll."""
    return FetchResult(
        FetchReason.OK, parsed=ParsedFeed(version="rss20", entries=items), etag='"x"'
    )


async def test_new_feeds_are_spread_and_known_ones_keep_their_time(feeds: FeedStore) -> None:
    """Adding 200 feeds makes no burst; a restart changes no due time."""
    items = [source(f"f{n}") for n in range(200)]
    assert (await feeds.sync(items, places(*items), NOW))[:2] == (200, 0)
    first = await claim(feeds, NOW + 1)
    assert 5 < len(first) < 60
    assert (await feeds.sync(items, places(*items), NOW + 1))[:2] == (0, 0)
    assert not set(first) & set(await claim(feeds, NOW + 20, 500))


async def test_a_removed_feed_is_polled_no_more_but_remembered(feeds: FeedStore) -> None:
    """Taken out and put back, a feed has its memory: no second baseline, no flood."""
    item = source("paper")
    await feeds.sync([item], places(item), NOW)
    await polled(feeds, item, read(*entries(3)))
    assert (await feeds.sync([], {}, NOW))[:2] == (0, 1)
    assert await claim(feeds, NOW + 1e6) == []
    await feeds.sync([item], places(item), NOW)
    state, seen = await feeds.load("paper")
    assert state.baselined
    assert len(seen) == 3
    assert await claim(feeds, NOW + 1e6) == ["paper"]


async def test_a_claim_is_a_lease(feeds: FeedStore) -> None:
    """Two pollers never hold one feed; a poller that dies gives it back when the lease ends."""
    items = [source(f"f{n}") for n in range(10)]
    await feeds.sync(items, places(*items), NOW)
    both = await asyncio.gather(claim(feeds), claim(feeds))
    assert sorted(both[0] + both[1]) == sorted(item.id for item in items)
    assert await claim(feeds, NOW + 80) == []
    assert len(await claim(feeds, NOW + 91)) == 10


async def test_one_request_to_a_host_at_a_time(feeds: FeedStore) -> None:
    """Feeds of one host take turns, spaced, over all pollers."""
    items = [source(f"f{n}", "one.example") for n in range(5)]
    await feeds.sync(items, places(*items), NOW)
    now, seen = NOW + 60, []
    for _ in range(5):
        (name,) = await claim(feeds, now)
        assert await claim(feeds, now) == []
        state = FeedState(feed_id=name, url="")
        decision = decide(source(name), state, {}, read(), now, SETTINGS)
        await feeds.commit(decision, 0, HostSlot("one.example", ""), now=now, spacing=1.0)
        assert await claim(feeds, now + 0.9) == []
        seen.append(name)
        now += 6.0
    assert sorted(seen) == [item.id for item in items]


async def test_a_rate_limited_site_is_left_alone(feeds: FeedStore) -> None:
    """Retry-After holds all hosts of the site, and one feed alone on an internal host."""
    a, b = source("a", "x.paper.example"), source("b", "y.paper.example")
    where = {"a": HostSlot("x.paper.example", "paper.example")}
    where["b"] = HostSlot("y.paper.example", "paper.example")
    await feeds.sync([a, b], where, NOW)
    state = FeedState(feed_id="a", url="")
    limited = FetchResult(FetchReason.RATE_LIMITED, hints=_retry(600.0))
    decision = decide(a, state, {}, limited, NOW, SETTINGS)
    await feeds.commit(decision, 0, where["a"], now=NOW, spacing=1.0)
    assert await claim(feeds, NOW + 300) == []
    assert "b" in await claim(feeds, NOW + 700)


def _retry(seconds: float):  # type: ignore[no-untyped-def]
    from monitor.net.response_headers import Hints

    return Hints(retry_after=seconds)


async def test_an_internal_host_is_not_held(feeds: FeedStore) -> None:
    """A gateway that serves many sites is not silenced because one of them is limited."""
    a, b = source("a", "gate.intern"), source("b", "gate.intern")
    where = places(a, b, site=False)
    await feeds.sync([a, b], where, NOW)
    limited = FetchResult(FetchReason.RATE_LIMITED, hints=_retry(600.0))
    decision = decide(a, FeedState(feed_id="a", url=""), {}, limited, NOW, SETTINGS)
    await feeds.commit(decision, 0, where["a"], now=NOW, spacing=1.0)
    assert await claim(feeds, NOW + 300) == ["b"]


async def test_a_commit_is_all_or_nothing(feeds: FeedStore, each_store: Redis, keys: Keys) -> None:
    """Stories, memory, validators and due time come together, and only for the first committer."""
    item = source("paper")
    await feeds.sync([item], places(item), NOW)
    await polled(feeds, item, read())
    state, seen = await feeds.load("paper")
    decision = decide(item, state, seen, read(*entries(3)), NOW, SETTINGS)
    place = places(item)["paper"]
    results = await asyncio.gather(
        *(feeds.commit(decision, state.version, place, now=NOW, spacing=1.0) for _ in range(4))
    )
    assert sorted(results) == [False, False, False, True]
    rows = await each_store.xrange(keys("stream", "stories"))
    assert [json.loads(fields[b"story"])["title"] for _, fields in rows] == [
        "Headline 0",
        "Headline 1",
        "Headline 2",
    ]
    after, memory = await feeds.load("paper")
    assert after == decision.state
    assert memory == decision.seen


async def test_state_reads_back_as_it_was_written(feeds: FeedStore) -> None:
    """Every field of a feed's state survives the store, its rhythm included."""
    item = source("paper")
    decision, _ = await polled(feeds, item, read(*entries(5)))
    state, _ = await feeds.load("paper")
    assert state == decision.state
    assert sum(state.rhythm) > 0


async def test_an_ended_feed_rests_until_its_address_changes(feeds: FeedStore) -> None:
    """410 is final for the address that gave it, over restarts too."""
    item = source("paper")
    await feeds.sync([item], places(item), NOW)
    await polled(feeds, item, FetchResult(FetchReason.GONE, "gone"))
    await feeds.sync([item], places(item), NOW)
    assert await claim(feeds, NOW + 1e8) == []
    other = item.model_copy(update={"url": "https://new.example/feed"})
    await feeds.sync([other], places(other), NOW)
    assert await claim(feeds, NOW + 60) == ["paper"]


async def test_an_ended_feed_that_is_put_back_may_live_again(feeds: FeedStore) -> None:
    """Taken out and put back it is asked again, and polled on if it answers."""
    item = source("paper")
    await feeds.sync([item], places(item), NOW)
    await polled(feeds, item, FetchResult(FetchReason.GONE, "gone"))
    await feeds.sync([], {}, NOW)
    await feeds.sync([item], places(item), NOW)
    assert await claim(feeds, NOW + 1e6) == ["paper"]
    await polled(feeds, item, read(), NOW + 1e6)
    assert await claim(feeds, NOW + 2e6) == ["paper"]


@pytest.mark.parametrize("reason", [FetchReason.UNCHANGED, FetchReason.TIMEOUT])
async def test_a_push_during_a_poll_is_followed_by_another(
    feeds: FeedStore, reason: FetchReason
) -> None:
    """What a hub tells of may have come after the publisher answered: the feed stays due."""
    item = source("paper")
    await feeds.sync([item], places(item), NOW)
    assert await claim(feeds) == ["paper"]
    await feeds.poll_now(["paper"], NOW + 61)
    await polled(feeds, item, FetchResult(reason), NOW + 62)
    assert await claim(feeds, NOW + 64) == ["paper"]
    await polled(feeds, item, FetchResult(reason), NOW + 65)
    assert await claim(feeds, NOW + 70) == []


async def test_a_host_takes_turns_with_other_requests(feeds: FeedStore) -> None:
    """While a page is fetched no feed of its host is, and the other way round; spaced, and held."""
    item, place = source("paper"), HostSlot("paper.example", "paper.example")
    await feeds.sync([item], places(item), NOW)
    assert await feeds.hosts.acquire(place, NOW + 60, 30.0) == 0.0
    assert 0.0 < await feeds.hosts.acquire(place, NOW + 60, 30.0) <= 0.5
    assert await claim(feeds, NOW + 60) == []
    await feeds.hosts.free(place, NOW + 70, 1.0)
    assert await feeds.hosts.acquire(place, NOW + 70.6, 30.0) == pytest.approx(0.4, abs=0.002)
    assert await claim(feeds, NOW + 71.1) == ["paper"]
    assert await feeds.hosts.acquire(place, NOW + 71.1, 30.0) > 0.0
    assert await feeds.hosts.acquire(place, NOW + 102, 30.0) == 0.0
    await feeds.hosts.hold_site(place, NOW + 102, 600.0)
    await feeds.hosts.free(place, NOW + 102, 1.0)
    assert await feeds.hosts.acquire(place, NOW + 700, 30.0) == math.inf
    assert await claim(feeds, NOW + 700) == []
    assert await feeds.hosts.acquire(place, NOW + 703, 30.0) == 0.0


async def test_a_backlog_keeps_no_other_feed_from_being_polled(
    feeds: FeedStore, each_store: Redis, keys: Keys
) -> None:
    """At the limit only feeds of which nothing waits are polled; at twice the limit none is."""
    loud, quiet = source("loud"), source("quiet")
    await feeds.sync([loud, quiet], places(loud, quiet), NOW)
    await polled(feeds, loud, read(), NOW - 7200)
    await polled(feeds, loud, read(*entries(130)), NOW - 3600)
    await feeds.poll_now(["loud", "quiet"], NOW)
    found = await feeds.claim_due(NOW + 60, 10, 30.0, spacing=1.0, max_backlog=100)
    assert [name for name, _ in found.feeds] == ["quiet"]
    found = await feeds.claim_due(NOW + 200, 10, 30.0, spacing=1.0, max_backlog=50)
    assert found == Claim(backlog=130)
    await each_store.delete(keys("stream", "stories"), keys("lane", "loud"), keys("lanes", "state"))
    assert sorted(await claim(feeds, NOW + 200)) == ["loud", "quiet"]
    for _ in range(50):
        await each_store.xadd(keys("stream", "vectors"), {"story": "{}"})
    assert await claim(feeds, NOW + 400) == []


async def test_a_feed_taken_out_in_mid_poll_stays_out(feeds: FeedStore) -> None:
    """A commit after removal does not put the feed back among the due."""
    item = source("paper")
    await feeds.sync([item], places(item), NOW)
    await claim(feeds)
    await feeds.sync([], {}, NOW)
    await polled(feeds, item, read(*entries(1)))
    assert await claim(feeds, NOW + 1e6) == []


async def test_every_key_is_in_the_table(feeds: FeedStore, each_store: Redis, keys: Keys) -> None:
    """Nothing is written under a name the table of keys does not know."""
    from fnmatch import fnmatch

    from monitor.store.keys import TABLE

    item = source("paper")
    await feeds.sync([item], places(item), NOW)
    await claim(feeds)
    await polled(feeds, item, read(*entries(3)))
    limited = FetchResult(FetchReason.RATE_LIMITED, hints=_retry(60.0))
    await polled(feeds, item, limited)
    names = [key.decode().split(":", 1)[1] async for key in each_store.scan_iter(keys("*"))]
    assert len(names) >= 5
    for name in names:
        assert any(fnmatch(name, rule.pattern) for rule in TABLE), name


async def test_a_store_that_lost_its_due_times_is_filled_again(
    feeds: FeedStore, each_store: Redis, keys: Keys
) -> None:
    """Every feed that is configured gets a due time, whatever the store still knows of it."""
    items = [source(f"f{n}") for n in range(6)]
    await feeds.sync(items, places(*items), NOW)
    await polled(feeds, items[0], read(*entries(3)))
    await each_store.zrem(keys("due"), "f0", "f1")
    await each_store.delete(keys("feed", "f2", "state"))
    assert await feeds.scheduled() == 4
    synced = await feeds.sync(items, places(*items), NOW, remove=False)
    assert (synced.added, await feeds.scheduled()) == (2, 6)
    assert len(await claim(feeds, NOW + 7200)) == 6


async def test_a_clock_that_ran_ahead_puts_no_feed_off(
    feeds: FeedStore, each_store: Redis, keys: Keys
) -> None:
    """A day ahead for one poll: the wait decided counts from now; host and hold are bounded too."""
    item, held = source("paper"), source("held")
    where = places(item, held)
    await feeds.sync([item, held], where, NOW)
    ahead = NOW + 86400
    await claim(feeds, ahead)
    await polled(feeds, item, read(*entries(1)), ahead)
    limited = FetchResult(FetchReason.RATE_LIMITED, hints=_retry(600.0))
    await polled(feeds, held, limited, ahead)
    assert await claim(feeds, NOW + 5000) == [], "as it was left"
    synced = await feeds.sync([item, held], where, NOW + 20, longest=9 * 86400)
    assert synced.put_right == 2
    assert (await feeds.sync([item, held], where, NOW + 30, longest=9 * 86400)).put_right == 0
    assert await claim(feeds, NOW + 19) == []
    now = NOW + 20 + 4000
    assert await claim(feeds, now) == [], "the store's own clock still keeps host and hold"
    due = dict(await each_store.zrange(keys("due"), 0, -1, withscores=True))
    assert due[b"paper"] <= now + 2
    assert due[b"held"] <= now + 602


async def test_a_claim_made_by_a_clock_that_ran_ahead_ends(
    feeds: FeedStore, each_store: Redis, keys: Keys
) -> None:
    """The poller dies in that poll, so that only the lease tells of the wrong clock."""
    item = source("paper")
    await feeds.sync([item], places(item), NOW)
    decision, _ = await polled(feeds, item, read(*entries(1)), NOW)
    assert await claim(feeds, NOW + 86400) == ["paper"]
    assert (await feeds.sync([item], places(item), NOW + 20)).put_right == 1
    assert await each_store.zscore(keys("due"), "paper") == decision.state.next_due


async def test_what_a_publisher_asked_for_is_not_taken_for_a_wrong_clock(feeds: FeedStore) -> None:
    """Retry-After for a day stays a day, and feeds moved behind a hold stay there."""
    a, b = source("a", "x.paper.example"), source("b", "y.paper.example")
    where = {item.id: HostSlot(item.url.split("/")[2], "paper.example") for item in (a, b)}
    await feeds.sync([a, b], where, NOW)
    limited = FetchResult(FetchReason.RATE_LIMITED, hints=_retry(86_000.0))
    decision = decide(a, FeedState(feed_id="a", url=""), {}, limited, NOW, SETTINGS)
    await feeds.commit(decision, 0, where["a"], now=NOW, spacing=1.0)
    assert await claim(feeds, NOW + 60) == []
    synced = await feeds.sync([a, b], where, NOW + 61, longest=9 * 86400)
    assert synced.put_right == 0
    assert await claim(feeds, NOW + 80_000) == []
