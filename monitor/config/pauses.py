"""Pauses: hours of every day, or days of the calendar, in which a person is sent nothing. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator

from monitor.config.value_types import as_list

LONGEST = 31  # days of one pause
_HOUR = r"(?:[01]?\d|2[0-3]):[0-5]\d|24:00"
_DAY = rf"2\d{{3}}-\d\d-\d\d(?:[ T](?:{_HOUR}))?"
_TO = r"\s*(?:-|–|—|\bto\b|\buntil\b|\.\.)\s*"
_HOURS = re.compile(rf"({_HOUR}){_TO}({_HOUR})")
_DAYS = re.compile(rf"({_DAY}){_TO}({_DAY})")
_EXAMPLES = "write 22:00-07:00 for every day, or 2026-12-24 to 2027-01-02 for once"


@dataclass(frozen=True, slots=True)
class Pause:
    """From when to when: times of day ("22:00"), or days ("2026-12-24", "2026-12-24 18:00").

    A day without a time is meant whole, the last one too.
    """

    start: str
    end: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "22:00-07:00" or "2026-12-24 to 2027-01-02".

        Raises:
            ValueError: with a message that says how to write one.
        """
        plain = " ".join(text.split())
        if found := _HOURS.fullmatch(plain):
            pause = cls(found[1].zfill(5), found[2].zfill(5))
            if pause.start == pause.end or pause.start == "24:00":
                raise ValueError(f'"{plain}" is no stretch of a day; {_EXAMPLES}')
            return pause
        found = _DAYS.fullmatch(plain)
        if found is None:
            raise ValueError(f'"{plain[:60]}" says no time to pause; {_EXAMPLES}')
        pause = cls(_plain_day(found[1]), _plain_day(found[2]))
        try:
            start, end = pause._moments()
        except (ValueError, OverflowError):
            raise ValueError(f'"{plain}" names a day that no calendar has; {_EXAMPLES}') from None
        if not start < end:
            raise ValueError(f'"{plain}" ends before it begins; {_EXAMPLES}')
        if end - start > timedelta(days=LONGEST):
            raise ValueError(f'"{plain}" is longer than {LONGEST} days; unsubscribe instead')
        return pause

    @property
    def daily(self) -> bool:
        """Whether it comes every day."""
        return len(self.start) == len("22:00")

    def between(self, zone: str) -> tuple[float, float]:
        """Return when a pause of days begins and ends in a time zone, in Unix seconds."""
        start, end = self._moments()
        where = ZoneInfo(zone)
        return start.replace(tzinfo=where).timestamp(), end.replace(tzinfo=where).timestamp()

    def _moments(self) -> tuple[datetime, datetime]:
        return _moment(self.start), _moment(self.end, whole=True)

    def __str__(self) -> str:
        return f"{self.start}-{self.end}" if self.daily else f"{self.start} to {self.end}"


def leading(text: str) -> str:
    """Return the words at the start of `text` that have the form of a pause, or ""."""
    found = _HOURS.match(text) or _DAYS.match(text)
    return found[0] if found and text[found.end() : found.end() + 1] in ("", " ") else ""


def _plain_day(text: str) -> str:
    day, _, hour = text.replace("T", " ").partition(" ")
    return f"{day} {hour.zfill(5)}" if hour else day


def _moment(text: str, whole: bool = False) -> datetime:
    day, _, hour = text.partition(" ")
    later = hour == "24:00" or (whole and not hour)
    begins = datetime.combine(
        date.fromisoformat(day), time.fromisoformat(hour) if hour and not later else time()
    )
    return begins + timedelta(days=later)


PauseText = Annotated[str, AfterValidator(lambda text: str(Pause.parse(text)))]
Pauses = Annotated[
    tuple[PauseText, ...], BeforeValidator(as_list, json_schema_input_type=str | list[str])
]
