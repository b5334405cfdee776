"""What a story says, reduced to what copies and events are told by: terms, names, numbers.

Pure text work, no model. The same reduction serves comparing (`link`), recognising copies
(`copies`) and finding what is new (`novelty`).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from monitor import english
from monitor.english import FUNCTION_WORDS
from monitor.events.aliases import ALIASES, NUMBERS, SCALES
from monitor.folding import fold
from monitor.model import Story

BUCKETS = 1 << 18  # hashed vocabulary; bucket 0 is padding

NUMBER, NAME, TITLE, STATUS = 1, 2, 4, 8  # flags of a term

_ACRONYM = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_SPELLINGS = {"cease-fire": "ceasefire", "prime minister": "premier", "white house": "whitehouse"}
_SPELT_TWICE = re.compile("|".join(_SPELLINGS), re.IGNORECASE)
_DENSE = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]{2,}")  # scripts without spaces
_GROUPED = re.compile(r"(?<![\d.,])(\d{1,3})((?:[ \u00a0\u2009\u202f'’٬]\d{3})+)(?![\d.,]*\d)")
_FIGURE = re.compile(r"(?![0-9])\d")  # of another script
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_LABEL = re.compile(
    r"^(?:exclusive|live(?: updates?)?|watch|breaking(?: news)?|opinion|analysis|update \d+|"
    r"wrapup \d+|video|photos?|explainer|just in|developing)\s*(?:[:|]| - |-(?=\D)|— )\s*",
    re.IGNORECASE,
)
_TAIL = re.compile(r"\s+[-–—|•]\s+(?=[^-–—|•]{2,60}$)")
_HEAD = re.compile(r"([^:：]{2,40})[:：]\s*(?=\S)")
_OUTLET_WORD = re.compile(
    r"\b(?:news|times|post|herald|tribune|journal|guardian|reuters|cnn|bbc|npr|dw|axios|politico|"
    r"bloomberg|press|gazette|chronicle|observer|telegraph|independent|broadcasting|radio|tv|"
    r"magazine|daily|online|\w+\.(?:com|org|net|co|eu|tv|news|gov)(?:\.\w\w)?)\b",
    re.IGNORECASE,
)


def strip_outlet(title: str, *names: str) -> str:
    """Return the headline without the outlet's name at either end or a label at its start.

    "Dam fails - The Example Times | Latest News" becomes "Dam fails". What is dropped is one of
    the `names` its outlet goes by, or, at the end, reads like an outlet's; "Dam fails - 12 dead"
    stays whole.
    """
    text = _LABEL.sub("", title.strip()) or title.strip()
    own = [squashed for name in names if (squashed := _squash(name))]
    head = _HEAD.match(text)
    if head is not None and _squash(head[1]) in own:
        text = text[head.end() :]
    for _ in range(3):
        cut = _TAIL.search(text)
        if cut is None:
            break
        tail = _squash(text[cut.end() :])
        if tail not in own:
            akin = bool(tail) and any(tail in name or name in tail for name in own)
            if len(text[: cut.start()].split()) < 3:
                break
            if not akin and not _OUTLET_WORD.search(text[cut.end() :]):
                break
        text = text[: cut.start()].rstrip()
    return text


def _squash(text: str) -> str:
    return re.sub(r"[\W_]+", "", fold(text)).removeprefix("the")


@dataclass(frozen=True, slots=True)
class Token:
    """One content word: its stem, as it stood, and whether it is a number or looks like a name."""

    stem: str
    surface: str
    number: bool = False
    capital: bool = False


def stem(word: str) -> str:
    """Return the English stem of a lower-case word, or of the word it stands for ("french")."""
    return english.stem(ALIASES.get(word, word))


@lru_cache(maxsize=2048)
def tokens(text: str) -> tuple[Token, ...]:
    """Return the content words of `text` in order; numbers are normalised ("1,200", "twelve")."""
    text = _FIGURE.sub(lambda found: str(unicodedata.decimal(found[0])), text)
    text = _GROUPED.sub(lambda found: re.sub(r"\D", "", found.group()), text)
    text = unicodedata.normalize("NFKC", text)
    text = _ACRONYM.sub(lambda found: found.group().replace(".", ""), text)
    text = _SPELT_TWICE.sub(lambda found: _SPELLINGS[found.group().casefold()], text)
    found: list[Token] = []
    for match in _WORD.finditer(text):
        surface = match.group()
        lower = surface.casefold().replace("’", "'")
        if lower.endswith(("'s", "s'")):
            lower = lower[:-2] if lower.endswith("'s") else lower[:-1]
        if surface[0].isdigit():
            found.append(Token(_plain_number(surface), surface, number=True))
        elif lower in SCALES and found and found[-1].number:
            last = found.pop()
            found.append(
                Token(f"{last.stem}e{SCALES[lower]}", f"{last.surface} {surface}", number=True)
            )
        elif lower in NUMBERS and lower != "one":
            found.append(Token(NUMBERS[lower], surface, number=True))
        elif lower == "us" and surface.isupper():
            found.append(Token("usa", surface, capital=True))
        elif _DENSE.fullmatch(lower):  # no blanks tell where a word ends: pairs of letters do
            found += [Token(lower[at : at + 2], lower[at : at + 2]) for at in range(len(lower) - 1)]
        elif lower not in FUNCTION_WORDS and len(lower) > 1:
            found.append(Token(stem(lower), surface, capital=surface[0].isupper()))
    return tuple(found)


def _plain_number(text: str) -> str:
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+", text):
        text = text.replace(".", "")  # as most of Europe and South America groups figures
    return text.replace(",", ".").rstrip(".")


def title_case(words: Sequence[Token]) -> bool:
    """Whether nearly every word is capitalised, so that capitals say nothing about names."""
    letters = [word for word in words if not word.number]
    return len(letters) > 2 and sum(word.capital for word in letters) > 0.75 * len(letters)


def bucket(term: str) -> int:
    """Return the vocabulary bucket of a term, 1 to BUCKETS - 1; the same on every machine."""
    return zlib.crc32(term.encode()) % (BUCKETS - 1) + 1


def digest(sentence: str) -> int:
    """Return a number by which a sentence is known again; never 0, which stands for none."""
    return zlib.crc32(fold(sentence).encode()) or 1


def lead_of(story: Story, limit: int = 600) -> str:
    """Return the summary, or else the beginning of the body, at most `limit` characters."""
    return (story.summary or story.body)[:limit]


def sketch(text: str, size: int = 16, width: int = 4) -> tuple[int, ...]:
    """Return the `size` smallest hashes of the text's `width`-word shingles (bottom-k MinHash).

    Texts that share most of their shingles share most of their sketch (Broder 1997). Texts of
    fewer than 12 words have no sketch: they are too short to be recognised by.
    """
    words = [match.group().casefold() for match in _WORD.finditer(text)]
    if len(dense := "".join(_DENSE.findall(text))) > 30:
        words = list(dense)
    if len(words) < 12:
        return ()
    shingles = {
        zlib.crc32(" ".join(words[at : at + width]).encode())
        for at in range(len(words) - width + 1)
    }
    return tuple(sorted(shingles)[:size])
