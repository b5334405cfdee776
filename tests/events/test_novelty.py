from __future__ import annotations

import pytest
from eventtools import axis, index, story
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.lexicon import STATUSES
from monitor.events.novelty import LINE, Known, find, is_correction
from monitor.events.outcomes import outcomes_in
from monitor.model import Story
from monitor.sentences import sentences
from monitor.text import one_line


def says(title: str, summary: str = "") -> tuple[str, str] | None:
    """Kind and word of what is new against an event of which nothing is known."""
    story = Story(id="x", title=title, summary=summary)
    new = find(story, Known(), is_correction(story), lambda term: 8.0)
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
        ("Eclipse seen on 12 august", None),
        ("Forest fire near the town", None),
        ("Troupe with a 150-year history", None),
        ("City has changed since the turmoil of 2019-20", None),
        ("August 12 toll of 17 in Spain", ("number", "17")),
    ],
)
def test_what_counts_as_new(title: str, expected: tuple[str, str] | None) -> None:
    """Figures, statuses, names and corrections are news; years, lists and small counts are not."""
    assert says(title) == expected


@pytest.mark.parametrize(
    ("title", "new"),
    [
        ("Ferry fire: 9 dead", False),  # an outlet that is behind
        ("Ferry fire kills 14", False),
        ("Ferry fire kills 17", True),
        ("Ferry fire toll lowered: 9 dead", True),
        ("Second ferry fire kills 9", True),
        ("Downpour at the ferry fire, 9 dead", False),
        ("Ferry fire: 9 dead, 30 arrested", True),
    ],
)
def test_a_toll_below_the_known_one_is_not_new(title: str, new: bool) -> None:
    """A count of dead that is behind what an event has said is no news, unless it is a revision."""
    known = Known(toll=14, statuses=frozenset(STATUSES.values()))
    found = find(Story(id="x", title=title), known, False, lambda term: 3.0)
    assert (found is not None) == new


def test_the_line_is_the_sentence_that_says_it() -> None:
    """What is new only in the text below is told in that sentence, not in the headline."""
    new = find(
        Story(
            id="x",
            title="Crews at the quarry",
            summary="Work went on at night. The mayor said 17 were still missing.",
        ),
        Known(), False, lambda term: 3.0,
    )  # fmt: skip
    assert new is not None
    assert new.line == "The mayor said 17 were still missing."


SUMMARY = (
    "Officials gave few details. It was the worst in years. The fire killed 17 people in the "
    "quarry, mayor Lindqvist said on Monday. Another 17 are"
)


@pytest.mark.parametrize(
    ("title", "summary", "expected"),
    [
        ("Quarry fire kills 17", SUMMARY,
         "The fire killed 17 people in the quarry, mayor Lindqvist said on Monday."),
        ("Quarry fire kills 17, mayor Lindqvist resigns", SUMMARY,
         "Quarry fire kills 17, mayor Lindqvist resigns"),
        ("Quarry fire kills 17", "He put the toll at 17.", "Quarry fire kills 17"),
        ("Quarry fire kills 17", "The post Quarry fire kills 17 appeared first on Example.",
         "Quarry fire kills 17"),
        ("Quarry fire", "Crews said so on X. The toll is 17. It may rise.", "The toll is 17."),
        ("Quarry fire", "The U.S. Army lost 17 men in St. Louis on Aug. 10. Crews work.",
         "The U.S. Army lost 17 men in St. Louis on Aug. 10."),
        ("Quarry fire", "Fines of 17 million… That’s the sum. More to come.",
         "Fines of 17 million… That’s the sum."),
        ("Quarry fire", "“Shame. We lost 17 friends. Never again,” he said. Work stopped.", None),
        ("採石場で火災", "消防が出動した。17人が死亡した。調査が続く。", "17人が死亡した。"),
        ("खदान में आग", "दमकल पहुंची। आग में 17 लोग मारे गए। जांच जारी है।", "आग में 17 लोग मारे गए।"),
    ],
)  # fmt: skip
def test_the_line_says_most_that_is_new(title: str, summary: str, expected: str | None) -> None:
    """A whole sentence that stands by itself, from text or headline, in any script."""
    new = find(Story(id="x", title=title, summary=summary), Known(), False, lambda term: 3.0)
    if expected is None:
        assert new is None
    else:
        assert new is not None and new.line == expected


