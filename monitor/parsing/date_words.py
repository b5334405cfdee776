"""The words and numbers of a date: months and weekdays by name, zones, days and years."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import product

from monitor.parsing.date_names import Meaning, date_names, fold_name
from monitor.parsing.zone_names import zone_named

_TOKEN = re.compile(r"\d+|[^\d\s,;:|/()+'·•@-]+(?:['-][^\d\s,;:|/()+'·•@-]+)*'?")
_LOOSE = frozenset(" ,;.-|/()'·•:@")
# Words between the parts of a date, and endings of ordinal numbers.
_ENDINGS = "st nd rd th er o a e º ª го"
_BETWEEN = """
    the of at on de del d do la las los le à um uhr den der kl klo om uur ob u alle ore ora godz m
    gada saat в о г р м ч год года року рік час ngày lúc năm น เวลา ที่ พศ คศ ს წ يوم في بتاريخ الساعة
    às h hs hrs ώρα στισ ב בשעה"""
_FILLERS = frozenset((_ENDINGS + _BETWEEN).split())


class DateWords:
    """The words and numbers of a date, without its time and numeric parts."""

    def __init__(self, text: str, language: str) -> None:
        self.numbers: list[str] = []
        self.months: list[tuple[Meaning, ...]] = []
        self.weekdays: list[tuple[Meaning, ...]] = []
        self.zone: tzinfo | None = None
        self.understood = not (set(_TOKEN.sub("", text)) - _LOOSE)
        tokens: list[str] = _TOKEN.findall(text)
        at = 0
        while at < len(tokens) and self.understood:
            at += self._take(tokens, at, language)

    def _take(self, tokens: list[str], at: int, language: str) -> int:
        """Understand the token at `at`, and those that make one name with it; return how many."""
        token = tokens[at]
        if token.isdigit():
            self.numbers.append(token)
            return 1
        for many in (3, 2, 1):
            if meanings := _named("".join(tokens[at : at + many]), language):
                kinds = {meaning.kind for meaning in meanings}
                (self.weekdays if kinds == {"w"} else self.months).append(meanings)
                return many
        name = token.replace(".", "")
        if name and (zone := zone_named(name, language)):
            self.zone = self.zone or zone
        elif name and name not in _FILLERS:
            self.understood = False
        return 1

    def dates(self) -> Iterator[tuple[int, int, int]]:
        """Yield every date that the words and numbers can be."""
        for meanings in product(*self.months):
            months = {meaning.number for meaning in meanings if meaning.kind == "m"}
            if len(months) == 1 and (found := _day_and_year(self.numbers)):
                day, year = found  # a month may be named twice, as Arabic papers do
                yield year, months.pop(), day

    def falls_on(self, date: tuple[int, int, int]) -> bool:
        """Whether a date is on a weekday that is named."""
        try:
            on = datetime(*date, tzinfo=UTC).weekday()
        except ValueError:
            return False
        named = [*self.weekdays, *self.months]
        return any(m.kind == "w" and m.number == on for meanings in named for m in meanings)


def _named(word: str, language: str) -> tuple[Meaning, ...]:
    """Return what a word means: in the feed's language if it is known there, else in any."""
    name = fold_name(word)
    names = date_names()
    meanings = names.get(name) or names.get(name.removeprefix("ב").removesuffix("ที่"), ())
    if len(meanings) > 1 and language:
        primary = language.partition("-")[0]
        ours = tuple(meaning for meaning in meanings if primary in meaning.languages)
        return ours or meanings
    return meanings


def _day_and_year(numbers: list[str]) -> tuple[int, int] | None:
    """Return day and year from the numbers that stand beside a month's name."""
    if len(numbers) == 1 and len(numbers[0]) == 4:
        return 1, int(numbers[0])
    if len(numbers) != 2:
        return None
    first, second = numbers
    if len(first) == 4 and len(second) <= 2:
        return int(second), int(first)
    if len(first) <= 2 and len(second) in (2, 4):
        return int(first), full_year(second)
    return None


def full_year(digits: str) -> int:
    """Return the year that figures mean: two stand for 1969 to 2068."""
    year = int(digits)
    if len(digits) > 2:
        return year
    return year + (2000 if year < 69 else 1900)
