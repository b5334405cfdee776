from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.alert_decision import decide, lapse
from monitor.alerting.alert_state import AlertState, merge, parted
from monitor.config.schema import Topic
from monitor.model import Assignment, EmbeddedStory, Match, Story
from monitor.reasons import AlertReason, SuppressionReason

NOW = 1_780_000_000.0
HOUR = 3600.0


def topic(**alert: object) -> Topic:
    """A topic with the given alerting."""
    return Topic.model_validate({"id": "ferries", "name": "Ferries", "alert": alert})


def item(id: str = "a", published: float = NOW, **more: object) -> EmbeddedStory:
    """A story as triage hands it over."""
    told = Story(id=id, title=f"Ferry news {id}", published=published, seen_at=NOW, **more)  # type: ignore[arg-type]
    return EmbeddedStory(told, (), np.zeros((0, 4), np.float32), "m")


def fired(score: float = 0.8, line: float = 0.5, reason: SuppressionReason | None = None) -> Match:
    """A match against the topic."""
    return Match("ferries", score, line, score >= line and reason is None, reason=reason)


def assigned(id: str = "a", sources: tuple[str, ...] = ("A",), **more: object) -> Assignment:
    """An assignment to event e1."""
    return Assignment(id, "e1", sources=sources, **more)  # type: ignore[arg-type]


def told_first(**alert: object) -> AlertState:
    """The state after a first alert."""
    state = decide(topic(**alert), item(), fired(), assigned(), None, NOW).told
    assert state is not None
    return state


def test_the_first_story_of_an_event_alerts() -> None:
    """Nothing was told yet: tell, and remember that it was."""
    found = decide(topic(), item(), fired(), assigned(), None, NOW)
    assert found.alert is not None and found.suppression is None and found.told is not None
    assert found.alert.reason is AlertReason.FIRST
    assert not found.alert.is_update
    assert (found.told.state, found.told.first) == ("told", found.alert.id)


def test_a_later_story_that_fires_where_earlier_ones_did_not_is_first() -> None:
    """The event may be old to the index; to this topic's readers it is new."""
    found = decide(topic(), item("b"), fired(), assigned("b", ("A", "B"), size=7), None, NOW)
    assert found.alert is not None and found.alert.reason is AlertReason.FIRST


@pytest.mark.parametrize(
    ("fields", "match", "more", "reason"),
    [
        ({}, fired(0.3), {}, SuppressionReason.BELOW_THRESHOLD),
        ({}, fired(reason=SuppressionReason.EXCLUDED), {}, SuppressionReason.EXCLUDED),
        ({"baseline": True}, fired(), {}, SuppressionReason.BASELINE),
        ({"stale": True}, fired(), {}, SuppressionReason.STALE),
        ({"published": NOW - 60 * HOUR}, fired(), {}, SuppressionReason.STALE),
        ({}, fired(), {"repeated": True}, SuppressionReason.ALREADY_TOLD),
        ({}, fired(), {"copy_of": "z", "copy_of_old": True}, SuppressionReason.COPY),
    ],
)
def test_what_is_not_told_has_a_name(
    fields: dict[str, object], match: Match, more: dict[str, object], reason: SuppressionReason
) -> None:
    """Each ground for silence is a named reason, and leaves nothing told."""
    found = decide(topic(), item(**fields), match, assigned(**more), None, NOW)  # type: ignore[arg-type]
    assert found.alert is None and found.told is None
    assert found.suppression is not None and found.suppression.reason is reason


def test_an_event_seen_only_at_baseline_alerts_when_it_moves() -> None:
    """Silence about the baseline is no telling: the next report is a first alert."""
    before = decide(topic(), item(baseline=True), fired(), assigned(), None, NOW)
    after = decide(topic(), item("b"), fired(), assigned("b", ("A", "B")), before.told, NOW)
    assert after.alert is not None and after.alert.reason is AlertReason.FIRST


def test_a_copy_of_what_this_topic_was_never_told_is_told() -> None:
    """The original may have been out of the topic's feeds; nothing may be lost for that."""
    found = decide(topic(), item("b"), fired(), assigned("b", copy_of="a"), None, NOW)
    assert found.alert is not None and found.alert.reason is AlertReason.FIRST


