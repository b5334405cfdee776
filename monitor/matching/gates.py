"""Lexical gates: words a story must contain (`require`) or must not (`exclude`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import regex

from monitor.config.schema import Gate, Topic
from monitor.folding import fold


@dataclass(frozen=True, slots=True)
class GateReport:
    """What a gate found in a text: the words met, and the words of `all` that are missing."""

    passed: bool
    met: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def check(gate: Gate, folded: str) -> GateReport:
    """Hold one gate against a folded text; an empty gate passes.

    For `require`, passed means the story may go on. For `exclude`, ask `excludes`.
    """
    met = tuple(word for word in (*gate.any, *gate.all) if _stands_in(word, folded))
    missing = tuple(word for word in gate.all if word not in met)
    any_ok = not gate.any or any(word in met for word in gate.any)
    return GateReport(any_ok and not missing, met, missing)


def excludes(gate: Gate, folded: str) -> GateReport:
    """Return whether an `exclude` gate rules the text out: one of `any`, or the whole of `all`."""
    met = tuple(word for word in (*gate.any, *gate.all) if _stands_in(word, folded))
    hit = any(word in met for word in gate.any)
    hit = hit or (bool(gate.all) and all(word in met for word in gate.all))
    return GateReport(hit, met)


def own_examples_shut_out(topic: Topic) -> Iterator[tuple[int, str]]:
    """Yield (number of the example, what is wrong) where a topic's gates stop its own examples."""
    for number, text in enumerate(topic.examples):
        folded = fold(text)
        required = check(topic.require, folded)
        if not required.passed:
            words = required.missing or topic.require.any
            lack = "it lacks" if required.missing else "it has none of"
            yield (
                number,
                f"the require gate shuts out the topic's own example {text!r}: {lack} "
                f"{', '.join(words)}; add one of its words to the gate",
            )
        excluded = excludes(topic.exclude, folded)
        if excluded.passed:
            yield (
                number,
                f"the exclude gate shuts out the topic's own example {text!r}, because of "
                f"{', '.join(excluded.met)}",
            )


# Scripts that put no blanks between words, or (Hangul) put particles right after them.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
_LETTER = r"[\p{L}\p{M}\p{N}_]"
_SPACED = rf"[\p{{L}}\p{{M}}\p{{N}}_--[{_UNSPACED}\p{{Hangul}}]]"
_UNSPACED_LETTER = regex.compile(rf"[{_UNSPACED}]", regex.V1)
_HANGUL = regex.compile(r"\p{Hangul}", regex.V1)


def _stands_in(word: str, folded: str) -> bool:
    """Say whether a word of a gate stands in a folded text."""
    parts = _parts(word)
    if any(part not in folded for part in parts):
        return False  # nearly always, and far cheaper than the pattern
    return _pattern(word).search(folded) is not None


@lru_cache(maxsize=50_000)
def _parts(word: str) -> tuple[str, ...]:
    return tuple(part for part in fold(word).split("*") if part)


@lru_cache(maxsize=50_000)
def _pattern(word: str) -> regex.Pattern[str]:
    """Compile a word, phrase or `prefix*`; it matches whole words only, a `*` any letters.

    Where a script has no blanks there are no whole words: Gaza is found within a Japanese sentence.
    Nor do its letters continue a word of another script: NATO stands alone within Chinese.
    """
    folded = fold(word)
    body = rf"{_LETTER}*".join(regex.escape(part) for part in folded.split("*"))
    before = rf"(?<!{_SPACED})"
    after = rf"(?!{_SPACED})"
    if _UNSPACED_LETTER.match(folded[:1]):
        before = ""
    elif _HANGUL.match(folded[:1]):
        before = r"(?<!\p{Hangul})"
    if _UNSPACED_LETTER.match(folded[-1:]) or _HANGUL.match(folded[-1:]):
        after = ""
    return regex.compile(before + body + after, regex.V1)
