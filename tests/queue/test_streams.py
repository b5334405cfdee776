"""The queue between stages, on real stores: what is published is worked on, or still there."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.observability import metrics
from monitor.queue.streams import StreamMessage, StreamQueue
from monitor.reasons import DeadLetterReason
from monitor.store.client import connect, connect_blocking
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply


def queue(client: Redis, url: str, keys: Keys, consumer: str = "a") -> StreamQueue:
    """A queue of the given consumer, with a blocking client of its own."""
    return StreamQueue(client, connect_blocking(url), keys, "stories", consumer, lease=5)


async def publish(client: Redis, keys: Keys, *bodies: str) -> None:
    """Write messages as the stage before would."""
    for body in bodies:
        await client.xadd(keys("stream", "stories"), {"story": body})


async def finish(client: Redis, inbox: StreamQueue, items: list[StreamMessage]) -> None:
    """Acknowledge items as a hand-off does."""
    await apply(client, inbox.done_commands(items))


def counted(name: str, **labels: str) -> float:
    """A counter of the service as it stands."""
    return metrics.REGISTRY.get_sample_value(f"wirewatch_{name}_total", labels) or 0.0


def bodies(items: list[StreamMessage]) -> list[str]:
    """What the items carry."""
    return [item.fields[b"story"].decode() for item in items]


async def test_a_batch_gathers_what_comes_while_it_lingers(
    each_store: Redis, store_url: str, keys: Keys
) -> None:
    """A read that has its first message still takes those that follow within the linger."""
    inbox = queue(each_store, store_url, keys)
    await inbox.ensure()
    reading = asyncio.create_task(inbox.read(3, linger=5))
    await publish(each_store, keys, "1", "2", "3")
    assert bodies(await reading) == ["1", "2", "3"]


async def test_messages_written_before_the_first_worker_are_read(
    each_store: Redis, store_url: str, keys: Keys
) -> None:
    """The group starts at the beginning of the stream, so early messages are not skipped."""
    await publish(each_store, keys, "early")
    inbox = queue(each_store, store_url, keys)
    await inbox.ensure()
    assert bodies(await inbox.read(1, 0)) == ["early"]


async def test_a_vanished_group_is_made_again_and_loses_nothing(
    each_store: Redis, store_url: str, keys: Keys
) -> None:
    """After NOGROUP (a store restored without groups) the next read finds every message."""
    inbox = queue(each_store, store_url, keys)
    await inbox.ensure()
    await publish(each_store, keys, "kept")
    await each_store.xgroup_destroy(inbox.key, inbox.group)
    assert await inbox.read(1, 0) == []
    assert bodies(await inbox.read(1, 0)) == ["kept"]


async def test_a_dead_workers_items_are_taken_over_and_counted(
    each_store: Redis, store_url: str, keys: Keys
) -> None:
    """Items read by a worker that died go to the next, and the delivery count tells of it."""
    first, second = (queue(each_store, store_url, keys, name) for name in "ab")
    await first.ensure()
    await publish(each_store, keys, "x", "y")
    await first.read(2, 0)
    before = counted("queue_reclaimed", queue="stories")
    assert await second.reclaim(10) == [], "the lease has not run out"
    taken = await second.reclaim(10, min_idle=0)
    assert bodies(taken) == ["x", "y"]
    assert [item.deliveries for item in taken] == [2, 2]
    assert counted("queue_reclaimed", queue="stories") == before + 2


async def test_renewing_a_lease_does_not_raise_the_crash_counter(
    each_store: Redis, store_url: str, keys: Keys
) -> None:
    """A slow batch that keeps its lease is not mistaken for one that crashes its worker."""
    inbox = queue(each_store, store_url, keys)
    inbox.lease = 0.1
    await inbox.ensure()
    await publish(each_store, keys, "slow")
    items = await inbox.read(1, 0)
    async with inbox.leased(items):
        renewed = 0
        while renewed < 3:  # XCLAIM resets the idle time: seen falling, it has been renewed
            first = await _pending(each_store, inbox)
            await asyncio.sleep(0)
            second = await _pending(each_store, inbox)
            renewed += second["time_since_delivered"] < first["time_since_delivered"]
    assert (await _pending(each_store, inbox))["times_delivered"] == 1


async def _pending(client: Redis, inbox: StreamQueue) -> dict[str, int]:
    return (await client.xpending_range(inbox.key, inbox.group, "-", "+", 1))[0]


async def test_finished_items_leave_the_stream_empty(
    each_store: Redis, store_url: str, keys: Keys
) -> None:
    """Acknowledging deletes as well, so the stream's length is the backlog."""
    inbox = queue(each_store, store_url, keys)
    await inbox.ensure()
    await publish(each_store, keys, "1", "2")
    await finish(each_store, inbox, await inbox.read(2, 0.01))
    assert await each_store.xlen(inbox.key) == 0
    assert await inbox.reclaim(10, min_idle=0) == []