@pytest.mark.parametrize(
    ("more", "sources", "reason"),
    [
        ({"novelty": "Captain arrested"}, ("A",), AlertReason.DEVELOPMENT),
        ({}, ("A", "B"), AlertReason.CORROBORATED),
        ({"novelty": "Captain arrested"}, ("A", "B"), AlertReason.DEVELOPMENT),
        ({"corrects": ("a",), "novelty": "Correction: two hurt"}, ("A",), AlertReason.CORRECTION),
        ({"corrects": ("a",), "copy_of": "a"}, ("A",), AlertReason.CORRECTION),
    ],
)
def test_what_is_told_of_a_known_event(
    more: dict[str, object], sources: tuple[str, ...], reason: AlertReason
) -> None:
    """A new fact, the first confirmation and a correction go under the first alert."""
    before = told_first()
    found = decide(topic(), item("b"), fired(), assigned("b", sources, **more), before, NOW)
    assert found.alert is not None and found.told is not None
    assert found.alert.reason is reason
    assert found.alert.parent == before.first
    assert found.alert.is_update
    assert found.told.updates == 1


def test_an_outcome_is_a_message_of_its_own_and_what_follows_goes_under_it() -> None:
    """How it ended is told at the top, also where no updates are wanted; replies follow that."""
    before = told_first(updates="none")
    ended = assigned("b", novelty="Captain found guilty", novelty_kind="outcome")
    found = decide(topic(updates="none"), item("b"), fired(), ended, before, NOW)
    assert found.alert is not None and found.told is not None
    assert found.alert.reason is AlertReason.OUTCOME
    assert not found.alert.is_update
    more = assigned("c", novelty="Captain to appeal", novelty_kind="name")
    after = decide(topic(), item("c"), fired(), more, found.told, NOW)
    assert after.alert is not None and after.alert.parent == found.alert.id


def test_a_strangers_correction_is_no_correction() -> None:
    """What corrects stories that were never told changes no message."""
    before = told_first()
    stranger = assigned("b", corrects=("x",))
    found = decide(topic(), item("b"), fired(), stranger, before, NOW)
    assert found.alert is None
    assert found.suppression is not None
    assert found.suppression.reason is SuppressionReason.NOTHING_NEW


@pytest.mark.parametrize(
    ("more", "updates", "reason"),
    [
        ({}, "thread", SuppressionReason.NOTHING_NEW),
        ({"copy_of": "a", "copy_kind": "text"}, "thread", SuppressionReason.COPY),
        ({"novelty": "Captain arrested"}, "none", SuppressionReason.ALREADY_TOLD),
    ],
)
def test_what_is_held_back_of_a_known_event(
    more: dict[str, object], updates: str, reason: SuppressionReason
) -> None:
    """Nothing new, a copy, or a topic that wants no updates: the state stays as it was."""
    before = told_first(updates=updates)
    found = decide(topic(updates=updates), item("b"), fired(), assigned("b", **more), before, NOW)
    assert found.alert is None and found.told == before
    assert found.suppression is not None and found.suppression.reason is reason


def test_confirmation_is_told_once() -> None:
    """The third and fourth source are no news."""
    state: AlertState | None = told_first()
    reasons = []
    for id, sources in (("b", ("A", "B")), ("c", ("A", "B", "C")), ("d", ("A", "B", "C", "D"))):
        found = decide(topic(), item(id), fired(), assigned(id, sources), state, NOW)
        reasons.append(found.alert.reason if found.alert else found.suppression.reason)  # type: ignore[union-attr]
        state = found.told
    assert reasons == ["corroborated", "nothing_new", "nothing_new"]


def test_a_told_event_vouches_just_under_the_line_and_never_past_a_gate() -> None:
    """A development in thin words still counts; excluded words and far misses do not."""
    before = told_first()
    new = assigned("b", novelty="Captain arrested")
    near = decide(topic(), item("b"), fired(0.45), new, before, NOW)
    far = decide(topic(), item("b"), fired(0.2), new, before, NOW)
    gate = decide(
        topic(), item("b"), fired(0.9, reason=SuppressionReason.EXCLUDED), new, before, NOW
    )
    fresh = decide(topic(), item("b"), fired(0.45), new, None, NOW)
    assert near.alert is not None
    assert far.alert is gate.alert is fresh.alert is None


def test_two_topics_are_told_of_one_event_each() -> None:
    """Ids differ by topic, so neither alert hides the other."""
    other = Topic(id="harbours", name="Harbours")
    one = decide(topic(), item(), fired(), assigned(), None, NOW).alert
    two = decide(other, item(), fired(), assigned(), None, NOW).alert
    assert one is not None and two is not None and one.id != two.id


