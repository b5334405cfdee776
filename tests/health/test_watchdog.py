"""The watchdog and the canary on a real store, each catching a fault made on purpose."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.clock import ManualClock
from monitor.codec import pack_embedded, unpack_story
from monitor.config.schema import (
    Config,
    EmbeddingSettings,
    FeedSource,
    OpsSettings,
    StoreSettings,
    TerminalChannel,
    Topic,
)
from monitor.delivery.outbox import OutboxStore
from monitor.health import canary_channel
from monitor.health.canary_store import CanaryStore
from monitor.health.hourly_profile import HourlyProfile
from monitor.health.rules import HealthFinding, Kind
from monitor.model import EmbeddedStory, FeedState, Notification, Passage
from monitor.observability import metrics
from monitor.polling.feed_store import encode_state
from monitor.polling.schedule import record_items
from monitor.stages import PIPELINE
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.lease import Lease
from tests.support.service import Service
from tests.support.waiting import until
from workers.canary import Canary
from workers.embedder import EmbedderWorker
from workers.heartbeat import Heartbeat
from workers.notifier import Notifier
from workers.runtime import Runtime
from workers.watchdog import Watchdog

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
    await store.zadd(keys("due"), {"bbc": clock.now() + 10 * 365 * 86400})
    yield made
    made.stopping.set()


async def _beat(runtime: Runtime, *stages: str) -> None:
    metrics.MODEL_READY.set(1)
    await Heartbeat(runtime, stages or PIPELINE).beat()


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
    state = record_items(
        FeedState("bbc", "https://example.org/rss", started=MONDAY), times, times[-1]
    )
    state = replace(state, last_item=times[-1], last_success=now, polls=9)
    await runtime.store.hset(runtime.keys("feed", "bbc", "state"), items=encode_state(state, None))
    clock.advance(now - clock.now())
    await _beat(runtime)
    told = await Watchdog(runtime).look()
    assert [notice.kind for notice in told] == [Kind.FEED_SILENT]
    assert "48 stories a day and has brought none for 24 hours" in told[0].text


async def _hours(
    watchdog: Watchdog, runtime: Runtime, clock: ManualClock, hours: int, matches: int
) -> list[HealthFinding]:
    """Let hours go by with a look at the topics every ten minutes; return what was found."""
    found = []
    for _ in range(hours):
        await runtime.store.hincrby(runtime.keys("count"), "topic:talks", matches)
        for _ in range(6):
            clock.advance(600)
            found += await watchdog.odd_topics(clock.now())
    return found


async def _topical(watchdog: Watchdog) -> list[Kind]:
    topical = (Kind.TOPIC_QUIET, Kind.TOPIC_BURST)
    return [notice.kind for notice in await watchdog.look() if notice.kind in topical]


@pytest.mark.slow
async def test_a_topic_that_bursts_is_told(runtime: Runtime, clock: ManualClock) -> None:
    """Two matches an hour for ten days, then sixty within one."""
    watchdog = Watchdog(runtime)
    assert await _hours(watchdog, runtime, clock, 240, 2) == []
    await runtime.store.hincrby(runtime.keys("count"), "topic:talks", 60)
    clock.advance(15)
    assert await _topical(watchdog) == [Kind.TOPIC_BURST]


@pytest.mark.slow
async def test_a_topic_that_falls_silent_is_told(runtime: Runtime, clock: ManualClock) -> None:
    """Two matches an hour for eight days, then none for nine hours of looking."""
    watchdog = Watchdog(runtime)
    assert await _hours(watchdog, runtime, clock, 192, 2) == []
    await _hours(watchdog, runtime, clock, 9, 0)
    assert await _topical(watchdog) == [Kind.TOPIC_QUIET]


@pytest.mark.slow
async def test_a_topic_is_not_blamed_for_the_hours_the_service_was_down(
    runtime: Runtime, clock: ManualClock
) -> None:
    """Down for twelve hours, up again with what had piled up: neither silence nor burst is told.

    Nor is the outage learnt as quiet; a silence in the hours after it is told as ever.
    """
    known = await _hours(Watchdog(runtime), runtime, clock, 192, 2)
    assert known == []
    before = await _profile(runtime)
    clock.advance(12 * 3600)
    watchdog = Watchdog(runtime)  # a process started afresh
    assert await _topical(watchdog) == []
    await runtime.store.hincrby(runtime.keys("count"), "topic:talks", 24)
    clock.advance(15)
    assert await _topical(watchdog) == []
    after = await _profile(runtime)
    assert (after.counts, after.hours) == (before.counts, before.hours)
    assert await _hours(watchdog, runtime, clock, 3, 2) == []
    await _hours(watchdog, runtime, clock, 9, 0)
    assert await _topical(watchdog) == [Kind.TOPIC_QUIET]


async def _profile(runtime: Runtime) -> HourlyProfile:
    row = await runtime.store.hget(runtime.keys("watch", "topics"), "talks")
    return HourlyProfile.from_json(json.loads(row or b"{}")["profile"])


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


@pytest.mark.slow
async def test_a_model_that_cannot_be_loaded_is_told_with_its_reason(
    runtime: Runtime, clock: ManualClock, tmp_path: Path
) -> None:
    """A real embedder ends for want of its model; ops hears why, though none is running.

    A sound one takes the word back.
    """
    service = Service(tmp_path)
    settings = {"url": runtime.store_url, "prefix": runtime.keys.prefix}
    gone = str(tmp_path / "gone")
    service.configure({}, store=settings, embedding={"model": gone})
    code, said = await service.ask("run", "--only", "embedder")
    assert code == 2, said
    clock.advance(time.time() - clock.now())  # the process has looked as well, by its own clock
    watchdog, told = Watchdog(runtime), []
    for _ in range(10):
        await _beat(runtime, "poller", "triage", "notifier")
        told += await watchdog.look()
        clock.advance(15)
    assert [notice.kind for notice in told] == [Kind.MODEL_MISSING]
    assert gone in told[0].text
    assert any(gone in text for text in await _notices(runtime))
    fault = runtime.keys("fault", "embedder")
    assert 300_000 < await runtime.store.pttl(fault) <= 600_000
    sound = EmbeddingSettings(model="hashing")
    runtime.config = runtime.config.model_copy(update={"embedding": sound})
    embedder = asyncio.create_task(EmbedderWorker(runtime).run())
    await until(lambda: runtime.store.exists(runtime.keys("model")))
    assert not await runtime.store.exists(fault)
    runtime.stopping.set()
    await embedder


async def test_only_one_process_watches(runtime: Runtime) -> None:
    """The lease: a second watchdog stands by and says nothing."""
    first, second = Watchdog(runtime), Watchdog(runtime)
    assert await first.lease.take()
    assert not await second.lease.take()


# --- figures that one process measures for all


def _gauges() -> dict[tuple[str, str], float]:
    """Return every gauge that this process exports, by name and labels."""
    return {
        (sample.name, str(sample.labels)): sample.value
        for family in metrics.REGISTRY.collect()
        if family.type == "gauge" and family.name.startswith("wirewatch_")
        for sample in family.samples
    }


async def _trouble_for_every_gauge(runtime: Runtime, now: float) -> None:
    """Leave something in the store for each figure of the watchdog's to be more than 0."""
    store, keys = runtime.store, runtime.keys
    for queue in ("stories", "vectors"):
        await store.xadd(keys("stream", queue), {"story": "{}"}, id="1-1")
        await store.xgroup_create(keys("stream", queue), "g", id="0")
    await store.hset(keys("dead"), mapping={"a": "{}", "b": "{}"})
    await store.zadd(keys("due"), {"bbc": now - 5})
    note = Notification("n", "desk", kind="notice", notice="x", created_at=now - 9, due=now - 9)
    await OutboxStore(store, keys).put([note])
    await _beat(runtime)


