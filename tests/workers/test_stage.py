"""The loop of every stream-fed worker: whose fault a failure is decides what becomes of a story."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from redis.exceptions import ResponseError

from monitor.codec import pack_story, unpack_story
from monitor.config.schema import Config
from monitor.model import Story
from monitor.observability import metrics
from monitor.queue.streams import StreamMessage, StreamQueue
from monitor.store.client import connect_blocking
from monitor.store.commands import Redis
from monitor.store.faults import is_store_fault
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from tests.support.loglines import logged
from tests.support.waiting import until
from workers import stage as stage_module
from workers.runtime import Runtime
from workers.stage import Stage, Tool

pytestmark = pytest.mark.slow

LEASE = 0.6  # 20 s in service


@dataclass(slots=True)
class Bench(Tool):
    """A stage at work: what fails is decided by `fails`, what it did is in `done`."""

    store: Redis
    keys: Keys
    queue: StreamQueue
    fails: Callable[[Sequence[str]], BaseException | None] = lambda names: None
    sound: bool | None = None
    done: list[str] = field(default_factory=list)
    tried: list[tuple[str, ...]] = field(default_factory=list)
    rests: list[str] = field(default_factory=list)

    async def works(self) -> bool | None:
        return self.sound

    async def resting(self, error: str) -> None:
        self.rests.append(error)

    async def work(self, items: Sequence[StreamMessage], stories: Sequence[Story]) -> None:
        names = tuple(story.id for story in stories)
        self.tried.append(names)
        if (error := self.fails(names)) is not None:
            raise error
        await apply(self.store, self.queue.done_commands(items))
        self.done += names

    async def put(self, *names: str) -> None:
        for name in names:
            story = pack_story(Story(id=name, title="Title", trace=f"t-{name}"))
            await self.store.xadd(self.queue.key, story)

    async def dead(self) -> int:
        return int(await self.store.hlen(self.keys("dead")))


@asynccontextmanager
async def at_work(store: Redis, url: str, keys: Keys, name: str = "one") -> AsyncIterator[Bench]:
    """A stage that runs while the block does, with short times."""
    blocking = connect_blocking(url)
    runtime = Runtime(Config(store={"prefix": keys.prefix}), store, url)
    queue = StreamQueue(store, blocking, keys, "stories", name, lease=LEASE)
    bench = Bench(store, keys, queue)
    stage = Stage(runtime, queue, unpack_story, bench.work, lambda: (10, 0.05), tool=bench)
    task = asyncio.create_task(stage.run())
    try:
        yield bench
    finally:
        runtime.stopping.set()
        await task
        await blocking.aclose()


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds in service takes a moment here."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "FIRST_REST", "LONGEST_REST"):
        monkeypatch.setattr(stage_module, name, 0.05)


def counted(reason: str) -> float:
    """How many dead letters of the stories' queue were counted for a reason."""
    labels = {"queue": "stories", "reason": reason}
    return metrics.REGISTRY.get_sample_value("wirewatch_dead_letters_total", labels) or 0.0


async def test_a_story_that_fails_beside_others_is_a_dead_letter_after_three_tries(
    store: Redis, valkey_url: str, keys: Keys
) -> None:
    """It is named by its trace and counted, with its error; the stories beside it lose nothing."""
    before = counted("poison")
    with logged() as lines:
        async with at_work(store, valkey_url, keys) as bench:
            bench.fails = lambda names: ArithmeticError("no sum") if "bad" in names else None
            await bench.put("good-1", "bad", "good-2")
            await until(lambda: len(bench.done) == 2)
            number = 2
            while not await bench.dead():
                number += 1
                await bench.put(f"good-{number}")
                await until(lambda wanted=number: len(bench.done) == wanted)
        (letter,) = lines("dead_letter")
    assert (letter["reason"], letter["trace"]) == ("poison", "t-bad")
    assert sum(names == ("bad",) for names in bench.tried) == 3
    assert counted("poison") == before + 1


async def test_what_is_no_story_is_a_dead_letter_at_once(
    store: Redis, valkey_url: str, keys: Keys
) -> None:
    """It has no trace, and is counted as malformed."""
    before = counted("malformed")
    await store.xadd(keys("stream", "stories"), {"story": b"\xff"})
    with logged() as lines:
        async with at_work(store, valkey_url, keys):
            await until(lambda: counted("malformed") == before + 1)
        (letter,) = lines("dead_letter")
    assert "trace" not in letter


