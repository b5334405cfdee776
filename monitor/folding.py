"""Texts made comparable: spellings that a reader takes for the same become the same text.

Word gates, silences, search, copies and keys all compare folded text, so that they agree. Folding
is for comparing only; what people read is never folded.

What is one: upper and lower case (Turkish and Azeri i with and without a dot included), accents of
Latin, Greek, Cyrillic, Hebrew and Arabic, letters with a stroke (ł, ø, đ), full and half width,
every kind of quotation mark, apostrophe, dash and blank, digits of every script, Arabic letters
that differ by hamza, by tatweel or as Persian writes them. What stays apart: the voicing marks of
Japanese, the vowel and tone signs of Indic and South-East Asian scripts, й and ї: there, a mark
makes another word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from monitor.text import strip_invisible

_LETTERS = {
    "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ŋ": "n", "ð": "d", "þ": "th",
    "æ": "ae", "œ": "oe", "ə": "e", "ɨ": "i", "ƶ": "z", "ß": "ss", "ς": "σ",
    # Arabic as Persian and Urdu write it, and the letters people use for one another
    "ی": "ي", "ى": "ي", "ې": "ي", "ے": "ي", "ک": "ك", "ہ": "ه", "ھ": "ه", "ە": "ه", "ة": "ه",
    "ۃ": "ه", "ٱ": "ا", "ـ": "",
    "ґ": "г", "״": '"', "׳": "'", "־": "-",
}  # fmt: skip
_MARKS = {
    **dict.fromkeys("’‘‛ʼʻʹʽ`´′＇", "'"),
    **dict.fromkeys("“”„‟«»″＂〝〞", '"'),
    **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
    **dict.fromkeys("\u200c\u200d", ""),  # the joiners shape letters and say nothing
    "…": "...",
}
_ONE = {**_LETTERS, **_MARKS}
_SAME = str.maketrans(_ONE)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
# Thai and Lao am, whose parts stand on either side of a tone as people type them.
_AM = re.compile("([\u0e4d\u0ecd])([\u0e48-\u0e4b\u0ec8-\u0ecb])")
_WORD = 24  # letters of the longest stretch that is worth remembering
_WHOLE = frozenset("йї")  # letters of their own, though Unicode takes them apart


def fold(text: str) -> str:
    """Return text as it is compared: one case, one spelling, one space between words.

    Folding what is folded changes nothing. Of ASCII only the case and the blanks change, so the
    rest is folded stretch by stretch, and the words met again and again only once.
    """
    text = strip_invisible(text)
    if not text.isascii():
        text = _BEYOND_ASCII.sub(_folded, text)
    return " ".join(text.lower().replace("`", "'").split())


def _folded(found: re.Match[str]) -> str:
    stretch = found[0]
    return _fold_word(stretch) if len(stretch) <= _WORD else _fold_stretch(stretch)


def _fold_stretch(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_SAME))
    text = unicodedata.normalize("NFKC", text.casefold())
    return _AM.sub(r"\2\1", unicodedata.normalize("NFC", text.translate(_PLAIN)))


_fold_word = lru_cache(maxsize=65_536)(_fold_stretch)


def _plain(letter: str) -> str:
    """Return one letter without its accents, and a digit of any script as ASCII."""
    if letter in _ONE:
        return _ONE[letter]
    if letter < "\x80" or letter in _WHOLE:
        return letter
    category = unicodedata.category(letter)
    if category == "Nd":
        return str(unicodedata.decimal(letter))
    if category == "Mn":
        return "" if _of_accents(letter) else letter
    apart = unicodedata.normalize("NFD", letter)
    if len(apart) == 1 or not _bears_accents(apart[0]):
        return letter
    base = "".join(mark for mark in apart if not unicodedata.combining(mark))
    return base.translate(_SAME)


def _bears_accents(letter: str) -> bool:
    """Say whether a mark on this letter is an accent: Latin to Arabic (Syriac starts at 0700)."""
    return letter < "\u0700" or "\u1e00" <= letter < "\u2000"


def _of_accents(mark: str) -> bool:
    """Say whether a mark on its own belongs to the scripts whose marks are accents."""
    return mark < "\u0700" or "\u1ab0" <= mark < "\u1b00" or "\u1dc0" <= mark < "\u1e00"


class _Plain(dict[int, str]):
    """`_plain` by code point, for `str.translate`: worked out once for each letter met."""

    def __missing__(self, point: int) -> str:
        found = self[point] = _plain(chr(point))
        return found


_PLAIN = _Plain()
