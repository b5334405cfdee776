"""The loop of every stream-fed worker: what it says and counts of stories that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from monitor.codec import pack_story, unpack_story
from monitor.config.schema import Config
from monitor.model import Story
from monitor.observability import metrics
from monitor.queue.streams import StreamMessage, StreamQueue
from monitor.store.client import Redis, connect_blocking
from monitor.store.keys import Keys
from tests.support.loglines import logged
from workers.runtime import Runtime
from workers.stage import Stage


async def _fail(items: Sequence[StreamMessage], stories: Sequence[Story]) -> None:
    raise ArithmeticError("it does not add up")


@asynccontextmanager
async def failing_stage(store: Redis, url: str, keys: Keys) -> AsyncIterator[None]:
    """A stage at work in which nothing succeeds."""
    blocking = connect_blocking(url)
    runtime = Runtime(Config(store={"prefix": keys.prefix}), store, url)
    queue = StreamQueue(store, blocking, keys, "stories", "one")
    stage = Stage(runtime, queue, unpack_story, _fail, lambda: (10, 0.01))
    task = asyncio.create_task(stage.run())
    try:
        yield
    finally:
        runtime.stopping.set()
        await task
        await blocking.aclose()


def counted(reason: str) -> float:
    """How many dead letters of the stories' queue were counted for a reason."""
    labels = {"queue": "stories", "reason": reason}
    return metrics.REGISTRY.get_sample_value("wirewatch_dead_letters_total", labels) or 0.0


async def test_what_fails_is_named_by_its_trace_and_counted(
    store: Redis, valkey_url: str, keys: Keys
) -> None:
    """A failed batch names its few stories, a dead letter its one, what is no story none."""
    stream, before = keys("stream", "stories"), (counted("poison"), counted("malformed"))
    for trace in ("aa01", "bb02"):
        await store.xadd(stream, pack_story(Story(id=f"s-{trace}", title="Title", trace=trace)))
    await store.xadd(stream, {"story": b"\xff"})
    with logged() as lines:
        async with failing_stage(store, valkey_url, keys):
            while await store.hlen(keys("dead")) < 3:
                await asyncio.sleep(0.01)
        batch, first, second = lines("batch_failed")
        dead = {line["reason"]: line for line in lines("dead_letter")}
        poisoned = [line["trace"] for line in lines("dead_letter") if line["reason"] == "poison"]
    assert batch["traces"] == ["aa01", "bb02"]
    assert [first["trace"], second["trace"]] == ["aa01", "bb02"]
    assert poisoned == ["aa01", "bb02"]
    assert "trace" not in dead["malformed"]
    assert (counted("poison"), counted("malformed")) == (before[0] + 2, before[1] + 1)


async def test_a_long_batch_is_not_spelled_out(store: Redis, valkey_url: str, keys: Keys) -> None:
    """Nine traces in one line would be noise; each story that fails alone has its own line."""
    stories = [Story(id=f"s{n}", title="Title", trace=f"a{n}") for n in range(9)]
    for story in stories:
        await store.xadd(keys("stream", "stories"), pack_story(story))
    with logged() as lines:
        async with failing_stage(store, valkey_url, keys):
            while await store.hlen(keys("dead")) < 9:
                await asyncio.sleep(0.01)
        batch, *single = lines("batch_failed")
    assert batch["size"] == 9 and not {"trace", "traces"} & set(batch)
    assert [line["trace"] for line in single] == [story.trace for story in stories]
