"""The embedder on a real store with the real model: it works, stops at once, and works again."""

from __future__ import annotations

import asyncio
import threading

import pytest

from monitor.clock import ManualClock
from monitor.codec import pack_story, unpack_embedded
from monitor.config.schema import Config, StoreSettings, Topic
from monitor.matching.judge_text import fingerprint
from monitor.model import Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.json_standin import JsonStandin, chat
from tests.support.waiting import until
from workers.embedder import EmbedderWorker
from workers.runtime import Runtime

pytestmark = pytest.mark.slow


async def _embeds(worker: EmbedderWorker, runtime: Runtime, number: int) -> None:
    """Run the worker until it has handed over one more story, then have it stop."""
    store, keys = runtime.store, runtime.keys
    story = Story(id=f"s{number}", title="Ferry sinks", published=1.0, seen_at=1.0)
    await store.xadd(keys("stream", "stories"), dict(pack_story(story)))
    task = asyncio.create_task(worker.run())

    async def embedded() -> bool:
        return await store.xlen(keys("stream", "vectors")) >= number

    def still_runs() -> None:
        assert not task.done(), task.exception()

    await until(embedded, alive=still_runs)
    runtime.stopping.set()
    await task


async def test_an_embedder_that_ended_can_be_run_again(
    store: Redis, keys: Keys, valkey_url: str, clock: ManualClock
) -> None:
    """After its run ended, for whatever reason, the same worker embeds again when run again."""
    config = Config(store=StoreSettings(prefix=keys.prefix))
    runtime = Runtime(config, store, valkey_url, clock)
    worker = EmbedderWorker(runtime)
    await _embeds(worker, runtime, 1)
    runtime.stopping.clear()
    await _embeds(worker, runtime, 2)


async def test_a_stop_while_the_model_loads_waits_for_nothing(
    store: Redis, keys: Keys, valkey_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading took longer than a stop may: the process was called stalled and ended by force."""
    begun, go_on = threading.Event(), threading.Event()

    def load(settings: object) -> None:
        begun.set()
        go_on.wait()

    monkeypatch.setattr("workers.embedder.open_embedder", load)
    runtime = Runtime(Config(store=StoreSettings(prefix=keys.prefix)), store, valkey_url, clock)
    task = asyncio.create_task(EmbedderWorker(runtime).run())
    try:
        assert await asyncio.to_thread(begun.wait, 20.0)
        runtime.stopping.set()
        await asyncio.wait_for(task, 5.0)
    finally:
        go_on.set()


async def test_stories_carry_the_judges_answers_for_the_topics_in_force(
    store: Redis, keys: Keys, valkey_url: str, clock: ManualClock
) -> None:
    """What is handed over was read for the topic; after an edit, for the topic as it is then."""
    topic = Topic(id="ferries", name="Ferry accidents", description="Ferries that sink or burn.")
    edited = topic.model_copy(update={"description": "Ferries and other ships that sink."})
    config = Config(store=StoreSettings(prefix=keys.prefix), topics=(topic,))
    runtime = Runtime(config, store, valkey_url, clock)
    worker = EmbedderWorker(runtime)
    await _embeds(worker, runtime, 1)
    runtime.stopping.clear()
    await runtime.reload(config.model_copy(update={"topics": (edited,)}))
    await _embeds(worker, runtime, 2)
    rows = await store.xrange(keys("stream", "vectors"))
    first, second = (unpack_embedded(fields) for _, fields in rows)
    assert first.judged and list(first.judged.answers) == [fingerprint(topic)]
    assert second.judged and list(second.judged.answers) == [fingerprint(edited)]
    assert len(first.levels) == 4  # the topic may take it, so it was read for how grave it is


async def test_a_desks_own_language_model_is_asked_where_the_judge_runs(
    store: Redis, keys: Keys, valkey_url: str, clock: ManualClock
) -> None:
    """A match that the model says no to is handed over with that, and the topic no longer fires."""
    topic = Topic(id="ferries", name="Ferry accidents", description="Ferries that sink or burn.")
    answer = chat('{"belongs": false, "why": "An exercise."}')
    async with JsonStandin(lambda *_: answer) as service:
        settings = {"url": service.url, "near": 0.5}
        data = {"store": {"prefix": keys.prefix}, "topics": [topic], "language_model": settings}
        runtime = Runtime(Config.model_validate(data), store, valkey_url, clock)
        await _embeds(EmbedderWorker(runtime), runtime, 1)
        assert len(service.asked) == 1
    [(_, fields)] = await store.xrange(keys("stream", "vectors"))
    judged = unpack_embedded(fields).judged
    assert judged and judged.second == {fingerprint(topic): (False, "An exercise.")}
