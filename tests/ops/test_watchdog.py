"""The watchdog and the canary on a real store, each catching a fault made on purpose."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from monitor import metrics
from monitor.clock import ManualClock
from monitor.codec import pack_embedded, unpack_story
from monitor.config.schema import (
    Config,
    FeedSource,
    OpsSettings,
    StoreSettings,
    TerminalChannel,
    Topic,
)
from monitor.feeds.schedule import beat
from monitor.model import EmbeddedStory, FeedState, Passage
from monitor.ops.findings import Kind
from monitor.pipeline import canary
from monitor.store.client import Redis
from monitor.store.feeds import _encode
from monitor.store.keys import Keys
from monitor.store.outbox import OutboxStore
from workers.canary import Canary, last_canary
from workers.heartbeat import Heartbeat
from workers.notifier import Notifier
from workers.runtime import Runtime
from workers.watchdog import Watchdog

STAGES = ("poller", "embedder", "triage", "notifier")
MONDAY = 1_767_571_200.0


@pytest.fixture
async def runtime(
    store: Redis, keys: Keys, clock: ManualClock, valkey_url: str
) -> AsyncIterator[Runtime]:
    """A service with one feed, one topic, one channel, whose notices go to that channel."""
    config = Config(
        store=StoreSettings(prefix=keys.prefix),
        ops=OpsSettings(notices_to=("desk",), notice_every=3600.0, canary_every=300.0),
        channels={"desk": TerminalChannel(type="terminal")},
        feeds=(FeedSource(id="bbc", url="https://example.org/rss"),),
        topics=(Topic(id="talks", name="talks"),),
    )
    made = Runtime(config, store, valkey_url, clock)
    yield made
    made.stopping.set()


async def _beat(runtime: Runtime, *stages: str) -> None:
    metrics.MODEL_READY.set(1)
    await Heartbeat(runtime, stages or STAGES).beat()


async def _notices(runtime: Runtime) -> list[str]:
    due = await OutboxStore(runtime.store, runtime.keys).read("desk", runtime.clock.now(), 100)
    return [item.notification.notice for item in due]


async def test_a_healthy_service_is_left_in_peace(runtime: Runtime) -> None:
    """All stages beat, nothing waits: no notice, and the gauges say so."""
    await _beat(runtime)
    assert await Watchdog(runtime).look() == []
    assert await _notices(runtime) == []
    assert metrics.REGISTRY.get_sample_value("wirewatch_workers_seen", {"worker": "poller"}) == 1


async def test_a_stage_that_died_is_told_to_ops_once(runtime: Runtime, clock: ManualClock) -> None:
    """The embedder is killed: after a minute one notice, an hour of quiet, then its return."""
    watchdog = Watchdog(runtime)
    await _beat(runtime)
    await watchdog.look()
    await runtime.store.delete(runtime.keys("worker", f"embedder:{runtime.worker_id}"))
    told = []
    for _ in range(20):
        clock.advance(15)
        told += await watchdog.look()
    assert [notice.kind for notice in told] == [Kind.STAGE_MISSING]
    assert any("no embedder is running" in text for text in await _notices(runtime))
    await _beat(runtime)
    clock.advance(15)
    back = await watchdog.look()
    assert [(notice.kind, notice.recovered) for notice in back] == [(Kind.STAGE_MISSING, True)]


async def test_a_stuck_stage_is_told_by_the_age_of_its_queue(
    runtime: Runtime, clock: ManualClock
) -> None:
    """A story that has lain in the stream for ten minutes although an embedder runs."""
    old_id = f"{int((await runtime.store.time())[0] - 600) * 1000}-0"
    await runtime.store.xadd(runtime.keys("stream", "stories"), {"story": "{}"}, id=old_id)
    watchdog, told = Watchdog(runtime), []
    for _ in range(4):
        await _beat(runtime)
        told += await watchdog.look()
        clock.advance(15)
    assert [notice.kind for notice in told] == [Kind.STAGE_STUCK]
    assert "10 minutes" in told[0].text
    depth = metrics.REGISTRY.get_sample_value("wirewatch_queue_depth", {"queue": "stories"})
    assert depth == 1


async def test_a_feed_that_went_silent_is_told(runtime: Runtime, clock: ManualClock) -> None:
    """Two stories an hour for a month, then none for a day although every fetch goes well."""
    now = MONDAY + 29 * 86400
    times = [MONDAY + half * 1800.0 for half in range(28 * 48)]
    state = beat(FeedState("bbc", "https://example.org/rss", started=MONDAY), times, times[-1])
    state = replace(state, last_item=times[-1], last_success=now, polls=9)
    await runtime.store.hset(runtime.keys("feed", "bbc", "state"), items=_encode(state, None))
    clock.advance(now - clock.now())
    await _beat(runtime)
    told = await Watchdog(runtime).look()
    assert [notice.kind for notice in told] == [Kind.FEED_SILENT]
    assert "48 stories a day and has brought none for 24 hours" in told[0].text


async def test_a_topic_that_bursts_is_told(runtime: Runtime, clock: ManualClock) -> None:
    """Two matches an hour for ten days, then sixty within one."""
    watchdog = Watchdog(runtime)
    for _ in range(240):
        await runtime.store.hincrby(runtime.keys("count"), "topic:talks", 2)
        clock.advance(3600)
        await watchdog._topics(clock.now())
    await runtime.store.hincrby(runtime.keys("count"), "topic:talks", 60)
    clock.advance(15)
    found = await watchdog._topics(clock.now())
    assert [finding.kind for finding in found] == [Kind.TOPIC_BURST]


async def test_failing_channel_dead_letters_config_and_model(
    runtime: Runtime, clock: ManualClock
) -> None:
    """Each fault is told under its own name, once, with what to do."""
    store, keys = runtime.store, runtime.keys
    await store.hset(
        keys("channel", "desk"), mapping={"state": "broken:auth_revoked", "reason": "auth_revoked"}
    )
    await store.hset(keys("dead"), mapping={"a": "{}", "b": "{}"})
    problems = ["feeds.yaml:3: warning: odd", "topics.yaml:9: unknown key"]
    await store.hset(keys("config"), "problems", json.dumps(problems))
    watchdog, told = Watchdog(runtime), []
    for _ in range(10):
        await _beat(runtime)
        metrics.MODEL_READY.set(0)
        await Heartbeat(runtime, ["embedder"]).beat()
        told += await watchdog.look()
        clock.advance(15)
    assert sorted(notice.kind.value for notice in told) == [
        "channel_failing",
        "config_refused",
        "dead_letters",
        "model_missing",
    ]
    assert any("topics.yaml:9" in text for text in await _notices(runtime))


async def test_only_one_process_watches(runtime: Runtime) -> None:
    """The lease: a second watchdog stands by and says nothing."""
    first, second = Watchdog(runtime), Watchdog(runtime)
    assert await first._lease.take()
    assert not await second._lease.take()


# --- the canary


async def _embed_and_triage(runtime: Runtime) -> None:
    """Stand in for embedder and triage: vectors are made, canaries are passed on."""
    stream = runtime.keys("stream", "stories")
    while not runtime.stopping.is_set():
        for entry, fields in await runtime.store.xrange(stream, count=1):
            story = unpack_story(fields)
            vectors = np.ones((1, 4), dtype=np.float32) / 2
            item = EmbeddedStory(story, (Passage(0, "title", story.title, ""),), vectors, "m")
            assert canary.is_canary(story)
            assert pack_embedded(item)
            onward = canary.onward([item], runtime.clock.now())
            await OutboxStore(runtime.store, runtime.keys).put(onward)
            await runtime.store.xdel(stream, entry)
        await asyncio.sleep(0)


async def test_the_canary_comes_through_and_leaves_nothing_behind(
    runtime: Runtime, clock: ManualClock
) -> None:
    """With all stages at work it ends at the real notifier; its receipt is taken away again."""
    work = [
        asyncio.create_task(_embed_and_triage(runtime)),
        asyncio.create_task(Notifier(runtime).run()),
    ]
    walker = Canary(runtime)
    assert await walker.walk()
    assert (await last_canary(runtime.store, runtime.keys))["ok"] == "1"
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_ok") == 1
    assert not await runtime.store.xlen(runtime.keys("stream", "stories"))
    pattern = "{" + runtime.keys.prefix + "}:*canary-*"
    assert [key async for key in runtime.store.scan_iter(match=pattern)] == []
    runtime.stopping.set()
    await asyncio.gather(*work)


async def test_a_canary_that_stays_away_is_told_with_the_stage_it_waits_for(
    runtime: Runtime,
) -> None:
    """No embedder works (the fault made on purpose): ops hears of it, and where it is stuck."""
    assert not await Canary(runtime, patience=0.0).walk()
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_ok") == 0
    await _beat(runtime)
    told = await Watchdog(runtime).look()
    assert [notice.kind for notice in told] == [Kind.CANARY_LOST]
    assert "waits for the embedder" in told[0].text
    assert any("so does the news" in text for text in await _notices(runtime))


async def test_a_canary_without_sound_vectors_is_not_passed_on(runtime: Runtime) -> None:
    """A model that returns nonsense must not look healthy."""
    story = canary.make_canary("c1", 0.0)
    passage = (Passage(0, "title", story.title, ""),)
    for vectors in (np.zeros((1, 4)), np.full((1, 4), np.nan), np.ones((0, 4))):
        assert canary.onward([EmbeddedStory(story, passage, vectors, "m")], 0.0) == []


async def test_canaries_keep_their_pace_across_processes(
    runtime: Runtime, clock: ManualClock
) -> None:
    """A restart does not send one at once: the pace is counted from the last, whoever sent it."""
    await Canary(runtime, patience=0.0).walk()
    other = Canary(runtime)
    assert not await other._due()
    clock.advance(301)
    assert await other._due()
