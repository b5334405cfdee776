"""A report that a person says is not the same happening: parted, decided anew, and kept apart."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from monitor.analysis.parting_store import Parting, PartingStore
from monitor.config.schema import Topic
from monitor.embedding.hashing import HashingEmbedder
from monitor.history.history_store import HistoryStore
from monitor.matching.background_sentences import SENTENCES
from monitor.model import Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.triage_setup import TriageSetup
from tests.support.waiting import until

MODEL = HashingEmbedder()
FERRY = Topic(id="ferries", name="Ferry aground", examples=("Ferry runs aground at the harbour",))
REPORTS = (
    "Ferry runs aground at the harbour of Northport, police say",
    "Ferry runs aground at the harbour of Northport, coast guard reports",
    "Ferry runs aground at the harbour of Northport, witnesses report",
)

pytestmark = pytest.mark.slow


async def tell(triage: TriageSetup, name: str, title: str, outlet: str) -> None:
    """Hand over one report and wait until it is decided."""
    at = triage.clock.now()
    await triage.publish(Story(id=name, title=title, source=outlet, published=at, seen_at=at))

    async def decided() -> bool:
        return bool(await triage.decision(name))

    await until(decided)


async def told(triage: TriageSetup) -> list[str]:
    """Why each waiting notification was decided, and on which story."""
    alerts = [row["alert"] for row in await triage.outbox()]
    return sorted(f"{one['story']['id']} {one['reason']}" for one in alerts)


@pytest.fixture
async def triage(
    store: Redis, valkey_url: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TriageSetup]:
    """Three reports of what triage takes for one happening; the third has told nobody anything."""
    monkeypatch.setattr("workers.triage.PENDING_EVERY", 0.05)
    made = TriageSetup(store, valkey_url, keys, MODEL, FERRY)
    await made.embed(SENTENCES)
    await made.prepare()
    async with made.running("one"):
        for number, title in enumerate(REPORTS, 1):
            await tell(made, f"s{number}", title, f"Outlet {number}")
        yield made


def partings(triage: TriageSetup) -> PartingStore:
    """Where a person's wish to part reports is kept."""
    return PartingStore(triage.store, triage.keys)


async def parted(triage: TriageSetup) -> bool:
    """Whether everything asked for was done."""
    return all(one.others for one in await partings(triage).all())


async def test_it_becomes_a_happening_of_its_own_and_is_told(triage: TriageSetup) -> None:
    """Archive, history, members and alerts agree: s3 is elsewhere, by Anna, and told as a first."""
    was = (await triage.decision("s3"))["event"]
    assert was == (await triage.decision("s1"))["event"] == (await triage.decision("s2"))["event"]
    assert await told(triage) == ["s1 first", "s2 corroborated"]
    assert await partings(triage).ask(Parting("s3", "Anna", triage.clock.now()))
    await until(lambda: parted(triage))
    now = await triage.decision("s3")
    assert now["event"] != was and now["why"] == "kept apart by Anna"
    assert await told(triage) == ["s1 first", "s2 corroborated", "s3 first"]
    history = HistoryStore(triage.store, triage.keys)
    old, new = await history.event(was), await history.event(now["event"])
    assert old is not None and {one.id for one in old.stories} == {"s1", "s2"}
    assert new is not None and {one.id for one in new.stories} == {"s3"}
    members = await triage.store.hgetall(triage.keys("event", was))
    assert set(members) == {b"s1", b"s2"}
    assert not await partings(triage).ask(Parting("s3", "Boris", triage.clock.now()))


async def test_what_was_told_is_not_told_again(triage: TriageSetup) -> None:
    """The report that was told as an update stays told: its new event gets no second alert."""
    await partings(triage).ask(Parting("s2", "Anna", triage.clock.now()))
    await until(lambda: parted(triage))
    assert (await triage.decision("s2"))["event"] != (await triage.decision("s1"))["event"]
    assert await told(triage) == ["s1 first", "s2 corroborated"]


async def test_it_holds_for_the_next_process(triage: TriageSetup) -> None:
    """Whoever takes over keeps them apart, whatever like both of them comes."""
    await partings(triage).ask(Parting("s3", "Anna", triage.clock.now()))
    await until(lambda: parted(triage))
    apart = {name: (await triage.decision(name))["event"] for name in ("s1", "s3")}
    await triage.store.delete(triage.keys("lease", "triage"))
    async with triage.running("two"):
        for name, who in (("s4", "mayor"), ("s5", "crew")):
            title = f"Ferry runs aground at the harbour of Northport, {who} says"
            await tell(triage, name, title, who)
    first = set(await triage.store.hgetall(triage.keys("event", apart["s1"])))
    third = set(await triage.store.hgetall(triage.keys("event", apart["s3"])))
    assert b"s3" in third and b"s1" in first and not first & third


async def test_what_cannot_be_parted_is_forgotten(triage: TriageSetup) -> None:
    """A story that is not in the window changes nothing and does not stay asked for."""
    await partings(triage).ask(Parting("nowhere", "Anna", triage.clock.now()))

    async def gone() -> bool:
        return not await partings(triage).all()

    await until(gone)
    assert await told(triage) == ["s1 first", "s2 corroborated"]
