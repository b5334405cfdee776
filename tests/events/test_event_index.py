from __future__ import annotations

import random

import numpy as np
import pytest
from eventtools import HOUR, NOON, axis, index, story
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.embedding.transformer import DEFAULT_WEIGHTS
from monitor.events import EventIndex, records
from monitor.events.cluster import average_link
from monitor.model import EmbeddedStory

pytestmark = pytest.mark.slow

SUBJECTS = (
    ("Ferry", "aground", "Northport"),
    ("Minister", "resigns", "Westmark"),
    ("Landslide", "buries", "Alderdale"),
    ("Strike", "halts", "Kingsbridge"),
    ("Museum", "robbed", "Larkhill"),
)


def stream(count: int, seed: int = 0) -> list[EmbeddedStory]:
    """Reports of a few happenings, mixed, with some repeats."""
    made = random.Random(seed)
    found = []
    for n in range(count):
        k = made.randrange(len(SUBJECTS))
        what, does, where = SUBJECTS[k]
        title = f"{what} {does} at {where}, {made.choice(['police', 'crews', 'union'])} say"
        if made.random() < 0.5:
            title += f" {made.randrange(2, 60)} affected"
        vector = axis(k, 0.9, seed=seed * 1000 + n)
        found.append(
            story(f"s{n:03}", title, n * 0.3, vector, source=f"Outlet {made.randrange(9)}")
        )
    return found


