"""Triage on a real store with the real model: what is told, once, whoever dies meanwhile."""

from __future__ import annotations

import json
from typing import cast

import pytest

from monitor.alerting.feedback_store import FeedbackStore, Verdict
from monitor.alerting.subscription_store import SubscriptionStore
from monitor.clock import ManualClock
from monitor.config.schema import Topic
from monitor.config.subscription_schema import StoredSubscription
from monitor.embedding.hashing import HashingEmbedder
from monitor.embedding.transformer import TransformerEmbedder
from monitor.history.history_store import HistoryStore
from monitor.history.search import Query
from monitor.matching.background_sentences import SENTENCES
from monitor.model import Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.loglines import Lines, logged
from tests.support.triage_setup import TriageSetup
from tests.support.waiting import until

pytestmark = pytest.mark.slow

ENERGY = Topic(
    id="energy",
    name="Energy infrastructure strikes",
    description="Attacks by drones or missiles on power plants, grids and refineries.",
    examples=("Missiles damage a power plant and leave a city without electricity",),
)
STRIKE = "Drones strike two power stations near Odesa, 200,000 homes dark"


def story(number: int, title: str, *, source: str = "Wire", **more: object) -> Story:
    """A story as the poller hands it over."""
    at = ManualClock().now()
    return Story(id=f"s{number}", title=title, source=source, published=at, seen_at=at, **more)  # type: ignore[arg-type]


@pytest.fixture
async def triage(
    store: Redis, valkey_url: str, keys: Keys, transformer: TransformerEmbedder
) -> TriageSetup:
    """A prepared installation on a key space of its own."""
    made = TriageSetup(store, valkey_url, keys, transformer, ENERGY)
    await made.prepare()
    return made


async def test_a_happening_is_told_once_and_its_copy_held_back(triage: TriageSetup) -> None:
    """One alert for the first report; the same text under another masthead adds nothing."""
    async with triage.running():
        await triage.publish(story(1, STRIKE), story(2, STRIKE, source="Post"))
        await triage.publish(story(3, "Ferry timetable changes from Monday"))
        await triage.decided(3)
    assert await triage.reasons() == ["first"]
    decision = await triage.decision("s2")
    assert decision["copy_of"] == "s1"
    assert decision["suppressions"][0]["reason"] == "copy"


async def test_a_story_fed_twice_changes_nothing(triage: TriageSetup) -> None:
    """A hand-over repeated after an unknown outcome is recognised by the story's id."""
    async with triage.running():
        await triage.publish(story(1, STRIKE))
        await triage.decided(1)
        before = await triage.store.hgetall(triage.keys("story", "s1"))
        await triage.publish(story(1, STRIKE), story(1, STRIKE))
        await until(lambda: _empty(triage))
        assert await triage.store.hgetall(triage.keys("story", "s1")) == before
    assert len(await triage.outbox()) == 1


async def test_the_history_is_written_with_the_decision(triage: TriageSetup) -> None:
    """An alert, its story and a note for open pages are kept in the step that decides it."""
    async with triage.running():
        await triage.publish(story(1, STRIKE), story(2, STRIKE, source="Post"))
        await triage.publish(story(3, "Ferry timetable changes from Monday"))
        await triage.decided(3)
    history = HistoryStore(triage.store, triage.keys)
    (kept,) = (await history.search(Query())).alerts
    event = await history.event(kept.event)
    assert event is not None and (kept.story, kept.topic) == ("s1", "energy")
    assert [(one.id, one.copy_of) for one in event.stories] == [("s1", ""), ("s2", "s1")]
    live = await triage.store.xrange(triage.keys("stream", "desk"))
    assert [fields[b"alert"].decode() for _, fields in live] == [kept.id]


async def _empty(triage: TriageSetup) -> bool:
    return not await triage.store.xlen(triage.keys("stream", "vectors"))


