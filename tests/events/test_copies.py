from __future__ import annotations

import pytest
from eventtools import axis, index, story
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.text import sketch, strip_outlet
from tests.support.examples import examples

WIRE = (
    "Rescue teams reached the last of the villages cut off by the landslide on Sunday, bringing "
    "food and blankets to four hundred people who had spent three nights in a school gymnasium, "
    "the district governor said, while engineers began clearing the mountain road."
)


def test_same_headline_from_another_outlet_is_a_copy_linked_to_the_first() -> None:
    """A headline re-issued with an outlet's name appended is held to be the same story."""
    held = index()
    first, second = held.assign(
        [
            story("a", "Ferry runs aground off Northport in thick fog", 0, axis(1), source="Post"),
            story(
                "b", "Ferry runs aground off Northport in thick fog - The Daily News", 1, axis(1),
                source="The Daily News",
            ),
        ]
    )  # fmt: skip
    assert (first.copy_of, second.copy_of, second.copy_kind) == ("", "a", "title")
    assert second.event == first.event
    assert "Ferry runs aground" in second.why


def test_wire_text_under_another_headline_is_a_copy() -> None:
    """Ten mastheads may retitle one wire text; its words give it away."""
    held = index()
    a, b = held.assign(
        [
            story("a", "Aid reaches villages after landslide", 0, axis(1), summary=WIRE),
            story("b", "Cut off for three nights, at last a truck", 2, axis(1, 0.5), summary=WIRE),
        ]
    )
    assert (b.copy_of, b.copy_kind) == ("a", "text")
    assert a.event == b.event


def test_retitled_article_at_the_same_address_is_a_copy() -> None:
    """The same page under a new headline is not told again."""
    held = index()
    url = "https://example.org/news/harbour-fire-2291"
    _, b = held.assign(
        [
            story("a", "Fire breaks out in harbour warehouse", 0, axis(1), url=url),
            story("b", "Harbour warehouse in flames, crews on site", 1, axis(1), url=url),
        ]
    )
    assert (b.copy_of, b.copy_kind) == ("a", "url")


def test_alerts_that_share_a_page_are_not_copies() -> None:
    """Alert pages give every alert one address: 1 of 4 was told, the others held as copies."""
    held = index()
    url = "https://example.org/warnings/current"
    _, *others = held.assign(
        [
            story("a", "Flood warning issued in Northport", 0, axis(1), url=url),
            story("b", "Gale closes the bridge at Easton", 1, axis(1), url=url),
            story("c", "Heat plan activated across Westland", 2, axis(1), url=url),
        ]
    )
    assert [one.copy_of for one in others] == ["", ""]


def test_a_number_that_differs_makes_it_a_development_not_a_copy() -> None:
    """A toll that rises must reach the desk, at the same address or another."""
    held = index()
    url = "https://example.org/news/quake-eastern-valley"
    _, same_page, elsewhere = held.assign(
        [
            story("a", "Earthquake in the eastern valley kills 12", 0, axis(1), url=url),
            story("b", "Earthquake in the eastern valley kills 40", 1, axis(1), url=url),
            story("c", "Earthquake in the eastern valley kills 240", 2, axis(1)),
        ]
    )
    assert same_page.copy_of == elsewhere.copy_of == ""
    assert same_page.event == elsewhere.event
    assert (elsewhere.novelty_kind, elsewhere.novelty) == (
        "number",
        "Earthquake in the eastern valley kills 240",
    )


def test_a_place_that_differs_is_no_copy() -> None:
    """The next town's fire is another fire, however alike the words."""
    held = index()
    _, b = held.assign(
        [
            story("a", "Two firefighters hurt as warehouse burns in Lowick", 0, axis(1)),
            story("b", "Two firefighters hurt as warehouse burns in Marden", 1, axis(1)),
        ]
    )
    assert b.copy_of == ""


