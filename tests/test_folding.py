"""Text as it is compared: one spelling for what readers take for the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.folding import fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Diyarbakır", "DİYARBAKIR"),
        ("IŞIK", "ışık"),
        ("مـصـر", "مصر"),  # tatweel
        ("ایران", "إيران"),  # Persian ye, hamza
        ("کرمان", "كرمان"),  # Persian kaf
        ("می‌شود", "میشود"),  # zero-width non-joiner
        ("غزّة", "غزه"),  # vowel signs, the closing letter as people type it
        ("Łódź", "LODZ"),
        ("Ørsted", "orsted"),
        ("Đorđe", "Dorde"),
        ("can’t", "can't"),
        ("O＇Neil", "O'Neil"),
        ("«mir»", '"mir"'),
        ("12\u202f000", "12 000"),
        ("ＮＡＴＯ", "nato"),
        ("ｶﾞｻﾞ", "ガザ"),
        ("٣٤٥", "۳۴۵"),
        ("ΣΕΙΣΜΌΣ", "σεισμός"),
        ("Ёлка", "елка"),
        ("Straße", "STRASSE"),
        ("co\u00adoperation", "cooperation"),
        ("e\u0301lysée", "Élysée"),
        ("น\u0e4d\u0e49าท่วม", "น\u0e49\u0e33ท่วม"),  # Thai am, typed in two parts around its tone
    ],
)
def test_spellings_of_one_word_are_one(one: str, other: str) -> None:
    """What readers take for the same word compares as the same."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("バス", "パス"),  # bus, path
        ("ガキ", "カキ"),
        ("район", "раион"),
        ("ไม่", "ไม้"),  # not, wood: the tone is the difference
        ("दिन", "दीन"),  # day, poor
        ("서울", "서욹"),
        ("12", "13"),
    ],
)
def test_different_words_stay_apart(one: str, other: str) -> None:
    """A mark that makes another word is no accent."""
    assert fold(one) != fold(other)


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    """Whatever the text, the folded form is final, in one line, and has no blank at its ends."""
    folded = fold(text)
    assert fold(folded) == folded == " ".join(folded.split())


@given(st.text(st.characters(max_codepoint=0x24F), max_size=40))
def test_case_never_matters(text: str) -> None:
    """Upper and lower case of Latin text compare as the same."""
    assert fold(text.upper().lower()) == fold(text.upper())