@given(seed=st.integers(0, 50), shuffle=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_order_within_a_batch_does_not_matter(seed: int, shuffle: int) -> None:
    """The same stories in one batch, in any order, give each story the same assignment."""
    items = stream(30, seed)
    mixed = list(items)
    random.Random(shuffle).shuffle(mixed)
    straight = {a.story: a for a in index().assign(items)}
    assert {a.story: a for a in index().assign(mixed)} == straight


@given(seed=st.integers(0, 50), size=st.integers(1, 12))
@settings(max_examples=15, deadline=None)
def test_the_same_stream_gives_the_same_events(seed: int, size: int) -> None:
    """Replay is deterministic: two indexes fed alike agree in everything they say."""
    items = stream(40, seed)
    one, two = index(), index()
    for at in range(0, len(items), size):
        assert one.assign(items[at : at + size]) == two.assign(items[at : at + size])


@given(seed=st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_feeding_a_story_twice_changes_nothing(seed: int) -> None:
    """A second time, in the same batch or later, is answered from memory and marked."""
    items = stream(25, seed)
    held = index()
    first = held.assign([*items, items[3]])
    assert first[-1].repeated
    assert not any(a.repeated for a in first[:-1])
    held.changed()
    before = [held.pack(name) for name in held.stories()]
    again = held.assign(items)
    assert all(a.repeated for a in again)
    assert [(a.event, a.copy_of) for a in again] == [(a.event, a.copy_of) for a in first[:-1]]
    assert held.changed() == set()
    assert [held.pack(name) for name in held.stories()] == before


@given(seed=st.integers(0, 50), cut=st.integers(1, 39))
@settings(max_examples=15, deadline=None)
def test_a_restart_changes_nothing(seed: int, cut: int) -> None:
    """An index rebuilt from the records it asked to have written goes on as if nothing had been."""
    items = stream(40, seed)
    stored: dict[str, bytes] = {}
    one = index()
    for item in items[:cut]:
        one.assign([item])
        stored.update({name: one.pack(name) for name in one.changed()})
    two = index()
    assert two.restore(stored.values()) == 0
    for item in items[cut:]:
        assert one.assign([item]) == two.assign([item])


def test_no_event_grows_without_bound_in_an_endless_stream() -> None:
    """A story retold for ever closes its event in the end, and memory stays that of the window."""
    held = index(window_hours=6)
    seen, largest = set(), 0
    for n in range(300):
        item = story(f"s{n}", f"Strike halts Kingsbridge trams on day {n}", n / 2, axis(1, 0.3, n))
        seen.add(held.assign([item])[0].event)
        held.forget(item.story.published - 6 * HOUR)
        largest = max(largest, len(held))
    assert len(seen) >= 5
    assert largest <= 2 * 4 * 6 + 2


def test_reports_of_one_happening_gather_and_others_do_not() -> None:
    """Other words, same happening: one event. Another happening: another; and each says why."""
    held = index()
    a, b, c = held.assign(
        [
            story("a", "Ferry runs aground off Northport", 0, axis(1, 0.4, 1), source="A"),
            story("b", "Passengers leave Northport ferry", 1, axis(1, 0.4, 2), source="B"),
            story("c", "Westmark minister steps down", 1, axis(5, 0.4, 3), source="C"),
        ]
    )  # fmt: skip
    assert a.event == b.event != c.event
    assert (a.new_event, b.new_event, c.new_event) == (True, False, True)
    assert "Northport" in b.why
    assert c.why == "first report of this event"
    assert b.sources == ("A", "B")


def test_an_event_outlives_the_window_while_it_stays_alive() -> None:
    """A story that keeps coming is one event beyond its first window; after silence, a new one."""
    held = index(window_hours=6)
    events = []
    for n, at in enumerate((0, 4, 8, 12, 30)):
        item = story(f"s{n}", f"Search for Alderdale hikers, crew {n}", at, axis(1, 0.2, n))
        held.forget(item.story.published - 6 * HOUR)
        events.append(held.assign([item])[0].event)
    assert len(set(events[:4])) == 1
    assert events[4] != events[0]


def test_events_that_turn_out_to_be_one_merge_and_the_older_keeps_its_name() -> None:
    """A report between two stands for both: the absorbed event is named in `merged`."""
    held = index()
    apart = [axis(1) * 0.8 + axis(2) * 0.6, axis(1) * 0.8 - axis(2) * 0.6]
    one, two = held.assign(
        [
            story("a", "Blast heard in harbour district", 0, apart[0]),
            story("b", "Smoke seen over old docks", 0.1, apart[1]),
        ]
    )
    assert one.event != two.event
    merged = []
    for n in range(3):
        item = story(f"m{n}", f"Blast and smoke in harbour docks {n + 2}", 0.2 + n / 10, axis(1))
        merged += held.assign([item])[0].merged
    assert merged == [two.event]
    assert held.event_of("b") == held.event_of("a") == one.event
    assert {"b"} <= held.changed()


def test_a_story_that_belongs_elsewhere_is_moved_and_the_move_is_told() -> None:
    """Later reports can part an event; who moved from where is in `moved`."""
    held = index()
    between = 0.55 * axis(1) + 0.835 * axis(2)
    held.assign([story("a", "Crowd gathers in square", 0, axis(1))])
    held.assign([story("b", "Roads shut around square", 0.1, between)])
    start = held.event_of("a")
    assert held.event_of("b") == start
    moves = []
    for n in range(2):
        item = story(f"r{n}", f"Flood leaves roads shut in {n + 2} towns", 0.2 + n / 10, axis(2))
        moves += held.assign([item])[0].moved
    assert held.event_of("b") != held.event_of("a")
    assert ("b", start, held.event_of("b")) in moves


def test_a_change_of_model_compares_words_only() -> None:
    """Vectors of two models are never compared; the same headline is still known as a copy."""
    held = index()
    old = story("a", "Ferry runs aground off Northport in fog", 0, axis(1))
    held.assign([old])
    other = story("b", "Ferry runs aground off Northport in fog", 1, axis(1))
    new = EmbeddedStory(other.story, other.passages, np.ones((1, 32), np.float32), "other-model")
    third = story("c", "Something else altogether in Larkhill today", 1, axis(1))
    assert held.assign([new])[0].copy_of == "a"
    assert held.assign([third])[0].new_event


def test_a_story_that_waited_over_an_upgrade_is_filed_by_words() -> None:
    """One of the packaged model without the second view is compared by words; others go on."""
    model = f"packaged/{DEFAULT_WEIGHTS[:12]}/t1"

    def seen(id: str, title: str, view: np.ndarray) -> EmbeddedStory:
        plain = story(id, title)
        vectors = np.stack([np.tile(axis(1), 6)] * len(plain.passages))
        return EmbeddedStory(plain.story, plain.passages, vectors, model, view)

    held, view = index(), np.tile(axis(3), 6)
    held.assign([seen("a", "Ferry runs aground off Northport", view)])
    bare = seen("b", "Ship hits rocks at Northport", view[:0])
    copy = seen("c", "Ferry runs aground off Northport!", view[:0])
    first, second = held.assign([bare, copy])
    assert first.new_event and second.copy_of == "a"
    (later,) = held.assign([seen("d", "Northport ferry stuck on rocks", view)])
    assert later.event == held.event_of("a")


def test_a_broken_record_is_counted_not_fatal() -> None:
    """A record cut short or from the future is left out; the rest is restored."""
    held = index()
    held.assign([story("a", "Ferry runs aground off Northport", 0, axis(1))])
    record = held.pack("a")
    other = index()
    assert other.restore([record[:20], b"", b"\x63" + record[1:], record]) == 3
    assert other.stories() == ["a"]
    with pytest.raises(ValueError, match="cut short"):
        records.unpack(record[:-1])


def test_average_link_stops_a_chain() -> None:
    """A row of neighbours, each like the next only, does not become one event."""
    count = 12
    links = np.zeros((count, count))
    for at in range(count - 1):
        links[at, at + 1] = links[at + 1, at] = 0.6
    assert len(set(average_link(links, 0.3))) >= 5


def test_a_story_without_vectors_is_still_filed() -> None:
    """Whatever is missing, a story gets an event."""
    told = story("a", "…", 0).story
    empty = EmbeddedStory(told, (), np.zeros((0, 64), np.float32), "m")
    assert index().assign([empty])[0].new_event
    assert told.published == NOON


def together() -> tuple[EventIndex, dict[str, str]]:
    """An index in which three reports of one happening are one event, and where each is."""
    made = index()
    title = "Ferry aground at Northport, {} say"
    made.assign(
        [
            story("a", title.format("police"), 0.0, axis(0, 0.3, 1), source="Wire"),
            story("b", title.format("crews"), 0.5, axis(0, 0.3, 2), source="Post"),
            story("c", title.format("union"), 1.0, axis(0, 0.3, 3), source="Herald"),
        ]
    )
    made.changed()
    return made, {name: made.event_of(name) for name in "abc"}


def test_a_story_that_is_not_the_same_happening_is_kept_apart() -> None:
    """It gets an event of its own; what is like both later does not bring them together again."""
    made, was = together()
    assert len(set(was.values())) == 1
    parted = made.part("c", "kept apart by Anna")
    assert parted is not None
    assignment, others = parted
    assert (assignment.why, set(others)) == ("kept apart by Anna", {"a", "b"})
    assert assignment.moved == (("c", was["c"], assignment.event),)
    assert made.event_of("a") == made.event_of("b") == was["a"] != made.event_of("c")
    assert made.changed() == {"a", "b", "c"}
    for n in range(8):
        title = f"Ferry aground at Northport, pilots say {n}"
        made.assign([story(f"d{n}", title, 1.1 + n / 10, axis(0, 0.3, n), source=f"Outlet {n}")])
        assert made.event_of("a") == made.event_of("b") != made.event_of("c")


def test_what_is_kept_apart_stays_so_over_a_restart() -> None:
    """Records and the pairs that are kept give the same events, and later stories part the same."""
    made, was = together()
    assert made.part("c", "x") is not None
    again = index()
    again.restore([made.pack(name) for name in made.stories()])
    again.keep_apart("c", ["a", "b"])
    new = story("d", "Ferry aground at Northport, pilots say", 1.2, axis(0, 0.3, 9), source="Echo")
    assert [one.event for one in again.assign([new])] == [one.event for one in made.assign([new])]
    assert again.event_of("a") == was["a"] != again.event_of("c")


def test_only_a_story_among_others_can_be_parted() -> None:
    """A copy, a story alone and one that is not there change nothing."""
    made, _ = together()
    made.assign([story("a2", "Ferry aground at Northport, police say", 1.5, axis(0, 0.3, 1))])
    assert made.part("a2", "x") is None and made.part("nowhere", "x") is None
    assert made.part("c", "x") is not None and made.part("c", "x") is None
    made.forget(NOON + 400 * HOUR)
    assert len(made) == 0