def test_no_sentence_is_quoted_twice() -> None:
    """An agency's sentence that another outlet brought is passed over for the next that is new."""
    held = index()
    said = "Rescuers pulled 17 miners from the shaft."
    _, first, second, third = held.assign(
        [
            story("a", "Shaft collapses at Westmark mine", 0, axis(1), source="A"),
            story("b", "Miners brought up alive", 1, axis(1), source="B", summary=said),
            story("c", "Rescued: 17 miners, and 9 more still below", 2, axis(1), source="C",
                  summary=said),
            story("d", "Miners brought up", 3, axis(1), source="D", summary=f"Go on. {said}"),
        ]
    )  # fmt: skip
    assert first.novelty == said
    assert second.novelty == "Rescued: 17 miners, and 9 more still below"
    assert third.novelty == ""


def test_a_sentence_from_deep_in_a_text_is_quoted_once() -> None:
    """Two outlets have one agency's report: the second is quoted by its own headline."""
    deep = "Work went on through the night at the old pit. " * 14
    deep += "Crews freed 17 miners, foreman Lindqvist said."
    held = index()
    _, first, second = held.assign(
        [
            story("a", "Shaft collapses at Westmark mine", 0, axis(1), source="A"),
            story("b", "Miners rescued at Westmark", 1, axis(1), source="B", body=deep),
            story("c", "Westmark rescue: 17 are out", 2, axis(1), source="C", body=f"{deep} Ends."),
        ]
    )
    assert first.novelty == "Crews freed 17 miners, foreman Lindqvist said."
    assert second.novelty in ("Westmark rescue: 17 are out", "")


def test_what_was_quoted_is_known_after_a_restart() -> None:
    """The quoted sentence is stored with its story."""
    held = index()
    said = "Rescuers pulled 17 miners from the shaft."
    held.assign(
        [
            story("a", "Shaft collapses at Westmark mine", 0, axis(1), source="A"),
            story("b", "Miners brought up alive", 1, axis(1), source="B", summary=said),
        ]
    )
    again = index()
    assert again.restore([held.pack("a"), held.pack("b")]) == 0
    assert again.pack("b") == held.pack("b")
    later = story("c", "Miners brought up", 2, axis(1), source="C", summary=f"Go on. {said}")
    [assignment] = again.assign([later])
    assert not assignment.new_event and assignment.novelty != said


PIECES = (
    "Mayor fire killed 17 U.S. said. He… “No.” 12.5 million Lindqvist resigns? mine; — 死亡した。 "
    '17人 मारे। قتل ١٢ \u202e\u200b The dies No. Mr. 10 Aug. 2019-20 " «Да» ...'
)
WORDS = st.sampled_from((*PIECES.split(), "\n"))


@given(
    title=st.lists(WORDS, min_size=1, max_size=40).map(" ".join),
    summary=st.lists(WORDS, max_size=80).map(" ".join),
    body=st.lists(WORDS, max_size=80).map("\n".join),
    corrects=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_a_line_invents_nothing(title: str, summary: str, body: str, corrects: bool) -> None:
    """Whatever is quoted stands in the cleaned story, word for word, up to the ellipsis."""
    told = Story(id="x", title=title, summary=summary, body=body)
    new = find(told, Known(), corrects, lambda term: 8.0)
    if new is not None:
        texts = [one_line(text) for text in (title, summary, body)]
        assert any(new.line.removesuffix("…") in text for text in texts)
        assert len(new.line) <= LINE


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_sentences_are_all_of_the_text(text: str) -> None:
    """Taking a text apart loses nothing but blanks and what is invisible."""
    assert "".join("".join(sentences(text)).split()) == "".join(one_line(text).split())


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
