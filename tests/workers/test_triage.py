"""Triage on a real store with the real model: what is told, once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

from monitor.alerting.feedback_store import FeedbackStore, Verdict
from monitor.analysis.text_archive import ModelInfo, TextVectors
from monitor.clock import ManualClock
from monitor.codec import pack_embedded
from monitor.config.schema import Config, Topic
from monitor.embedding import embed_stories
from monitor.embedding.hashing import HashingEmbedder
from monitor.embedding.transformer import TransformerEmbedder
from monitor.history.history_store import HistoryStore
from monitor.history.search import Query
from monitor.matching import texts
from monitor.matching.background_sentences import SENTENCES
from monitor.model import Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.waiting import until
from workers.runtime import Runtime
from workers.triage import Triage

ENERGY = Topic(
    id="energy",
    name="Energy infrastructure strikes",
    description="Attacks by drones or missiles on power plants, grids and refineries.",
    examples=("Missiles damage a power plant and leave a city without electricity",),
)
STRIKE = "Drones strike two power stations near Odesa, 200,000 homes dark"


@pytest.fixture(scope="module")
def model() -> TransformerEmbedder:
    """The real default model."""
    return TransformerEmbedder()


def story(number: int, title: str, *, source: str = "Wire", **more: object) -> Story:
    """A story as the poller hands it over."""
    at = ManualClock().now()
    return Story(id=f"s{number}", title=title, source=source, published=at, seen_at=at, **more)  # type: ignore[arg-type]


class Desk:
    """A triage process's surroundings: the store, the embedder's part, and what came out."""

    def __init__(self, store: Redis, url: str, keys: Keys, model: TransformerEmbedder) -> None:
        self.store, self.url, self.keys, self.model = store, url, keys, model
        self.clock = ManualClock()
        self.config = Config(store={"prefix": keys.prefix}, topics=(ENERGY,))

    async def prepare(self) -> None:
        """Do what an embedder does at its start."""
        cache = TextVectors(self.store, self.keys)
        info = ModelInfo(self.model.fingerprint, self.model.dimension)
        phrases = texts(self.config.topics)
        await cache.put(info, dict(zip(phrases, self.model.encode(phrases), strict=True)))
        await cache.announce(info)

    async def embed(self, phrases: Sequence[str]) -> None:
        """Answer what triage will want embedded."""
        info = ModelInfo(self.model.fingerprint, self.model.dimension)
        vectors = dict(zip(phrases, self.model.encode(list(phrases)), strict=True))
        await TextVectors(self.store, self.keys).put(info, vectors)

    async def publish(self, *stories: Story) -> None:
        """Hand over embedded stories as the embedder does."""
        for item in embed_stories(self.model, stories, 24):
            await self.store.xadd(self.keys("stream", "vectors"), pack_embedded(item))

    @asynccontextmanager
    async def triage(self, worker: str = "one") -> AsyncIterator[Triage]:
        """A running triage worker; leaving the block stops it cleanly."""
        runtime = Runtime(self.config, self.store, self.url, clock=self.clock, worker_id=worker)
        worker_ = Triage(runtime)
        task = asyncio.create_task(worker_.run())
        try:
            yield worker_
        finally:
            runtime.stopping.set()
            await task

    async def settled(self, count: int) -> None:
        """Wait until `count` stories have been decided."""
        await until(lambda: self._decided(count))

    async def _decided(self, count: int) -> bool:
        done = await self.store.hget(self.keys("count"), "stories")
        return int(done or 0) >= count and not await self.store.xlen(self.keys("stream", "vectors"))

    async def outbox(self) -> list[dict[str, object]]:
        """What waits to be sent, in order of due time."""
        ids = await self.store.zrange(self.keys("outbox", "terminal"), 0, -1)
        rows = [await self.store.hget(self.keys("notification", i.decode()), "json") for i in ids]
        return [json.loads(row) for row in rows]

    async def reasons(self) -> list[str]:
        """Why each waiting notification was decided."""
        return sorted(str(row["alert"]["reason"]) for row in await self.outbox())  # type: ignore[index]


@pytest.fixture
async def desk(store: Redis, valkey_url: str, keys: Keys, model: TransformerEmbedder) -> Desk:
    """A prepared desk on a key space of its own."""
    desk = Desk(store, valkey_url, keys, model)
    await desk.prepare()
    return desk


async def test_a_happening_is_told_once_and_its_copy_held_back(desk: Desk) -> None:
    """One alert for the first report; the same text under another masthead adds nothing."""
    async with desk.triage():
        await desk.publish(story(1, STRIKE), story(2, STRIKE, source="Post"))
        await desk.publish(story(3, "Ferry timetable changes from Monday"))
        await desk.settled(3)
    assert await desk.reasons() == ["first"]
    decision = json.loads(await desk.store.hget(desk.keys("story", "s2"), "decision"))
    assert decision["copy_of"] == "s1"
    assert decision["suppressions"][0]["reason"] == "copy"


async def test_a_story_fed_twice_changes_nothing(desk: Desk) -> None:
    """A hand-over repeated after an unknown outcome is recognised by the story's id."""
    async with desk.triage():
        await desk.publish(story(1, STRIKE))
        await desk.settled(1)
        before = await desk.store.hgetall(desk.keys("story", "s1"))
        await desk.publish(story(1, STRIKE), story(1, STRIKE))
        await until(lambda: _empty(desk))
        assert await desk.store.hgetall(desk.keys("story", "s1")) == before
    assert len(await desk.outbox()) == 1


