"""Severity: who is read for it, what the reading means, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from monitor.analysis.offline import severity_reader
from monitor.codec import pack_embedded, unpack_embedded
from monitor.editors import severity
from monitor.editors.severity import SeverityReader, grounds, severity_of
from monitor.embedding import embed_stories
from monitor.embedding.multilingual import MultilingualEmbedder
from monitor.errors import ModelError
from monitor.model import EmbeddedStory, Matrix, Passage, Story

LIKELY = (0.99, 0.9, 0.2, 0.01)  # at least routine, notable, major, flash


def item(title: str, lead: str = "") -> EmbeddedStory:
    """A story without a body."""
    passages = [Passage(0, "title", title, title)]
    if lead:
        passages.append(Passage(1, "lead", lead, f"{title}. {lead}"))
    vectors = np.zeros((len(passages), 4), np.float32)
    return EmbeddedStory(Story(id=title, title=title), tuple(passages), vectors, "m")


class NotableToAll:
    """A model that finds everything notable and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    def __call__(self, texts: Sequence[str]) -> Matrix:
        """Answer, or fail."""
        if self.fails:
            raise ModelError("out of memory")
        self.asked += texts
        return np.tile(np.array(LIKELY, np.float32), (len(texts), 1))


def test_a_text_that_comes_again_is_not_read_again() -> None:
    """Copies share one reading, in one batch and later; the lead is read with the headline."""
    model = NotableToAll()
    reader = SeverityReader(model)
    story = item("A bridge closes", lead="Thousands must take the ferry.")
    reader.over([story, story])
    [again] = reader.over([story])
    assert again.levels == pytest.approx(LIKELY)
    assert model.asked == ["A bridge closes. Thousands must take the ferry."]


def test_a_model_that_fails_leaves_the_level_unknown() -> None:
    """An unknown level holds nothing back; the stories go on."""
    model = NotableToAll()
    model.fails = True
    [found] = SeverityReader(model).over([item("A bridge closes")])
    assert severity_of(found) == "" and found.story.title == "A bridge closes"


@pytest.mark.parametrize(
    ("title", "levels", "word", "why"),
    [
        ("A law passes", LIKELY, "notable",
         "at least routine 99%, at least notable 90%, at least major 20%, at least flash 1%"),
        ("Fire kills 12 in a hotel", LIKELY, "major", "the headline tells of 12 dead"),
        ("Flood kills 2", (0.99, 0.9, 0.8, 0.0), "major",
         "at least routine 99%, at least notable 90%, at least major 80%"),
        ("Pickets at the dock where fire killed 120", (0.9, 0.1, 0.0, 0.0), "notable",
         "the headline tells of 120 dead"),
        ("Floods kill 340", (), "flash", "the headline tells of 340 dead"),
        ("A list of ten films", (0.1, 0.0, 0.0, 0.0), "none", "at least routine 10%"),
    ],
)  # fmt: skip
def test_a_level_and_what_it_rests_on(
    title: str, levels: tuple[float, ...], word: str, why: str
) -> None:
    """The graver of reading and death toll counts, and `explain` can say which it was."""
    story = replace(item(title), levels=levels)
    assert (severity_of(story), grounds(story)) == (word, why)


def test_a_toll_alone_holds_nothing_back() -> None:
    """Nobody read it: two dead may not be the gravest of it, so the level stays unknown."""
    story = item("Blast at refinery kills 2, fuel sales stopped in three regions")
    assert severity_of(story) == ""


def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest readings go first, and a long lead is read and kept in part."""
    monkeypatch.setattr(severity, "REMEMBERED", 2)
    model = NotableToAll()
    reader = SeverityReader(model)
    for title in ("one", "two", "one", "three", "one", "two"):
        reader.over([item(title, lead="long " * 200)])
    assert [text[:3] for text in model.asked] == ["one", "two", "thr", "two"]
    assert {len(text.partition(". ")[2]) for text in model.asked} == {severity.LEAD}


def test_a_reading_survives_the_way_to_triage() -> None:
    """Levels are stored with the story; one stored before they were read has none."""
    story = replace(item("A bridge closes"), levels=LIKELY)
    fields = {name.encode(): value for name, value in pack_embedded(story).items()}
    assert unpack_embedded(fields).levels == LIKELY
    for damaged in (b"[]", b"[0.5]", b"[NaN,0,0,0]"):
        assert unpack_embedded(fields | {b"levels": damaged}).levels == ()
    del fields[b"levels"]
    assert unpack_embedded(fields).levels == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "lead", "word"),
    [
        ("Five ways to keep a small kitchen tidy", "", "none"),
        ("Ce que l'on peut lire cet été : nos dix romans préférés", "", "none"),
        ("Minister opens a new wing of the museum in Westhaven", "", "routine"),
        ("Airport shut by IT failure, hundreds of flights cancelled", "", "notable"),
        ("Mindestens 30 Tote bei Zugunglück im Süden", "", "major"),
        ("Hundreds dead as earthquake flattens towns in the north",
         "The interior ministry puts the toll at 640 and expects it to rise.", "flash"),
        ("Hunderte Tote nach Erdbeben, ganze Orte zerstört",
         "Das Innenministerium spricht von 640 Toten.", "flash"),
    ],
)  # fmt: skip
def test_the_real_model_reads_consequence(
    multilingual: MultilingualEmbedder, title: str, lead: str, word: str
) -> None:
    """One plain case for each level; what it reads worse is in docs/explanation/severity.md."""
    reader = severity_reader(multilingual)
    assert reader is not None
    story = Story(id="s", title=title, summary=lead)
    [found] = reader.over(embed_stories(multilingual, [story], 4))
    assert severity_of(found) == word
