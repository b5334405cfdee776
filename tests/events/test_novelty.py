from __future__ import annotations

import pytest
from eventtools import axis, index, story
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.novelty import find, is_correction
from monitor.events.outcomes import outcomes_in
from monitor.model import Story


def says(title: str, summary: str = "") -> tuple[str, str] | None:
    """Kind and word of what is new against an event of which nothing is known."""
    story = Story(id="x", title=title, summary=summary)
    new = find(story, set(), set(), 0, is_correction(story), lambda term: 8.0)
    return (new.kind, new.word) if new else None


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Quake kills 2 in valley", ("number", "2")),
        ("Fund loses $4.5 billion", ("number", "4.5 billion")),
        ("Minister denies leaving", ("status", "denies")),
        ("Search ends for hikers", ("status", "ends")),
        ("Correction: the vote was held in May", ("correction", "")),
        ("Talks go on as Lindqvist joins", ("name", "Lindqvist")),
        ("Rally draws 2 speakers", None),
        ("5 things to know about the vote", None),
        ("How we saw the 2024 race", None),
        ("Version 1.2.3 is out today", None),
    ],
)
def test_what_counts_as_new(title: str, expected: tuple[str, str] | None) -> None:
    """Figures, statuses, names and corrections are news; years, lists and small counts are not."""
    assert says(title) == expected


def test_the_line_is_the_sentence_that_says_it() -> None:
    """What is new only in the text below is told in that sentence, not in the headline."""
    new = find(
        Story(
            id="x",
            title="Crews at the quarry",
            summary="Work went on at night. The mayor said 17 were still missing.",
        ),
        set(), set(), 0, False, lambda term: 3.0,
    )  # fmt: skip
    assert new is not None
    assert new.line == "The mayor said 17 were still missing."


def test_what_the_event_has_said_before_is_not_new() -> None:
    """The same toll from another outlet is a confirmation, not a development."""
    held = index()
    _, second = held.assign(
        [
            story("a", "Earthquake in the eastern valley kills 12", 0, axis(1), source="A"),
            story("b", "At least 12 killed as valley is shaken", 1, axis(1), source="B"),
        ]
    )
    assert second.novelty == ""
    assert second.sources == ("A", "B")


@given(title=st.text(min_size=1, max_size=80), summary=st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_it(title: str, summary: str) -> None:
    """Whatever a feed sends, a story is filed and its novelty line stays within bounds."""
    held = index()
    held.assign([story("a", "Ferry aground at Northport", 0, axis(1))])
    found = held.assign([story("b", title, 0.1, axis(1), summary=summary)])[0]
    assert found.event
    assert len(found.novelty) <= 220


@pytest.mark.parametrize(
    ("headline", "expected"),
    [
        ("Pope Francis is dead, Vatican says", ("death",)),
        ("Liverpool sack manager Slot", ("resignation",)),
        ("Премьер-министр Франции Лекорню ушёл в отставку", ("resignation",)),
        ("Court rules Shell must halve emissions", ("ruling",)),
        ("Pro-EU party wins high-stakes Moldovan election", ("result",)),
        ("Guilty verdict in Combs trial", ("verdict",)),
        ("Партия Санду победила на выборах", ("result",)),
        ("Sheinbaum and Petro sign trade deal", ("deal",)),
        ("Air Canada cabin crew walk out", ("strike",)),
        ("Court to rule on Shell emissions", ()),
        ("Opposition calls on premier to resign", ()),
        ("Could Smith win the election?", ()),
        ("EU packaging rules: why small firms worry", ()),
    ],
)
def test_an_outcome_is_told_from_what_is_expected(headline: str, expected: tuple[str, ...]) -> None:
    """What has ended is an outcome; what is asked for, planned or possible is none."""
    assert outcomes_in(headline) == expected


def test_an_outcome_is_new_once_for_its_event() -> None:
    """The verdict is new after the preview of it, and no longer after another outlet told it."""
    held = index()
    _, told, again = held.assign(
        [
            story("a", "Jury retires in Northport arson trial", 0, axis(1), source="A"),
            story("b", "Northport arson trial: mayor found guilty", 1, axis(1), source="B"),
            story("c", "Mayor guilty in Northport arson trial", 2, axis(1), source="C"),
        ]
    )
    assert told.novelty_kind == "outcome"
    assert again.novelty_kind != "outcome"
