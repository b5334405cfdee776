"""Lexical gates: words a story must contain (`require`) or must not (`exclude`)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from monitor.config.schema import Gate


@dataclass(frozen=True, slots=True)
class GateReport:
    """What a gate found in a text: the words met, and the words of `all` that are missing."""

    passed: bool
    met: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def fold(text: str) -> str:
    """Return text as gates compare it: no case, no accents, plain quotes and dashes, one space."""
    text = unicodedata.normalize("NFKD", text.casefold())
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = text.translate(_PLAIN)
    return " ".join(text.split())


def check(gate: Gate, folded: str) -> GateReport:
    """Hold one gate against a folded text; an empty gate passes.

    For `require`, passed means the story may go on. For `exclude`, ask `excludes`.
    """
    met = tuple(word for word in (*gate.any, *gate.all) if _pattern(word).search(folded))
    missing = tuple(word for word in gate.all if word not in met)
    any_ok = not gate.any or any(word in met for word in gate.any)
    return GateReport(any_ok and not missing, met, missing)


def excludes(gate: Gate, folded: str) -> GateReport:
    """Return whether an `exclude` gate rules the text out: one of `any`, or the whole of `all`."""
    met = tuple(word for word in (*gate.any, *gate.all) if _pattern(word).search(folded))
    hit = any(word in met for word in gate.any)
    hit = hit or (bool(gate.all) and all(word in met for word in gate.all))
    return GateReport(hit, met)


_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-"}
)


@lru_cache(maxsize=50_000)
def _pattern(word: str) -> re.Pattern[str]:
    """Compile a word, phrase or `prefix*`; it matches whole words only, a `*` any ending."""
    folded = fold(word)
    parts = (re.escape(part) for part in folded.split("*"))
    body = r"\w*".join(parts).replace(r"\ ", r"\s+")
    return re.compile(rf"(?<!\w){body}(?!\w)")
