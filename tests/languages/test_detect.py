"""The language of a story: the feed's word, unless the story's own words say otherwise."""

from __future__ import annotations

import pytest

from monitor.languages.detect import story_language

RUSSIAN = "Ночью беспилотники повредили подстанцию под Харьковом, без света остались пять районов"
UKRAINIAN = (
    "Вночі безпілотники пошкодили підстанцію біля Харкова, без світла лишилися п'ять районів"
)
NORWEGIAN = "Regjeringen vil gi kommunene mer penger til barnehager neste år"


@pytest.mark.parametrize(
    ("said", "title", "expected"),
    [
        ("uk", RUSSIAN, "ru"),  # the same outlet's feed in another language
        ("ru", UKRAINIAN, "uk"),
        ("de", "Five people were hurt when a bus left the road near the northern border", "en"),
        ("en-US", "Senate passes the budget after a night of talks in Washington", "en-US"),
        ("pt-BR", "O governo anunciou novas regras para a venda de terras na Amazônia", "pt-BR"),
        ("no", NORWEGIAN, "no"),
        ("da", NORWEGIAN, "da"),  # a headline cannot tell them apart
        ("nb", NORWEGIAN, "nb"),
        ("en, fr", "Le président a reçu les syndicats mardi soir à l'Élysée", "fr"),
        ("", UKRAINIAN, "uk"),
        ("uk", "BBC: LIVE", "uk"),  # too short to say
        ("en", "NASA ISS EVA-93", "en"),
        ("", "", ""),
    ],
)
def test_words_overrule_the_feed_only_where_they_are_sure(
    said: str, title: str, expected: str
) -> None:
    """A story goes by what it is written in; where that is not sure, by what its feed says."""
    assert story_language(said, title) == expected


def test_a_detector_that_fails_leaves_what_the_feed_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stories come in even where the library cannot be loaded."""
    monkeypatch.setattr("monitor.languages.detect.detector", lambda: None)
    assert story_language("uk", RUSSIAN) == "uk"