async def test_the_history_is_written_with_the_decision(desk: Desk) -> None:
    """An alert, its story and a note for open pages are kept in the step that decides it."""
    async with desk.triage():
        await desk.publish(story(1, STRIKE), story(2, STRIKE, source="Post"))
        await desk.publish(story(3, "Ferry timetable changes from Monday"))
        await desk.settled(3)
    history = HistoryStore(desk.store, desk.keys)
    (kept,) = (await history.search(Query())).alerts
    event = await history.event(kept.event)
    assert event is not None and (kept.story, kept.topic) == ("s1", "energy")
    assert [(one.id, one.copy_of) for one in event.stories] == [("s1", ""), ("s2", "s1")]
    live = await desk.store.xrange(desk.keys("stream", "desk"))
    assert [fields[b"alert"].decode() for _, fields in live] == [kept.id]


async def _empty(desk: Desk) -> bool:
    return not await desk.store.xlen(desk.keys("stream", "vectors"))


async def test_what_was_told_is_remembered_over_a_restart(desk: Desk) -> None:
    """A fresh process rebuilds window and told state: a copy that comes later stays a copy."""
    async with desk.triage("one"):
        await desk.publish(story(1, STRIKE))
        await desk.settled(1)
    async with desk.triage("two"):
        await desk.publish(story(2, STRIKE, source="Post"))
        await desk.settled(2)
    assert await desk.reasons() == ["first"]


async def test_a_second_independent_source_joins_the_first_alert(desk: Desk) -> None:
    """Corroboration is an update that points at the first alert, not a second alert."""
    async with desk.triage():
        await desk.publish(story(1, STRIKE))
        await desk.settled(1)
        await desk.publish(
            story(2, "Two power stations near Odesa hit by drones, grid operator says", source="P")
        )
        await desk.settled(2)
    rows = await desk.outbox()
    assert await desk.reasons() == ["corroborated", "first"]
    assert {row["alert"]["parent"] for row in rows} == {  # type: ignore[index]
        row["alert"]["id"]
        for row in rows
        if row["kind"] == "alert"  # type: ignore[index]
    }


async def test_baseline_stories_are_analysed_and_not_told(desk: Desk) -> None:
    """What was there before the first look alerts nobody, and its reason is kept."""
    async with desk.triage():
        await desk.publish(story(1, STRIKE, baseline=True))
        await desk.settled(1)
    assert await desk.outbox() == []
    decision = json.loads(await desk.store.hget(desk.keys("story", "s1"), "decision"))
    assert [held["reason"] for held in decision["suppressions"]] == ["baseline"]


async def test_a_poisonous_message_costs_itself_alone(desk: Desk) -> None:
    """What cannot be decoded becomes a dead letter; the story beside it is told."""
    await desk.store.xadd(desk.keys("stream", "vectors"), {"story": b"\xff", "vectors": b"1"})
    async with desk.triage():
        await desk.publish(story(1, STRIKE))
        await desk.settled(1)
    assert await desk.reasons() == ["first"]
    (letter,) = (await desk.store.hgetall(desk.keys("dead"))).values()
    assert json.loads(letter)["reason"] == "malformed"


async def test_a_standby_takes_over_and_nothing_is_told_twice(desk: Desk) -> None:
    """When the leader loses its lease mid-way the standby goes on where it stopped."""
    async with desk.triage("one"):
        await desk.publish(story(1, STRIKE))
        await desk.settled(1)
        async with desk.triage("two"):
            # The leader is cut off, as if paused: another token holds the lease from here on.
            await desk.store.set(desk.keys("lease", "triage"), "someone else", px=300)
            await desk.publish(story(2, STRIKE, source="Post"), story(3, "Grid attack in Kharkiv"))
            await desk.settled(3)
    told = [row["alert"]["story"]["id"] for row in await desk.outbox()]  # type: ignore[index]
    assert sorted(told) == ["s1", "s3"], "each new report once, whoever was leading, no copy"
    assert json.loads(await desk.store.hget(desk.keys("story", "s2"), "decision"))["copy_of"]