async def test_a_dead_letter_is_kept_whole_with_its_reason(
    each_store: Redis, store_url: str, keys: Keys
) -> None:
    """A dead letter leaves the stream in the same step in which it is stored."""
    inbox = queue(each_store, store_url, keys)
    await inbox.ensure()
    await publish(each_store, keys, "poison")
    (item,) = await inbox.read(1, 0)
    before = counted("dead_letters", queue="stories", reason="poison")
    await inbox.dead_letter(item, DeadLetterReason.POISON, "it bites")
    assert counted("dead_letters", queue="stories", reason="poison") == before + 1
    letters = await each_store.hgetall(keys("dead"))
    assert len(letters) == 1
    (letter,) = letters.values()
    assert b'"reason": "poison"' in letter
    assert b"poison".hex().encode() in letter
    assert await each_store.xlen(inbox.key) == 0


class QueueMachine(RuleBasedStateMachine):
    """Publish, read, crash, reclaim, finish in any order: nothing is lost, nothing comes back."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.client = connect(self.url)
        self.keys = Keys(f"m{uuid.uuid4().hex[:10]}")
        self.blocking = [connect_blocking(self.url) for _ in "ab"]
        self.inboxes = [
            StreamQueue(self.client, blocking, self.keys, "stories", name, lease=5)
            for name, blocking in zip("ab", self.blocking, strict=True)
        ]
        self.published = 0
        self.unread: set[str] = set()
        self.held: dict[str, StreamMessage] = {}
        self.finished: set[str] = set()
        self.run(self.inboxes[0].ensure())

    def run(self, coroutine):
        return self.runner.run(coroutine)

    @rule(count=st.integers(1, 4))
    def publish(self, count: int) -> None:
        names = [str(self.published + n) for n in range(count)]
        self.published += count
        self.unread |= set(names)
        self.run(publish(self.client, self.keys, *names))

    @precondition(lambda self: self.unread)
    @rule(who=st.integers(0, 1), count=st.integers(1, 5))
    def read(self, who: int, count: int) -> None:
        self.take(self.run(self.inboxes[who].read(count, 0)), self.unread)

    @precondition(lambda self: self.held)
    @rule(who=st.integers(0, 1))
    def crash_and_reclaim(self, who: int) -> None:
        before = set(self.held)
        taken = self.run(self.inboxes[who].reclaim(100, min_idle=0))
        assert set(bodies(taken)) == before
        for item in taken:
            self.held[item.fields[b"story"].decode()] = item

    @precondition(lambda self: self.held)
    @rule(count=st.integers(1, 3))
    def finish(self, count: int) -> None:
        names = sorted(self.held)[:count]
        self.run(finish(self.client, self.inboxes[0], [self.held.pop(n) for n in names]))
        self.finished |= set(names)

    def take(self, items: list[StreamMessage], expected: set[str]) -> None:
        for item in items:
            name = item.fields[b"story"].decode()
            assert name in expected
            self.unread.discard(name)
            self.held[name] = item

    @invariant()
    def everything_is_somewhere(self) -> None:
        backlog = self.run(self.client.xlen(self.inboxes[0].key))
        assert backlog == len(self.unread) + len(self.held)
        assert backlog + len(self.finished) == self.published

    def teardown(self) -> None:
        for blocking in self.blocking:
            self.run(blocking.aclose())
        self.run(self.client.aclose())
        self.runner.close()


@pytest.mark.parametrize("which", ["valkey", "redis"])
def test_no_order_of_reads_crashes_and_acks_loses_a_message(
    which: str, request: pytest.FixtureRequest
) -> None:
    """Whatever the order of steps, published = waiting + held + finished, and each comes once."""
    machine = type("Machine", (QueueMachine,), {"url": request.getfixturevalue(f"{which}_url")})
    run = settings(
        max_examples=15,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    test_case = machine.TestCase
    test_case.settings = run
    test_case().runTest()