@pytest.mark.parametrize("how", ["taken over", "cut off"])
async def test_who_watches_no_longer_shows_no_figures(
    runtime: Runtime, clock: ManualClock, how: str
) -> None:
    """After the lease moved, or when the store cannot be asked for longer than it lasts.

    Whatever a look has set is as it was before it: otherwise an alert by `max` would stay for ever.
    """
    await _beat(runtime)
    watchdog = Watchdog(runtime)
    await watchdog.turn()
    await runtime.store.delete(runtime.keys("lease", "watchdog"))
    other = Lease(runtime.store, runtime.keys("lease", "watchdog"), seconds=3600.0)
    assert await other.take()
    await watchdog.turn()
    before = _gauges()
    await other.drop()
    await _trouble_for_every_gauge(runtime, clock.now())
    await watchdog.turn()
    assert metrics.REGISTRY.get_sample_value("wirewatch_dead_letters_waiting") == 2
    assert metrics.REGISTRY.get_sample_value("wirewatch_feeds_due") == 1
    assert len(_gauges()) > len(before) + 10
    if how == "taken over":
        await runtime.store.delete(runtime.keys("lease", "watchdog"))
        assert await other.take()
    else:
        runtime.store = watchdog.lease.client = connect("unix:///nowhere")
        await watchdog.turn()
        assert _gauges() != before, "the lease is ours still: one failure is nothing"
        clock.advance(60)
    await watchdog.turn()
    assert _gauges() == before