def test_a_page_used_for_something_else_is_no_copy() -> None:
    """An address that is filled anew each day does not swallow what it shows next."""
    held = index()
    url = "https://example.org/todays-briefing-page"
    _, b = held.assign(
        [
            story("a", "Parliament passes the budget after long night", 0, axis(1), url=url),
            story("b", "Storm closes the ring road and three schools", 20, axis(9), url=url),
        ]
    )
    assert b.copy_of == ""


def test_an_edited_story_is_a_revision_unless_its_figures_changed() -> None:
    """`revises` alone makes a copy; new figures make a development of the same event."""
    held = index()
    a, b, c = held.assign(
        [
            story("a", "Bus overturns on the coast road, 3 hurt", 0, axis(1)),
            story("b", "Bus overturns on coastal road, 3 hurt", 1, axis(1), revises="a"),
            story("c", "Bus overturns on the coast road, 9 hurt", 2, axis(7), revises="b"),
        ]
    )
    assert (b.copy_of, b.copy_kind) == ("a", "revision")
    assert c.copy_of == ""
    assert a.event == b.event == c.event


def test_a_corrected_version_says_so() -> None:
    """A correction is a copy of what it corrects, yet marked, and its line is given."""
    held = index()
    _, b = held.assign(
        [
            story("a", "Minister to leave office in March, party says", 0, axis(1)),
            story("b", "Correction: Minister to leave office in March, party says", 3, axis(1)),
        ]
    )
    assert b.corrects == ("a",)
    assert b.novelty_kind == "correction"
    assert b.novelty.startswith("Correction:")


def test_copies_are_no_further_source_and_owners_count_once() -> None:
    """Independent sources are owners of originals: a copy and a sister outlet add nothing."""
    held = index()
    titles = [
        ("a", "Dam above Eastwick gives way after rain", "BBC News"),
        ("b", "Dam above Eastwick gives way after rain", "The Example Post"),
        ("c", "Flood in Eastwick as dam above town gives way", "BBC Sport"),
        ("d", "Eastwick flooded: dam gives way above the town", "The Other Paper"),
    ]
    items = [story(i, t, n / 10, axis(1), source=s) for n, (i, t, s) in enumerate(titles)]
    *_, last = held.assign(items)
    assert last.sources == ("BBC", "The Other Paper")


@pytest.mark.parametrize(
    ("title", "source", "left"),
    [
        ("Dam fails at night - The Example Times", "The Example Times", "Dam fails at night"),
        ("Dam fails at night | Example News | Latest", "Latest", "Dam fails at night"),
        ("Dam fails at night - 12 dead", "Example", "Dam fails at night - 12 dead"),
        ("Live updates: Dam fails at night", "", "Dam fails at night"),
        ("", "Example", ""),
    ],
)
def test_only_an_outlets_name_is_cut_from_a_headline(title: str, source: str, left: str) -> None:
    """Tails that say something stay; tails that only name the outlet go."""
    assert strip_outlet(title, source) == left