async def test_what_was_told_is_remembered_over_a_restart(triage: TriageSetup) -> None:
    """A fresh process rebuilds window and told state: a copy that comes later stays a copy."""
    async with triage.running("one"):
        await triage.publish(story(1, STRIKE))
        await triage.decided(1)
    async with triage.running("two"):
        await triage.publish(story(2, STRIKE, source="Post"))
        await triage.decided(2)
    assert await triage.reasons() == ["first"]


async def test_a_second_independent_source_joins_the_first_alert(triage: TriageSetup) -> None:
    """Corroboration is an update that points at the first alert, not a second alert."""
    async with triage.running():
        await triage.publish(story(1, STRIKE))
        await triage.decided(1)
        await triage.publish(
            story(2, "Two power stations near Odesa hit by drones, grid operator says", source="P")
        )
        await triage.decided(2)
    rows = await triage.outbox()
    assert await triage.reasons() == ["corroborated", "first"]
    assert {row["alert"]["parent"] for row in rows} == {
        row["alert"]["id"] for row in rows if row["kind"] == "alert"
    }


async def test_baseline_stories_are_analysed_and_not_told(triage: TriageSetup) -> None:
    """What was there before the first look alerts nobody, and its reason is kept."""
    async with triage.running():
        await triage.publish(story(1, STRIKE, baseline=True))
        await triage.decided(1)
    assert await triage.outbox() == []
    decision = await triage.decision("s1")
    assert [held["reason"] for held in decision["suppressions"]] == ["baseline"]


async def test_a_poisonous_message_costs_itself_alone(triage: TriageSetup) -> None:
    """What cannot be decoded becomes a dead letter; the story beside it is told."""
    await triage.store.xadd(triage.keys("stream", "vectors"), {"story": b"\xff", "vectors": b"1"})
    async with triage.running():
        await triage.publish(story(1, STRIKE))
        await triage.decided(1)
    assert await triage.reasons() == ["first"]
    (letter,) = (await triage.store.hgetall(triage.keys("dead"))).values()
    assert json.loads(letter)["reason"] == "malformed"


async def test_a_standby_takes_over_and_nothing_is_told_twice(triage: TriageSetup) -> None:
    """When the leader loses its lease mid-way the standby goes on where it stopped."""
    async with triage.running("one"):
        await triage.publish(story(1, STRIKE))
        await triage.decided(1)
        async with triage.running("two"):
            # The leader is cut off, as if paused: another token holds the lease from here on.
            await triage.store.set(triage.keys("lease", "triage"), "someone else", px=300)
            await triage.publish(
                story(2, STRIKE, source="Post"), story(3, "Grid attack in Kharkiv")
            )
            await triage.decided(3)
    told = [row["alert"]["story"]["id"] for row in await triage.outbox()]
    assert sorted(told) == ["s1", "s3"], "each new report once, whoever was leading, no copy"
    assert (await triage.decision("s2"))["copy_of"]


async def test_topics_are_exchanged_while_it_runs(triage: TriageSetup) -> None:
    """An edited topic applies to the next story, and the window is kept."""
    with logged() as lines:
        async with triage.running() as runtime:
            await triage.publish(story(1, "Museum finds a forgotten map in its attic"))
            await triage.decided(1)
            museums = Topic(id="museums", name="Museum discoveries and forgotten maps")
            triage.config = triage.config.model_copy(update={"topics": (museums,)})
            await triage.prepare()
            before = len(lines("topics_ready"))
            await runtime.reload(triage.config)
            await until(lambda: _more(lines, before))
            await triage.publish(story(2, "Forgotten sea chart found in a museum cellar"))
            await triage.decided(2)
    assert [row["alert"]["topic"] for row in await triage.outbox()] == ["museums"]


async def _more(lines: Lines, before: int) -> bool:
    return len(lines("topics_ready")) > before


