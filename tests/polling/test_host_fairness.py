"""A host with more feeds than it can serve in time: each gets its turn, none starves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.schema import FeedSource
from monitor.model import FeedState
from monitor.polling.feed_store import FeedStore
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.poll_decision import PollDecision
from monitor.reasons import FetchReason
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.keys import Keys

HOST = HostSlot("one.example", "")


async def crowd(
    client: Redis, keys: Keys, feeds: int, interval: float, rounds: int
) -> Counter[str]:
    """Poll `feeds` of one host, due every `interval` seconds, at one request a second."""
    store = FeedStore(client, keys)
    sources = [FeedSource(id=f"f{n}", url=f"https://one.example/{n}") for n in range(feeds)]
    now = 1_000_000.0
    await store.sync(sources, {source.id: HOST for source in sources}, now)
    versions: Counter[str] = Counter()
    for _ in range(rounds):
        now += 0.5
        claim = await store.claim_due(now, 10, 60, spacing=1.0, max_backlog=100)
        assert len(claim.feeds) <= 1, "two requests at once to one host"
        for feed_id, due in claim.feeds:
            assert due <= now + 1e-3
            state = FeedState(feed_id, "", next_due=now + interval)
            state = replace(state, version=versions[feed_id] + 1)
            decision = PollDecision(state=state, reason=FetchReason.UNCHANGED)
            now += 0.1
            assert await store.commit(decision, versions[feed_id], HOST, now=now, spacing=1.0)
            versions[feed_id] += 1
    return versions


async def test_no_feed_of_a_crowded_host_starves(each_store: Redis, keys: Keys) -> None:
    """Eight feeds that ask for more than their host allows are polled in turn, equally often."""
    polled = await crowd(each_store, keys, feeds=8, interval=2.0, rounds=240)
    assert set(polled) == {f"f{n}" for n in range(8)}
    assert max(polled.values()) - min(polled.values()) <= 1


@settings(max_examples=12, deadline=None)
@given(feeds=st.integers(2, 6), interval=st.floats(0.3, 20.0))
def test_turns_are_fair_at_any_load(valkey_url: str, feeds: int, interval: float) -> None:
    """Whatever the number of feeds and their interval, no two differ by more than two polls."""
    import asyncio
    import uuid

    async def run() -> Counter[str]:
        client = connect(valkey_url)
        try:
            return await crowd(client, Keys(f"h{uuid.uuid4().hex[:8]}"), feeds, interval, 80)
        finally:
            await client.aclose()

    polled = asyncio.run(run())
    assert len(polled) == feeds
    assert max(polled.values()) - min(polled.values()) <= 2
