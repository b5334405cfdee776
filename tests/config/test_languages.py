"""Languages: however a feed, a topic or a route writes one, it is the same language."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.routing import matches
from monitor.config.languages import language, language_codes, speaks
from monitor.config.load import examine
from monitor.config.schema import RouteMatch
from monitor.delivery.sample_alert import sample_alert


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("en", "en"),
        ("English", "en"),
        ("eng", "en"),
        ("en-us", "en-US"),
        ("en_GB", "en-GB"),
        ("English (UK)", "en"),
        ("en, fr", "en fr"),
        ("English and French", "en fr"),
        ("ua", "uk"),
        ("ukr", "uk"),
        ("gr", "el"),
        ("gre", "el"),
        ("cz", "cs"),
        ("cze", "cs"),
        ("cs_CZ.UTF-8", "cs-CZ"),
        ("deu", "de"),
        ("ger", "de"),
        ("Deutsch", "de"),
        ("русский", "ru"),
        ("francais", "fr"),
        ("TURKCE", "tr"),
        ("British English", "en"),
        ("Brazilian Portuguese, US English", "pt en"),
        ("日本語", "ja"),
        ("jp", "ja"),
        ("cmn-Hans", "zh-Hans"),
        ("iw", "he"),
        ("pt-BR", "pt-BR"),
        ("", ""),
        ("und", ""),
        ("gibberish", ""),
        ("xx", ""),
        ("x-default", ""),
    ],
)
def test_a_language_has_one_code(written: str, codes: str) -> None:
    """Codes of two and three letters, names in English and in the language itself, codes of
    countries and lists come out as the same codes; what is no language is unknown."""
    assert " ".join(language_codes(written)) == codes


@given(st.text(max_size=30))
def test_any_text_is_read_and_reading_it_again_changes_nothing(text: str) -> None:
    """No text breaks the reader, and what it returns is in its own spelling."""
    assert language(language(text)) == language(text)


@pytest.mark.parametrize(
    ("spoken", "wanted", "yes"),
    [
        ("uk", "ua", True),
        ("ua", "uk", True),
        ("English", "en", True),
        ("en-AU", "en", True),
        ("en, fr", "fr", True),
        ("en, fr", "de", False),
        ("nb-NO", "no", True),
        ("el", "gr", True),
        ("deu", "de", True),
        ("", "en", False),
    ],
)
def test_stories_topics_and_routes_agree(spoken: str, wanted: str, yes: bool) -> None:
    """A topic's and a route's languages take the story in, whichever way either is written."""
    assert speaks(spoken, [wanted]) is yes
    alert = sample_alert(0.0, language=spoken or "und")
    assert matches(RouteMatch(languages=(wanted,)), alert) is yes


def test_check_understands_and_says_what_to_write(tmp_path: Path) -> None:
    """A code that can mean one language only is read as that, with a warning; gibberish is a
    mistake."""
    (tmp_path / "feeds.yaml").write_text("- {url: https://a.example/rss, language: English}\n")
    (tmp_path / "topics.yaml").write_text("- {name: Floods, languages: [ua, deu, en]}\n")
    (tmp_path / "wirewatch.yaml").write_text("route: {match: {languages: [gr]}}\n")
    reading = examine(tmp_path, {})
    assert reading.errors == [] and len(reading.config.feeds) == len(reading.config.topics) == 1
    said = "\n".join(problem.message for problem in reading.problems)
    for code in ("en", "uk", "de", "el"):
        assert f'write "{code}"' in said
    (tmp_path / "topics.yaml").write_text("- {name: Floods, languages: [zz]}\n")
    assert "is not a language code" in examine(tmp_path, {}).errors[0].message