def test_min_sources_waits_says_so_and_tells_the_story_that_waited() -> None:
    """The alert is held until a second owner reports, even one whose story does not fire."""
    watch = topic(min_sources=2, wait_at_most="2h")
    held = decide(watch, item(), fired(), assigned(), None, NOW)
    assert held.alert is None and held.suppression is not None and held.told is not None
    assert held.suppression.reason is SuppressionReason.AWAITING_SOURCES
    assert held.suppression.detail == "1 of 2 independent sources; waits 2 h more at most"
    same = decide(watch, item("b"), fired(), assigned("b"), held.told, NOW + HOUR)
    assert same.suppression is not None
    assert "waits 60 min more" in same.suppression.detail
    second = assigned("c", ("A", "B"), size=3, outlets=("A News", "B Times"))
    found = decide(watch, item("c"), fired(0.1), second, same.told, NOW + HOUR)
    assert found.alert is not None and found.told is not None
    assert (found.alert.reason, found.alert.story.id) == (AlertReason.FIRST, "a")
    assert found.alert.sources == ("A", "B")
    assert found.alert.outlets == ("A News", "B Times")
    assert found.told.state == "told"


def test_a_wait_lapses_by_name_and_a_later_confirmation_still_alerts() -> None:
    """After the wait the held alert is gone; a second source that comes later is told as first."""
    watch = topic(min_sources=2, wait_at_most="2h")
    held = decide(watch, item(), fired(), assigned(), None, NOW).told
    assert held is not None
    assert lapse(held, watch, NOW + HOUR) is None
    ended = lapse(held, watch, NOW + 3 * HOUR)
    assert ended is not None and ended.suppression is not None and ended.told is not None
    assert ended.suppression.reason is SuppressionReason.SOURCES_EXPIRED
    assert ended.told.state == "lapsed"
    alone = decide(watch, item("b"), fired(), assigned("b"), ended.told, NOW + 4 * HOUR)
    assert alone.suppression is not None
    assert alone.suppression.reason is SuppressionReason.SOURCES_EXPIRED
    late = decide(watch, item("c"), fired(), assigned("c", ("A", "B")), alone.told, NOW + 5 * HOUR)
    assert late.alert is not None and late.alert.reason is AlertReason.FIRST


def test_state_survives_json() -> None:
    """What is stored is what is read, held alert included."""
    waiting = decide(topic(min_sources=2), item(), fired(), assigned(), None, NOW).told
    for state in (told_first(), waiting):
        assert state is not None
        assert AlertState.from_dict(json.loads(json.dumps(state.to_dict()))) == state


def test_deciding_twice_tells_once() -> None:
    """The same story on the state it left is silent; on the old state it gives the same id."""
    one = decide(topic(), item(), fired(), assigned(), None, NOW)
    again = decide(topic(), item(), fired(), assigned(), None, NOW + 5)
    after = decide(topic(), item(), fired(), assigned(), one.told, NOW)
    assert one.alert is not None and again.alert is not None and again.alert.id == one.alert.id
    assert after.alert is None and after.told == one.told


states = st.builds(
    AlertState,
    topic=st.just("ferries"),
    event=st.sampled_from(["e1", "e2"]),
    state=st.sampled_from(["told", "waiting", "lapsed"]),
    since=st.floats(0, 1e9),
    first=st.text("abc", min_size=1, max_size=3),
    sources=st.lists(st.sampled_from("ABC"), unique=True).map(tuple),
    stories=st.lists(st.sampled_from("stuv"), unique=True).map(tuple),
)


@given(one=states, two=states)
def test_merging_orphans_no_alert(one: AlertState, two: AlertState) -> None:
    """Whatever merges, in either order: what was told stays told, under the earliest alert."""
    both = merge(one, two, "e9")
    assert both is not None and both.event == "e9"
    assert both == replace(merge(two, one, "e9"), sources=both.sources, stories=both.stories)  # type: ignore[type-var]
    told = [state for state in (one, two) if state.state == "told"]
    if told:
        assert both.state == "told"
        assert both.first == min(told, key=lambda state: (state.since, state.first)).first
    assert set(both.sources) == {*one.sources, *two.sources}


def test_what_was_told_follows_its_story_when_an_event_parts() -> None:
    """Readers who know of a story are not alerted again because its event was parted."""
    state = told_first()
    moved = parted(state, "a", None, "e2")
    assert moved is not None and (moved.event, moved.first) == ("e2", state.first)
    assert parted(state, "never-told", None, "e2") is None
