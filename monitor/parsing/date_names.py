"""Names of months and weekdays in the languages of news feeds.

The names are the Unicode CLDR's, kept in `date_names.json` because loading them through Babel takes
a second and 70 MB in every parser process. `python -m monitor.parsing.date_names` writes the file
anew; a test holds the two equal.
"""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

from monitor.parsing.zone_names import zone_named

_FILE = Path(__file__).with_suffix(".json")
_CODES = """
    en de fr es pt it nl pl ru uk tr ar ar-SY ar-DZ ar-MA fa he ja zh ko vi id sv da nb fi cs sk hu
    ro bg el sr sr-Latn hr ca th hi et lv lt sl mk sq hy ka az kk bn ta te mr
    ur ms fil sw eu gl is ga cy be bs
"""
LANGUAGES = tuple(_CODES.split())
# In use, but not in the CLDR.
_MORE = {
    "sept": "m9:en", "tues": "w1:en", "weds": "w2:en", "thur": "w3:en", "thurs": "w3:en",
    "mrz": "m3:de", "jän": "m1:de", "jänner": "m1:de", "feber": "m2:de", "pażdz": "m10:pl",
    "sabato": "w5:it", "set": "m9:pt", "setiembre": "m9:es", "vi": "w4:ca", "พฤ": "w3:th",
}  # fmt: skip

_SAME = str.maketrans(
    {
        **dict.fromkeys("'’ʼ׳`", ""),
        "ı": "i", "\u0307": "", "أ": "ا", "إ": "ا", "آ": "ا", "ی": "ي", "ک": "ك", "ـ": "",
    }
)  # fmt: skip


class Meaning(NamedTuple):
    """What a name stands for: `kind` "m" a month (1 to 12) or "w" a weekday (0 is Monday)."""

    kind: str
    number: int
    languages: frozenset[str]


def fold_name(text: str) -> str:
    """Return a name as the table has it: one spelling, no dots, apostrophes or blanks.

    Turkish capitals, and Arabic with and without hamza, are one spelling.
    """
    text = unicodedata.normalize("NFKC", text).casefold().translate(_SAME)
    return "".join(char for char in text if char != "." and not char.isspace())


@cache
def date_names() -> dict[str, tuple[Meaning, ...]]:
    """Return folded name -> its meanings; most names have one."""
    raw = json.loads(_FILE.read_text(encoding="utf-8"))["names"]
    return {name: tuple(map(read_meaning, said.split(" "))) for name, said in raw.items()}


def read_meaning(said: str) -> Meaning:
    """Read one meaning of a name as the file has it: "m3:en,de" is March in two languages."""
    what, _, languages = said.partition(":")
    return Meaning(what[0], int(what[1:]), frozenset(languages.split(",")))


def from_cldr() -> dict[str, str]:
    """Return the table as it is written, made from Babel's copy of the CLDR.

    Besides the CLDR's own forms it has names without accents and the first three letters of Latin,
    Greek and Cyrillic months, where these mean nothing else.
    """
    from babel import Locale

    proper: dict[str, dict[str, set[str]]] = {}
    derived: dict[str, dict[str, set[str]]] = {}
    for language in LANGUAGES:
        locale = Locale.parse(language, sep="-")
        for kind, names in (("m", locale.months), ("w", locale.days)):
            for context in ("format", "stand-alone"):
                for width in ("wide", "abbreviated"):
                    for number, value in names[context][width].items():
                        meaning = f"{kind}{number}"
                        _note(proper, value, meaning, language)
                        _note(derived, _without_accents(value), meaning, language)
                        if kind == "m" and unicodedata.name(value[0], "").startswith(
                            ("LATIN", "GREEK", "CYRILLIC")
                        ):
                            _note(derived, value[:3], meaning, language)
                            _note(derived, _without_accents(value)[:3], meaning, language)
    for name, said in _MORE.items():
        meaning, _, language = said.partition(":")
        _note(proper, name, meaning, language)
    for name, meanings in derived.items():
        if name not in proper and len(meanings) == 1 and not zone_named(name):
            proper[name] = meanings
    return {
        name: " ".join(
            f"{meaning}:{','.join(sorted(languages))}"
            for meaning, languages in sorted(meanings.items())
        )
        for name, meanings in sorted(proper.items())
        if not any(char.isdigit() for char in name)
    }


def _note(table: dict[str, dict[str, set[str]]], name: str, meaning: str, language: str) -> None:
    primary = language.partition("-")[0]
    table.setdefault(fold_name(name), {}).setdefault(meaning, set()).add(primary)


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return "".join(char for char in apart if not "\u0300" <= char <= "\u036f")


def main() -> None:
    """Write the file anew."""
    source = "Unicode CLDR by way of Babel; (c) 1991-2025 Unicode, Inc., Unicode License v3"
    table = {"source": source, "names": from_cldr()}
    text = json.dumps(table, ensure_ascii=False, indent=0)
    _FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