async def test_a_changed_model_recalibrates_and_loses_no_story(triage: TriageSetup) -> None:
    """Stories embedded by the model that went go back to be embedded anew, not to the dead."""
    async with triage.running():
        await triage.publish(story(1, STRIKE))
        await triage.decided(1)
        old = triage.model
        triage.model = HashingEmbedder()
        await triage.prepare()
        await triage.embed([*SENTENCES, STRIKE])
        await triage.publish(story(2, "Ferry timetable changes from Monday"))
        await triage.decided(2)
        triage.model = old
        await triage.publish(story(3, "Late, and embedded by the model that went"))
        await until(lambda: _waits(triage, "stories", 1))
    assert not await triage.store.exists(triage.keys("dead"))


async def test_an_event_that_is_open_at_a_change_of_model_goes_on(triage: TriageSetup) -> None:
    """Its stories are embedded anew from their stored text: a later report joins it."""
    async with triage.running():
        await triage.publish(story(1, STRIKE))
        await triage.decided(1)
        triage.model = HashingEmbedder()
        await triage.prepare()
        await triage.embed([*SENTENCES, STRIKE])
        await triage.publish(story(2, f"{STRIKE}, mayor says", source="Post"))
        await triage.decided(2)
    first, second = [await triage.decision(name) for name in ("s1", "s2")]
    assert second["event"] == first["event"]


async def _waits(triage: TriageSetup, stream: str, count: int) -> bool:
    return bool(await triage.store.xlen(triage.keys("stream", stream)) == count)


async def test_the_leader_lets_go_of_what_is_too_old(triage: TriageSetup) -> None:
    """A dead letter from long ago is gone once a triage leads."""
    long_ago = int(triage.clock.now() - 31 * 86400) * 1000
    await triage.store.hset(triage.keys("dead"), f"stories:{long_ago}-1", "{}")

    async def gone() -> bool:
        return not await triage.store.exists(triage.keys("dead"))

    async with triage.running() as runtime:
        await runtime.reload(triage.config)  # an edit rouses the housekeeping
        await until(gone)


async def test_an_answer_counts_from_the_next_story_on(
    triage: TriageSetup, store: Redis, keys: Keys
) -> None:
    """After "not relevant" on a pay strike the next one needs far more, and its record says why;
    once that is taken back, the line is where it was. Triage is not restarted in between."""
    feedback = FeedbackStore(store, keys)
    pay = [
        "Strike over pay shuts a power plant in the north",
        "Pay strike shuts another power plant in the south",
        "Pay strike shuts a third power plant, in Wales",
    ]

    async def decided(number: int) -> dict[str, object]:
        await triage.publish(story(number, pay[number], source=f"Wire {number}"))
        await triage.decided(number + 1)
        row = json.loads(await store.hget(keys("story", f"s{number}"), "decision") or b"{}")
        return cast(dict[str, object], next(iter(row["matches"]), {}))

    async with triage.running():
        first = await decided(0)
        await feedback.add("energy", Verdict("s0", False, "anna", triage.clock.now(), pay[0]))
        held = await decided(1)
        assert float(str(held["line"])) > float(str(first["line"])) + 0.3
        assert "anna answered not relevant" in str(held["moved"]) and pay[0] in str(held["moved"])
        assert await feedback.undo("energy", "s0")
        third = await decided(2)
        assert third["line"] == first["line"] and "moved" not in third


async def test_a_subscription_made_meanwhile_counts_from_the_next_story_on(
    triage: TriageSetup,
) -> None:
    """Triage routes by the subscriptions as they are stored when it decides, without a restart."""
    kept = SubscriptionStore(triage.store, triage.keys)
    person = StoredSubscription(slack="U0ANA")
    third = "Missile strike on a power plant leaves Kharkiv without electricity"
    async with triage.running():
        await triage.publish(story(1, STRIKE))
        await triage.decided(1)
        name = await kept.add(person)
        await triage.publish(story(2, "Missiles hit a refinery near Ryazan, fire spreads to tanks"))
        await triage.decided(2)
        await kept.put(name, person.model_copy(update={"ended": triage.clock.now()}))
        await triage.publish(story(3, third))
        await triage.decided(3)
    hers = await triage.outbox(person.recipient)
    assert [row["alert"]["story"]["id"] for row in hers] == ["s2"]
    assert await triage.reasons() == ["first", "first", "first"]
