"""Places that a text names, in any script: towns, regions and countries, each with its country.

Two reports are hardly of one event where one is in Samara and the other in Volgograd. The names are
from GeoNames (towns of 50,000 people and more, CC BY 4.0), Unicode CLDR (countries in 60 languages)
and lists of our own (regions, adjectives of countries); `python -m training.place_names` writes
them to `place_names.txt.gz`.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("place_names.txt.gz")
MOST = 6  # places kept of one story
_LONGEST = 4  # words of a name

_RUN = re.compile(r"[^\W_]+(?:[.'’ʼ-][^\W_]+)*\.?")
_DENSE = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+")  # scripts without spaces
_PREFIXED = re.compile(r"[\u0590-\u06ff]")  # Hebrew and Arabic write "in" and "and" onto the word
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_ENDINGS = re.compile(
    r"(?:ской|ская|ский|ском|ского|ской|скую|ські|ська|ського|ській|ському|ську|ский|ским|"
    r"ами|ями|ого|ому|ой|ей|ом|ем|ах|ях|ою|єю|ів|ові|[аеёиоуыэюяьйіїє])$"
)
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
# Names in which a place stands for a paper, a team's sponsor or a bank.
_NOT_HERE = re.compile(
    r"\b(?:New York (?:Times|Post)|Washington (?:Post|Times|Examiner)|Los Angeles Times|"
    r"Boston Globe|Chicago Tribune|Times of India|Japan Times|Jerusalem Post|Wall Street Journal|"
    r"Financial Times|Indian Ocean|South China Sea|East China Sea|Sea of Japan|Gulf of Mexico|"
    r"Texas Instruments|Bank of America|American Airlines|Air India)\b"
)


@lru_cache(maxsize=100_000)
def key_of(word: str) -> str:
    """Return what a word is looked up by: no case, accents, final dot, "'s" or Cyrillic ending."""
    low = word.casefold()
    if not low.isascii():
        plain = unicodedata.normalize("NFKD", low)
        low = "".join(letter for letter in plain if not unicodedata.combining(letter))
        low = low.replace("’", "'").replace("ʼ", "'").replace("ı", "i")
    low = low.rstrip(".")
    head, mark, _ = low.partition("'")
    if mark and len(head) > 2:
        low = head
    if len(low) > 4 and _CYRILLIC.match(low):
        cut = _ENDINGS.sub("", low)
        return cut if len(cut) >= 3 else low
    return low


def keys_of(name: str) -> str:
    """Return the key of a name of one or several words; a name in a dense script stays itself."""
    return name if _DENSE.fullmatch(name) else " ".join(key_of(word) for word in _RUN.findall(name))


class Places:
    """The table of names. A place is a number; `country` gives its country's number.

    Lines of the table: code of the country, English name, keys (`keys_of`), with tabs between. The
    first line of a code is the country itself; a line "=XX" adds keys to the country XX.

    Attributes:
        names: what a place is called in English, by number (0 is no place).
        country: the number of the country of each place; a country is its own.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.names: list[str] = [""]
        self.country: list[int] = [0]
        self._of: dict[str, int] = {}
        codes: dict[str, int] = {}
        for line in lines:
            code, name, *keys = line.rstrip("\n").split("\t")
            if code.startswith("="):
                number = codes[code[1:]]
            else:
                number = len(self.names)
                self.names.append(name)
                self.country.append(codes.setdefault(code, number))
            for key in keys:
                self._of.setdefault(key, number)
        self._longest = max((len(key) for key in self._of if _DENSE.fullmatch(key)), default=1)
        self._first = {key.partition(" ")[0] for key in self._of}

    def find(self, text: str) -> tuple[int, ...]:
        """Return the places that a text names, in order, each once."""
        found: dict[int, None] = {}
        text = _NOT_HERE.sub(" ", text)
        if not text.isascii():
            for match in _DENSE.finditer(text):
                found.update(dict.fromkeys(self._in_run(match[0])))
            text = _DENSE.sub(" ", text)
        words = _RUN.findall(text)
        at = 0
        while at < len(words):
            length, number = self._at(words, at)
            if number:
                found[number] = None
            at += length
        return tuple(found)

    def is_name(self, text: str) -> bool:
        """Whether a text is the name of one place and nothing else, marks around it apart."""
        return keys_of(_EDGES.sub("", text)) in self._of

    def _at(self, words: list[str], at: int) -> tuple[int, int]:
        """Return how many words the name at a place has, and its number (0: no name, one word)."""
        first = words[at]
        if first[0].islower() and not _CYRILLIC.match(first):
            return 1, 0
        key = key_of(first)
        if key in self._first:
            keys = [key, *(key_of(word) for word in words[at + 1 : at + _LONGEST])]
            for length in range(len(keys), 0, -1):
                if number := self._of.get(" ".join(keys[:length])):
                    return length, number
        if _PREFIXED.match(first):
            for cut in (1, 2, 3):
                if len(key) > cut + 2 and (number := self._of.get(key[cut:])):
                    return 1, number
        if "-" in first:  # "Moscow-based", "US-Iran", but not "Crans-Montana"
            parts = [(part, self._of.get(key_of(part), 0)) for part in first.split("-")]
            if all(number or part[:1].islower() for part, number in parts):
                return 1, next((number for _, number in parts if number), 0)
        return 1, 0

    def _in_run(self, text: str) -> Iterator[int]:
        at = 0
        while at < len(text):
            for length in range(min(self._longest, len(text) - at), 1, -1):
                if number := self._of.get(text[at : at + length]):
                    yield number
                    at += length
                    break
            else:
                at += 1


@cache
def places() -> Places:
    """Return the shipped table, read once."""
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        return Places(lines)


@lru_cache(maxsize=4096)
def places_in(text: str) -> tuple[int, ...]:
    """Return the places that a text names, most `MOST` of them, in order."""
    return places().find(text)[:MOST]