async def test_when_everything_fails_the_stage_rests_and_every_story_waits(
    store: Redis, valkey_url: str, keys: Keys
) -> None:
    """The model's failure is not the stories': it is said once by name, and all are done later."""
    names = [f"s{n}" for n in range(25)]
    with logged() as lines:
        async with at_work(store, valkey_url, keys) as bench:
            bench.sound = False
            bench.fails = lambda names: MemoryError("no memory")
            await bench.put(*names)
            await until(lambda: len(bench.rests) > 8)
            assert await bench.dead() == 0
            assert set(bench.rests) == {"no memory"}
            bench.sound, bench.fails = True, lambda names: None
            await until(lambda: set(bench.done) == set(names))
        (first,) = [line for line in lines("stage_rests") if line["level"] == "error"]
    assert first["reason"] == "work_fails"
    assert bench.rests[-1] == "", "nobody was told that it works again"
    assert sorted(bench.done) == sorted(names), "a story was done twice"


async def test_without_a_probe_several_failures_in_a_row_are_the_works_own(
    store: Redis, valkey_url: str, keys: Keys
) -> None:
    """Triage cannot be tried on something known to work; it suspects itself after three stories."""
    async with at_work(store, valkey_url, keys) as bench:
        bench.fails = lambda names: ArithmeticError("no sum")
        await bench.put("a", "b", "c", "d")
        await until(lambda: len(bench.rests) > 3)
        assert await bench.dead() == 0
        bench.fails = lambda names: None
        await until(lambda: sorted(bench.done) == ["a", "b", "c", "d"])


@pytest.mark.parametrize(
    "fault",
    [
        ResponseError("OOM command not allowed when used memory > 'maxmemory'. script: x"),
        ResponseError("MISCONF Valkey is configured to save, but cannot"),
        ResponseError("READONLY You can't write against a read only replica."),
        ConnectionResetError("gone"),
    ],
    ids=lambda error: str(error).split()[0],
)
async def test_the_stores_failures_are_never_a_storys(
    store: Redis, valkey_url: str, keys: Keys, fault: Exception
) -> None:
    """However often the hand-off fails for the store's sake, the story waits and is done once."""
    assert is_store_fault(fault)
    async with at_work(store, valkey_url, keys) as bench:
        bench.fails = lambda names: fault
        await bench.put("a", "b")
        await until(lambda: len(bench.tried) > 30)
        assert await bench.dead() == 0
        (row, *_) = await store.xpending_range(bench.queue.key, bench.queue.group, "-", "+", 1)
        assert row["times_delivered"] == 1, "the store's failure was counted as a crash"
        bench.fails = lambda names: None
        await until(lambda: sorted(bench.done) == ["a", "b"])


async def test_a_stop_with_work_in_hand_is_no_crash(
    store: Redis, valkey_url: str, keys: Keys
) -> None:
    """Seven restarts while the store is full make no dead letter of what was in hand."""
    full = ResponseError("OOM command not allowed when used memory > 'maxmemory'.")
    for turn in range(7):
        async with at_work(store, valkey_url, keys, f"w{turn}") as bench:
            bench.fails = lambda names: full
            if turn == 0:
                await bench.put("a")
            await until(lambda: len(bench.tried) > 0)
    async with at_work(store, valkey_url, keys, "last") as bench:
        await until(lambda: bench.done == ["a"])
        assert await bench.dead() == 0


async def test_a_long_batch_is_not_spelled_out(store: Redis, valkey_url: str, keys: Keys) -> None:
    """Nine traces in one line would be noise; each story that fails alone has its own line."""
    for n in range(9):
        story = pack_story(Story(id=f"s{n}", title="Title", trace=f"t-s{n}"))
        await store.xadd(keys("stream", "stories"), story)
    with logged() as lines:
        async with at_work(store, valkey_url, keys) as bench:
            bench.sound = True
            bench.fails = lambda names: ArithmeticError("no sum")
            await until(lambda: len(bench.tried) >= 10)
        found = lines("batch_failed")
    batch = next(line for line in found if line["size"] == 9)
    single = [line["trace"] for line in found if line["size"] == 1][:9]
    assert not {"trace", "traces"} & set(batch)
    assert single == [f"t-s{n}" for n in range(9)]