def test_short_texts_have_no_sketch() -> None:
    """Under a dozen words nothing can be recognised by its wording."""
    assert sketch("Too short to tell") == ()
    assert len(sketch(WIRE)) == 16


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("四川发生5.6级地震，未有伤亡报告", "四川发生5.6级地震，未有伤亡报告 - 联合早报"),
        ("四川发生5.6级地震，未有伤亡报告", "四川发生5.6级地震，未有伤亡报告_新华网"),
        ("Quake in Eastwick: 12,000 left", "Quake in Eastwick: 12 000 left"),
        ("Quake in Eastwick: 12,000 poor", "Quake in Eastwick: 12\u202f000 poor"),
        ("Dam above Eastwick gives way", "The Example Post: Dam above Eastwick gives way"),
        ("Взрыв на заводе в городе Истуик", "Взрыв на заводе в городе Истуик - Новая газета"),
        ("Dam above Yaoundé gives way at night", "DAM ABOVE YAOUNDE GIVES WAY AT NIGHT"),
        ("नेपाल में बाढ़ से भारी तबाही", "नेपाल में बाढ़ से भारी तबाही - दैनिक जागरण"),
        ("Dam above Eastwick gives way", "Dam above Eastwick gives way (Example Agency)"),
        ("Dam above Eastwick gives way", "Dam above Eastwick gives way - The Al-Monitor Daily"),
        ("Dam above Eastwick gives way", "Dam above Eastwick gives way - BBC News - World"),
        ("Взрыв на заводе в городе Истуик", "Взрыв на заводе в городе Истуик // РБК"),
        ("工場で火災、けが人なし", "工場で火災、けが人なし（共同通信）"),
        ("Quake in Eastwick: 12,000 left", "Quake in Eastwick: 12.000 left"),
        ("بلغ عدد القتلى ١٢ في الزلزال", "بلغ عدد القتلى 12 في الزلزال"),
    ],
)  # fmt: skip
def test_a_headline_is_the_same_in_any_script_and_with_any_outlet(one: str, two: str) -> None:
    """One report reprinted is a copy, whatever its script, figures' blanks and outlet's name."""
    held = index()
    a, b = held.assign(
        [story("a", one, 0, axis(1), source="A"), story("b", two, 1, axis(1), source="B")]
    )
    assert b.copy_of == "a"
    assert b.sources == a.sources == ("A",)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Quake at Eastwick leaves 12,000 homeless", "Quake at Eastwick leaves 12 homeless"),
        ("四川发生5.6级地震，未有伤亡报告", "四川发生6.1级地震，未有伤亡报告"),
        ("Dam above Eastwick gives way", "Dam above Eastwick gives way - 12 dead"),
        ("Gaza: dozens killed in overnight strike", "Kyiv: dozens killed in overnight strike"),
        ("Government falls after lost vote - Peru", "Government falls after lost vote - Japan"),
        ("Government falls after lost vote (Peru)", "Government falls after lost vote"),
        ("Dam above Eastwick gives way", "Dam above Eastwick gives way (12 dead)"),
        ("Lee: we shall not leave the talks", "Kim: we shall not leave the talks"),
    ],
)
def test_another_figure_place_or_speaker_is_no_copy(one: str, two: str) -> None:
    """What differs is news, in any script; an outlet's name is only what one of them has."""
    held = index()
    _, b = held.assign([story("a", one, 0, axis(1)), story("b", two, 1, axis(1))])
    assert b.copy_of == ""


def test_what_a_stranger_published_old_silences_nobody() -> None:
    """One feed offers another's headline in advance, as old: the other's own report stays news."""
    held = index()
    _, own, same = held.assign(
        [
            story("x", "Dam above Eastwick gives way", 0, axis(1), owner="X", stale=True),
            story("b", "Dam above Eastwick gives way", 1, axis(1), owner="B"),
            story("x2", "Dam above Eastwick gives way", 2, axis(1), owner="X"),
        ]
    )
    assert own.copy_of == "x" and not own.copy_of_old
    assert same.copy_of_old


def test_only_its_own_owner_corrects_a_story() -> None:
    """A correction by an outlet that reported nothing corrects nothing."""
    held = index()
    _, stranger, own = held.assign(
        [
            story("a", "Minister to leave office in March", 0, axis(1), owner="A"),
            story("x", "Correction: Minister to leave office in March", 1, axis(1), owner="X"),
            story("b", "Correction: Minister to leave office in May", 2, axis(1), owner="A"),
        ]
    )
    assert stranger.corrects == ()
    assert own.corrects == ("a",)


