"""Feeds take turns before the embedder: none delays another, and no story gets lost on the way."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.model import FeedState, Story
from monitor.polling.feed_store import FeedStore
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.poll_decision import PollDecision
from monitor.queue.feed_lanes import IN_STREAM, SHARE, FeedLanes
from monitor.queue.streams import StreamMessage, StreamQueue
from monitor.reasons import FetchReason
from monitor.store.client import connect, connect_blocking
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply


class Line:
    """Pollers that hand stories over, and embedders that read them."""

    def __init__(self, client: Redis, url: str, keys: Keys) -> None:
        self.client, self.keys = client, keys
        self.store, self.lanes = FeedStore(client, keys), FeedLanes(client, keys)
        self.blocking = [connect_blocking(url) for _ in "ab"]
        self.inboxes = [
            StreamQueue(client, blocking, keys, "stories", name, lanes=self.lanes)
            for name, blocking in zip("ab", self.blocking, strict=True)
        ]
        self.versions: dict[str, int] = {}

    async def poll(self, feed: str, *titles: str, baseline: bool = False) -> None:
        """Commit a poll that found these stories."""
        version = self.versions.get(feed, 0)
        stories = tuple(Story(title, title, feed_id=feed, baseline=baseline) for title in titles)
        decision = PollDecision(
            FeedState(feed, "", version=version + 1), FetchReason.OK, stories=stories
        )
        place = HostSlot(feed, "")
        assert await self.store.commit(decision, version, place, now=1.0, spacing=0.0)
        self.versions[feed] = version + 1

    async def read(self, count: int = 64, who: int = 0) -> list[StreamMessage]:
        return await self.inboxes[who].read(count, 0)

    async def finish(self, items: list[StreamMessage]) -> None:
        await apply(self.client, self.inboxes[0].done_commands(items))

    async def close(self) -> None:
        for blocking in self.blocking:
            await blocking.aclose()


def titles(items: list[StreamMessage]) -> list[str]:
    """Return the titles of the stories in these messages."""
    return [json.loads(item.fields[b"story"])["title"] for item in items]


@pytest.fixture
async def line(each_store: Redis, store_url: str, keys: Keys) -> AsyncIterator[Line]:
    """Pollers and embedders on a key space of their own."""
    line = Line(each_store, store_url, keys)
    await line.inboxes[0].ensure()
    yield line
    await line.close()


async def test_one_feeds_bulk_does_not_delay_another(line: Line) -> None:
    """2,000 stories of one feed wait; another's single story is in the very next batch."""
    await line.poll("loud", *(f"l{n}" for n in range(2000)))
    first = await line.read()
    assert len(first) <= 2 * SHARE
    await line.poll("quiet", "news")
    second = await line.read()
    assert "news" in titles(second)
    assert len(second) <= 2 * SHARE
    assert await line.lanes.waiting() >= 2000 - 4 * SHARE


async def test_the_newest_of_a_bulk_go_first_and_a_few_keep_their_order(line: Line) -> None:
    """Stories are handed over oldest first; of a bulk the newest are read first."""
    await line.poll("few", "1", "2", "3")
    assert titles(await line.read()) == ["1", "2", "3"]
    await line.poll("bulk", *(f"{n:02}" for n in range(20)))
    newest, next_ones = range(12, 20), range(4, 12)
    assert titles(await line.read()) == [f"{n:02}" for n in (*newest, *next_ones)]


async def test_news_goes_before_what_was_there_before(line: Line) -> None:
    """A first pass over many feeds does not keep the first news waiting."""
    for n in range(40):
        await line.poll(f"old{n}", *(f"o{n}-{m}" for m in range(20)), baseline=True)
    await line.poll("quiet", "news")
    await line.poll("old7", "news of a feed whose own past still waits")
    read: list[str] = []
    for _ in range(3):
        batch = await line.read()
        read += titles(batch)
        await line.finish(batch)
    assert {"news", "news of a feed whose own past still waits"} <= set(read)


async def test_feeds_in_turn_get_alike(line: Line) -> None:
    """Three bulks are read in step, however they came."""
    for feed, count in (("a", 300), ("b", 60), ("c", 100)):
        await line.poll(feed, *(f"{feed}{n}" for n in range(count)))
    read: list[str] = []
    while len(read) < 150:
        batch = await line.read()
        read += titles(batch)
        await line.finish(batch)
    shares = [sum(title.startswith(feed) for title in read[:150]) for feed in "abc"]
    assert max(shares) - min(shares) <= 2 * SHARE


class LaneMachine(RuleBasedStateMachine):
    """Polls, reads, crashes and ends in any order: each story is in one place, and read once."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.client = connect(self.url)
        self.line = Line(self.client, self.url, Keys(f"m{uuid.uuid4().hex[:10]}"))
        self.published = 0
        self.unread: set[str] = set()
        self.held: dict[str, StreamMessage] = {}
        self.finished = 0
        self.runner.run(self.line.inboxes[0].ensure())

    @rule(feed=st.sampled_from("xyz"), count=st.integers(1, 90), baseline=st.booleans())
    def poll(self, feed: str, count: int, baseline: bool) -> None:
        names = [f"{self.published + n}" for n in range(count)]
        self.published += count
        self.unread |= set(names)
        self.runner.run(self.line.poll(feed, *names, baseline=baseline))

    @precondition(lambda self: self.unread)
    @rule(who=st.integers(0, 1), count=st.integers(1, 64))
    def read(self, who: int, count: int) -> None:
        items = self.runner.run(self.line.read(count, who))
        assert items, "something waits, so something is read"
        for title, item in zip(titles(items), items, strict=True):
            self.unread.remove(title)
            self.held[title] = item

    @precondition(lambda self: self.held)
    @rule(who=st.integers(0, 1))
    def crash_and_reclaim(self, who: int) -> None:
        taken = self.runner.run(self.line.inboxes[who].reclaim(10_000, min_idle=0))
        assert set(titles(taken)) == set(self.held)

    @precondition(lambda self: self.held)
    @rule(count=st.integers(1, 20))
    def finish(self, count: int) -> None:
        names = sorted(self.held)[:count]
        self.runner.run(self.line.finish([self.held.pop(name) for name in names]))
        self.finished += len(names)

    @invariant()
    def everything_is_in_one_place(self) -> None:
        async def look() -> tuple[int, int, int]:
            keys = self.line.keys
            lanes = [await self.client.llen(keys("lane", feed)) for feed in "xyz"]
            stream = await self.client.xlen(keys("stream", "stories"))
            return sum(lanes), await self.line.lanes.waiting(), stream

        in_lanes, counted, in_stream = self.runner.run(look())
        assert in_lanes == counted
        assert in_lanes + in_stream == self.published - self.finished
        assert in_stream - len(self.held) <= IN_STREAM

    def teardown(self) -> None:
        self.runner.run(self.line.close())
        self.runner.run(self.client.aclose())
        self.runner.close()


@pytest.mark.parametrize("which", ["valkey", "redis"])
def test_no_order_of_polls_reads_and_crashes_loses_a_story(
    which: str, request: pytest.FixtureRequest
) -> None:
    """Whatever the order of steps, published = in lanes + in the stream + finished."""
    machine = type("Machine", (LaneMachine,), {"url": request.getfixturevalue(f"{which}_url")})
    test_case = machine.TestCase
    test_case.settings = settings(
        max_examples=12,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    test_case().runTest()