async def test_who_watches_again_counts_the_feeds_at_once(
    runtime: Runtime, clock: ManualClock
) -> None:
    """Feeds are counted every five minutes only; after a pause nobody waits for so long."""
    watchdog = Watchdog(runtime)
    await watchdog.turn()
    other = Lease(runtime.store, runtime.keys("lease", "watchdog"))
    await runtime.store.delete(other.key)
    assert await other.take()
    await watchdog.turn()
    await other.drop()
    clock.advance(15)
    await watchdog.turn()
    assert metrics.REGISTRY.get_sample_value("wirewatch_feeds", {"health": "new"}) == 1


async def test_a_channel_taken_out_of_the_configuration_has_no_figure(runtime: Runtime) -> None:
    """What waited for it when it was there would be reported as late for ever."""
    watchdog = Watchdog(runtime)
    await _trouble_for_every_gauge(runtime, runtime.clock.now())
    await watchdog.look()
    waiting = {"channel": "desk"}
    assert metrics.REGISTRY.get_sample_value("wirewatch_outbox_waiting", waiting) == 1
    runtime.config = runtime.config.model_copy(update={"channels": {}})
    await watchdog.look()
    assert metrics.REGISTRY.get_sample_value("wirewatch_outbox_waiting", waiting) is None


# --- the canary


async def _embed_and_triage(runtime: Runtime) -> None:
    """Stand in for embedder and triage: vectors are made, canaries are passed on."""
    stream = runtime.keys("stream", "stories")
    while not runtime.stopping.is_set():
        for entry, fields in await runtime.store.xrange(stream, count=1):
            story = unpack_story(fields)
            vectors = np.ones((1, 4), dtype=np.float32) / 2
            item = EmbeddedStory(story, (Passage(0, "title", story.title, ""),), vectors, "m")
            assert canary_channel.is_canary(story)
            assert pack_embedded(item)
            onward = canary_channel.onward([item], runtime.clock.now())
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
    assert (await CanaryStore(runtime.store, runtime.keys).last())["ok"] == "1"
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_ok") == 1
    assert not await runtime.store.xlen(runtime.keys("stream", "stories"))
    pattern = "{" + runtime.keys.prefix + "}:*canary-*"
    assert [key async for key in runtime.store.scan_iter(match=pattern)] == []
    runtime.stopping.set()
    await asyncio.gather(*work)


async def test_the_canary_is_shown_by_who_sends_it_alone(
    runtime: Runtime, clock: ManualClock
) -> None:
    """The holder shows the last one, whoever sent it; who lost the lease shows none.

    Otherwise a figure from before would hide that later ones are lost.
    """
    row = {"sent": repr(clock.now() - 5), "ok": "1", "lost": "0", "seconds": "2.5"}
    await runtime.store.hset(runtime.keys("watch", "canary"), mapping=row)
    walker = Canary(runtime)
    await walker.turn()
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_ok") == 1
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_seconds") == 2.5
    other = Lease(runtime.store, runtime.keys("lease", "canary"))
    await runtime.store.delete(other.key)
    assert await other.take()
    await walker.turn()
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_ok") == 0
    await other.drop()
    await walker.turn()
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_ok") == 1
    walker.lease.client = connect("unix:///nowhere")
    await walker.turn()
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_ok") == 1
    clock.advance(60)
    await walker.turn()
    assert metrics.REGISTRY.get_sample_value("wirewatch_canary_ok") == 0


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
    story = canary_channel.make_canary("c1", 0.0)
    passage = (Passage(0, "title", story.title, ""),)
    for vectors in (np.zeros((1, 4)), np.full((1, 4), np.nan), np.ones((0, 4))):
        assert canary_channel.onward([EmbeddedStory(story, passage, vectors, "m")], 0.0) == []


async def test_canaries_keep_their_pace_across_processes(
    runtime: Runtime, clock: ManualClock
) -> None:
    """A restart does not send one at once: the pace is counted from the last, whoever sent it."""
    await Canary(runtime, patience=0.0).walk()
    other = Canary(runtime)
    assert not await other.due()
    clock.advance(301)
    assert await other.due()