async def test_topics_are_exchanged_while_it_runs(desk: Desk) -> None:
    """An edited topic applies to the next story, and the window is kept."""
    async with desk.triage() as worker:
        await desk.publish(story(1, "Museum finds a forgotten map in its attic"))
        await desk.settled(1)
        museums = Topic(id="museums", name="Museum discoveries and forgotten maps")
        desk.config = desk.config.model_copy(update={"topics": (museums,)})
        await desk.prepare()
        await worker._runtime.reload(desk.config)
        await until(lambda: _topics(worker, "museums"))
        await desk.publish(story(2, "Forgotten sea chart found in a museum cellar"))
        await desk.settled(2)
    assert [row["alert"]["topic"] for row in await desk.outbox()] == ["museums"]  # type: ignore[index]


async def _topics(worker: Triage, topic: str) -> bool:
    return bool(worker._analysis and worker._analysis.matcher.topics[0].id == topic)


async def test_a_changed_model_recalibrates_and_loses_no_story(desk: Desk) -> None:
    """Stories embedded by the model that went go back to be embedded anew, not to the dead."""
    async with desk.triage():
        await desk.publish(story(1, STRIKE))
        await desk.settled(1)
        old = desk.model
        desk.model = cast(TransformerEmbedder, HashingEmbedder())
        await desk.prepare()
        await desk.embed([*SENTENCES, STRIKE])
        await desk.publish(story(2, "Ferry timetable changes from Monday"))
        await desk.settled(2)
        desk.model = old
        await desk.publish(story(3, "Late, and embedded by the model that went"))
        await until(lambda: _waits(desk, "stories", 1))
    assert not await desk.store.exists(desk.keys("dead"))


async def test_an_event_that_is_open_at_a_change_of_model_goes_on(desk: Desk) -> None:
    """Its stories are embedded anew from their stored text: a later report joins it."""
    async with desk.triage():
        await desk.publish(story(1, STRIKE))
        await desk.settled(1)
        desk.model = cast(TransformerEmbedder, HashingEmbedder())
        await desk.prepare()
        await desk.embed([*SENTENCES, STRIKE])
        await desk.publish(story(2, f"{STRIKE}, mayor says", source="Post"))
        await desk.settled(2)
    first, second = [
        json.loads(await desk.store.hget(desk.keys("story", name), "decision"))
        for name in ("s1", "s2")
    ]
    assert second["event"] == first["event"]


async def _waits(desk: Desk, stream: str, count: int) -> bool:
    return bool(await desk.store.xlen(desk.keys("stream", stream)) == count)


async def test_the_leader_lets_go_of_what_is_too_old(desk: Desk) -> None:
    """A dead letter from long ago is gone once a triage leads."""
    long_ago = int(desk.clock.now() - 31 * 86400) * 1000
    await desk.store.hset(desk.keys("dead"), f"stories:{long_ago}-1", "{}")

    async def gone() -> bool:
        return not await desk.store.exists(desk.keys("dead"))

    async with desk.triage() as worker:
        await worker._reloaded(desk.config)  # an edit rouses the housekeeping
        await until(gone)


async def test_an_answer_counts_from_the_next_story_on(
    store: Redis, valkey_url: str, keys: Keys, model: TransformerEmbedder
) -> None:
    """After "not relevant" on a pay strike the next one needs far more, and its record says why;
    once that is taken back, the line is where it was. Triage is not restarted in between."""
    desk = Desk(store, valkey_url, keys, model)
    await desk.prepare()
    feedback = FeedbackStore(store, keys)
    pay = [
        "Strike over pay shuts a power plant in the north",
        "Pay strike shuts another power plant in the south",
        "Pay strike shuts a third power plant, in Wales",
    ]

    async def decided(number: int) -> dict[str, object]:
        await desk.publish(story(number, pay[number], source=f"Wire {number}"))
        await desk.settled(number + 1)
        row = json.loads(await store.hget(keys("story", f"s{number}"), "decision") or b"{}")
        return cast(dict[str, object], next(iter(row["matches"]), {}))

    async with desk.triage():
        first = await decided(0)
        await feedback.add("energy", Verdict("s0", False, "anna", desk.clock.now(), pay[0]))
        held = await decided(1)
        assert float(str(held["line"])) > float(str(first["line"])) + 0.3
        assert "anna answered not relevant" in str(held["moved"]) and pay[0] in str(held["moved"])
        assert await feedback.undo("energy", "s0")
        third = await decided(2)
        assert third["line"] == first["line"] and "moved" not in third
