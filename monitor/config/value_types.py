"""The values that settings are made of: durations, lists of words, addresses, short names."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from monitor.config.cron import zone_fault

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
LONGEST = 3650 * 86400.0  # seconds: a longer duration is a slip of the finger
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_duration(value: object) -> float:
    """Turn "90s", "10m", "1h30m", "14d" or a number of seconds into seconds.

    Raises:
        ValueError: with a message that says how to write one.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        text = str(value).strip().lower()
        parts = _DURATION.findall(text)
        if re.fullmatch(r"\d{1,12}(\.\d+)?", text):
            seconds = float(text)
        elif parts and not _DURATION.sub("", text).strip():
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        else:
            raise ValueError(f"{value!r} is not a duration; write for example 90s, 10m, 6h or 14d")
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"{value!r} is not between 0 and ten years; write for example 6h or 14d")
    return seconds


def as_list(value: object) -> object:
    """Return a single value as a list of one."""
    return value if isinstance(value, list | tuple) else [value]


Duration = Annotated[
    float, BeforeValidator(parse_duration, json_schema_input_type=str | int | float)
]
Words = Annotated[tuple[str, ...], BeforeValidator(as_list, json_schema_input_type=str | list[str])]


def known_zone(name: str) -> str:
    """Return the name of a time zone.

    Raises:
        ValueError: it is no IANA name; the message says what to write.
    """
    if fault := zone_fault(name):
        raise ValueError(fault)
    return name


Zone = Annotated[str, AfterValidator(known_zone)]
ZoneOrNone = Annotated[str, AfterValidator(lambda name: name and known_zone(name))]


SLUG = r"^[a-z0-9][a-z0-9._-]{0,79}$"
Slug = Annotated[str, Field(pattern=SLUG)]


def two_digits(value: object) -> object:
    """Return "6:30" as "06:30"."""
    return f"0{value}" if isinstance(value, str) and re.fullmatch(r"\d:\d\d", value) else value


def short_days(value: object) -> object:
    """Return days of the week by their first three letters: "Monday" and "Mon" are "mon"."""
    words = value if isinstance(value, list | tuple) else [value]
    return [_short_day(word) for word in words]


def _short_day(word: object) -> object:
    text = word.strip().lower().rstrip(".") if isinstance(word, str) else ""
    found = [day[:3] for day in _WEEK if len(text) >= 3 and day.startswith(text)]
    return found[0] if found else word


_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Days = Annotated[
    tuple[Day, ...], BeforeValidator(short_days, json_schema_input_type=Day | list[Day])
]
TimeOfDay = Annotated[str, BeforeValidator(two_digits, json_schema_input_type=str)]

# Whom a critical alert calls in Slack: @here, @channel, or the ID of a user or user group.
Mentions = Annotated[
    tuple[Annotated[str, Field(pattern=r"^(@here|@channel|[SUW][A-Z0-9]{4,})$")], ...],
    BeforeValidator(as_list, json_schema_input_type=str | list[str]),
]
