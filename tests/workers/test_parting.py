"""A report that a person says is not the same happening: parted, decided anew, and kept apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.analysis.parting_store import Parting, PartingStore
from monitor.analysis.text_archive import ModelInfo, TextVectors
from monitor.clock import ManualClock
from monitor.codec import pack_embedded
from monitor.config.schema import Config, Topic
from monitor.embedding import embed_stories
from monitor.embedding.hashing import HashingEmbedder
from monitor.history.history_store import HistoryStore
from monitor.matching import texts
from monitor.matching.background_sentences import SENTENCES
from monitor.model import Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.waiting import until
from workers.runtime import Runtime
from workers.triage import Triage

MODEL = HashingEmbedder()
FERRY = Topic(id="ferries", name="Ferry aground", examples=("Ferry runs aground at the harbour",))
REPORTS = (
    "Ferry runs aground at the harbour of Northport, police say",
    "Ferry runs aground at the harbour of Northport, coast guard reports",
    "Ferry runs aground at the harbour of Northport, witnesses report",
)


class Desk:
    """Triage on a real store with made-up reports, embedded by their spelling."""

    def __init__(self, store: Redis, url: str, keys: Keys) -> None:
        self.store, self.url, self.keys, self.clock = store, url, keys, ManualClock()
        self.config = Config(store={"prefix": keys.prefix}, topics=(FERRY,))
        self.history, self.partings = HistoryStore(store, keys), PartingStore(store, keys)

    async def prepare(self) -> None:
        """Do what an embedder does at its start."""
        info, cache = (
            ModelInfo(MODEL.fingerprint, MODEL.dimension),
            TextVectors(self.store, self.keys),
        )
        phrases = [*SENTENCES, *texts(self.config.topics)]
        await cache.put(info, dict(zip(phrases, MODEL.encode(phrases), strict=True)))
        await cache.announce(info)

    @asynccontextmanager
    async def triage(self, name: str) -> AsyncIterator[None]:
        """Run a triage worker of that name while the block lasts."""
        runtime = Runtime(self.config, self.store, self.url, clock=self.clock, worker_id=name)
        task = asyncio.create_task(Triage(runtime).run())
        try:
            yield
        finally:
            runtime.stopping.set()
            await task

    async def tell(self, name: str, title: str, outlet: str) -> None:
        """Hand over one report and wait until it is decided."""
        at = self.clock.now()
        story = Story(id=name, title=title, source=outlet, published=at, seen_at=at)
        for item in embed_stories(MODEL, [story], 4):
            await self.store.xadd(self.keys("stream", "vectors"), pack_embedded(item))
        await until(lambda: self._decided(name))

    async def _decided(self, name: str) -> bool:
        return bool(await self.store.hexists(self.keys("story", name), "decision"))

    async def place(self, name: str) -> dict[str, Any]:
        """What was decided about a story."""
        return dict(json.loads(await self.store.hget(self.keys("story", name), "decision") or b""))

    async def told(self) -> list[str]:
        """Why each waiting notification was decided, and on which story."""
        ids = await self.store.zrange(self.keys("outbox", "terminal"), 0, -1)
        rows = [await self.store.hget(self.keys("notification", i.decode()), "json") for i in ids]
        alerts = [json.loads(row or b"")["alert"] for row in rows]
        return sorted(f"{one['story']['id']} {one['reason']}" for one in alerts)


@pytest.fixture
async def desk(
    store: Redis, valkey_url: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    """Three reports of what triage takes for one happening; the third has told nobody anything."""
    monkeypatch.setattr("workers.triage.PENDING_EVERY", 0.05)
    made = Desk(store, valkey_url, keys)
    await made.prepare()
    async with made.triage("one"):
        for number, title in enumerate(REPORTS, 1):
            await made.tell(f"s{number}", title, f"Outlet {number}")
        yield made


async def parted(desk: Desk) -> bool:
    """Whether everything asked for was done."""
    return all(one.others for one in await desk.partings.all())


async def test_it_becomes_a_happening_of_its_own_and_is_told(desk: Desk) -> None:
    """Archive, history, members and alerts agree: s3 is elsewhere, by Anna, and told as a first."""
    was = (await desk.place("s3"))["event"]
    assert was == (await desk.place("s1"))["event"] == (await desk.place("s2"))["event"]
    assert await desk.told() == ["s1 first", "s2 corroborated"]
    assert await desk.partings.ask(Parting("s3", "Anna", desk.clock.now()))
    await until(lambda: parted(desk))
    now = await desk.place("s3")
    assert now["event"] != was and now["why"] == "kept apart by Anna"
    assert await desk.told() == ["s1 first", "s2 corroborated", "s3 first"]
    old, new = await desk.history.event(was), await desk.history.event(now["event"])
    assert old is not None and {one.id for one in old.stories} == {"s1", "s2"}
    assert new is not None and {one.id for one in new.stories} == {"s3"}
    members = await desk.store.hgetall(desk.keys("event", was))
    assert set(members) == {b"s1", b"s2"}
    assert not await desk.partings.ask(Parting("s3", "Boris", desk.clock.now()))


async def test_what_was_told_is_not_told_again(desk: Desk) -> None:
    """The report that was told as an update stays told: its new event gets no second alert."""
    await desk.partings.ask(Parting("s2", "Anna", desk.clock.now()))
    await until(lambda: parted(desk))
    assert (await desk.place("s2"))["event"] != (await desk.place("s1"))["event"]
    assert await desk.told() == ["s1 first", "s2 corroborated"]


async def test_it_holds_for_the_next_process(desk: Desk) -> None:
    """Whoever takes over keeps them apart, whatever like both of them comes."""
    await desk.partings.ask(Parting("s3", "Anna", desk.clock.now()))
    await until(lambda: parted(desk))
    apart = {name: (await desk.place(name))["event"] for name in ("s1", "s3")}
    await desk.store.delete(desk.keys("lease", "triage"))
    async with desk.triage("two"):
        for name, who in (("s4", "mayor"), ("s5", "crew")):
            title = f"Ferry runs aground at the harbour of Northport, {who} says"
            await desk.tell(name, title, who)
    first = set(await desk.store.hgetall(desk.keys("event", apart["s1"])))
    third = set(await desk.store.hgetall(desk.keys("event", apart["s3"])))
    assert b"s3" in third and b"s1" in first and not first & third


async def test_what_cannot_be_parted_is_forgotten(desk: Desk) -> None:
    """A story that is not in the window changes nothing and does not stay asked for."""
    await desk.partings.ask(Parting("nowhere", "Anna", desk.clock.now()))

    async def gone() -> bool:
        return not await desk.partings.all()

    await until(gone)
    assert await desk.told() == ["s1 first", "s2 corroborated"]
