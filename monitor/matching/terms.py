"""Words: what a topic and a passage have in common, for people to see."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from monitor import english
from monitor.english import FUNCTION_WORDS

_WORD = re.compile(r"[^\W_]+(?:[.'’-][^\W_]+)*\.?", re.UNICODE)


def content_words(text: str) -> list[str]:
    """Return the words of a text that carry meaning, as written, each once.

    Abbreviations keep their letters: "US" is a country, "us" is not a content word.
    """
    words = [word.rstrip(".") if word.count(".") < 2 else word for word in _WORD.findall(text)]
    parts = [part for word in words for part in word.split("-") if part]
    return list(
        dict.fromkeys(
            part for part in parts if part.isupper() or part.lower() not in FUNCTION_WORDS
        )
    )


def shared_terms(phrases: Iterable[str], passage: str, limit: int = 6) -> tuple[str, ...]:
    """Return words of the passage, as written, whose stem also stands in one of the phrases."""
    wanted = {root for phrase in phrases for root, _ in _roots(phrase)}
    found: dict[str, str] = {}
    for root, word in _roots(passage):
        if root in wanted and len(root) > 1:
            found.setdefault(root, word)
    return tuple(found.values())[:limit]


@lru_cache(maxsize=20_000)
def _roots(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((stem(word), word) for word in content_words(text))


def stem(word: str) -> str:
    """Return the English stem of a word (Snowball), without possessive or dots."""
    plain = word.casefold().replace("’", "'").removesuffix("'s").replace(".", "")
    return english.stem(plain)