_words = {
    "latin": st.lists(st.text("abcdefghijklmnopqrstuvwxyzéøł", min_size=3, max_size=9), min_size=5,
                      max_size=9).map(" ".join),
    "cyrillic": st.lists(st.text("абвгдежзийклмнопрст", min_size=3, max_size=9), min_size=5,
                         max_size=9).map(" ".join),
    "han": st.text("四川发生地震未有伤亡报告联合早日前暴雨", min_size=9, max_size=20),
    "arabic": st.lists(st.text("ابتثجحخدذرزسش", min_size=3, max_size=7), min_size=5,
                       max_size=9).map(" ".join),
}  # fmt: skip
_outlets = st.sampled_from(
    ["The Example Post", "联合早报", "Новая газета", "El País", "دارالخبر", "Ünal Gazetesi"]
)
_forms = st.sampled_from(
    ["{} - {}", "{} | {}", "{} – {}", "{} — {}", "{1}: {0}", "{}\u00a0- {}", "{}｜{}", "{}"]
)


@examples(150)
@given(st.sampled_from(sorted(_words)).flatmap(_words.get), _outlets, _forms, st.booleans())
def test_whatever_the_script_a_reprint_is_a_copy(
    said: str, outlet: str, form: str, upper: bool
) -> None:
    """With an outlet's name before or behind it, in capitals or not: one report, one source."""
    held = index()
    again = form.format(said.upper() if upper else said, outlet)
    a, b = held.assign(
        [story("a", said, 0, axis(1), source="A"), story("b", again, 1, axis(1), source="B")]
    )
    assert (b.copy_of, b.sources) == ("a", a.sources)


@examples(100)
@given(
    st.integers(1000, 9_999_999),
    st.integers(1000, 9_999_999),
    st.sampled_from([",", " ", "\u00a0", "\u202f", "\u2009", "’"]),
)
def test_a_figure_is_what_it_says_however_it_is_grouped(one: int, two: int, blank: str) -> None:
    """Only another figure makes another report."""
    held = index()
    a, b = held.assign(
        [
            story("a", f"Floods near Eastwick leave {one:,} homeless", 0, axis(1)),
            story("b", f"Floods near Eastwick leave {two:,} homeless".replace(",", blank), 1),
        ]
    )
    assert (b.copy_of == a.story) is (one == two)
    again = f"Floods near Eastwick leave {one:,} homeless".replace(",", blank)
    (same,) = held.assign([story("c", again, 2, axis(1))])
    assert same.copy_of


def test_an_aggregators_report_counts_for_the_outlet_it_names() -> None:
    """Google News carries a paper's report and names it: with the paper's own, one source."""
    titles = (
        "Dam above Eastwick gives way after rain",
        "Eastwick flooded as the dam above it breaks",
        "Town of Eastwick under water after dam failure",
    )
    gathered = {"source": "Google News", "owner": "google.com", "outlet": "BBC News"}
    own = {"source": "BBC News", "owner": "BBC"}
    other = {"source": "The Other Paper", "owner": "The Other Paper"}
    for order in ((gathered, own, other), (own, gathered, other)):
        held = index()
        *_, last = held.assign(
            [
                story(name, title, n / 10, axis(1), **fields)
                for n, (name, title, fields) in enumerate(zip("abc", titles, order, strict=True))
            ]
        )
        assert set(last.sources) == {"BBC", "The Other Paper"}


def test_naming_outlets_makes_no_further_sources_and_takes_none_away() -> None:
    """One feed that names three outlets is one source, and the outlet named still counts."""
    held = index()
    title = "Dam above Eastwick gives way, {}"
    items = [
        story(f"x{n}", title.format(word), n / 10, axis(1), owner="x.example", outlet=name)
        for n, (name, word) in enumerate(
            [("BBC News", "town floods"), ("Reuters", "many flee"), ("AP", "army helps")]
        )
    ]
    *_, posing = held.assign(items)
    assert posing.sources == ("x.example",)
    own = story("b", title.format("bridges shut"), 1, axis(1), owner="BBC", source="BBC News")
    (joined,) = held.assign([own])
    assert "BBC" in joined.sources
