"""Dates as publishers write them, to Unix seconds.

A date is understood as a whole or not at all: no part of the text is passed over unread, because a
date that is half understood is another date (feedparser read `2026/11/26 15:10:13` as the first of
the current month). RFC 822, RFC 3339, W3C dates and `asctime` come first; then any order of day,
month by number or by name in the languages of `date_names`, year, time, AM or PM, weekday and zone.

Rules where a text leaves a choice:

- No zone, or an offset that no place on Earth has (`+8000`): the time is read as UTC.
- No time: midnight. No day (`Nov. 2026`): the first.
- `03/04/2026`: dotted dates begin with the day. With slashes or hyphens the weekday decides, then
  the feed's language, then the other dates of the document; otherwise the date is unknown.
- A weekday that disagrees with a date that is clear is passed over; publishers get it wrong.
- Two-digit years are 1969 to 2068; years from 2400 to 2700 are Buddhist (Thai feeds).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from monitor.parsing.date_words import DateWords, full_year
from monitor.parsing.zone_names import offset, zone_named
from monitor.text import strip_invisible

_LONGEST = 120
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_RFC_822 = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?(\d{1,2}) +([A-Z][a-z]{2}) +(\d{4}) +"
    r"(\d{2}):(\d{2})(?::(\d{2}))? *(GMT|UTC|UT|Z|[+-]\d{4})",
    re.ASCII,
)
_RFC_3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?)? ?"
    r"([Zz]|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_W3C_SHORT = re.compile(r"(\d{4})(?:-(\d{2}))?", re.ASCII)
# ISO 8601: a day of the year, a day of a week.
_ORDINAL = re.compile(r"(\d{4})-(\d{3})(?=$|[Tt ])", re.ASCII)
_WEEK = re.compile(r"(\d{4})-?W(\d{2})(?:-?([1-7]))?(?=$|[Tt ])", re.ASCII | re.IGNORECASE)
# In seconds, or with three, six or nine figures more; 12 figures are a date and a time.
_UNIX = re.compile(r"(?:(\d{9,10})|(\d{10})(?:\d{3}){1,3})(?:\.\d+)?", re.ASCII)

_BEFORE_NOON = (
    "am|a\\.m\\.|上午|午前|오전|凌晨|早上|清晨|새벽|아침|صباحا|ص|π\\.?μ\\.?|дп|öö|ق\\.ظ\\.?|पूर्वाह्न"
)
_AFTER_NOON = (
    "pm|p\\.m\\.|下午|午後|午后|中午|傍晚|오후|저녁|晚上|مساء|م|μ\\.?μ\\.?|пп|ös|ب\\.ظ\\.?|अपराह्न"
)
_AM = re.compile(_BEFORE_NOON)
_HALF = rf"(?:{_BEFORE_NOON}|{_AFTER_NOON})"
_TIME = re.compile(
    rf"(?<![\d:.])(?:({_HALF})\s?)?(\d{{1,2}})"
    rf"(?:[:h](\d{{1,2}})(?::(\d{{1,2}})(?:[.,]\d+|:\d{{3,9}})?)?(?![\d:])(?:\s?({_HALF})(?!\w))?|\s?({_HALF})(?!\w|\s?\d+[:h]))"
)
_OFFSET = re.compile(r"[\s,]{0,2}\(?(?:gmt|utc|ut|z)?\s?([+-])(\d{1,2}):?(\d{1,2})?(?!\d)z?\)?")
_TOO_LONG_OFFSET = re.compile(r"\s?(?:gmt|utc|ut|z)?\s?[+-]\d{5,6}(?!\d)")
_NUMERIC = re.compile(
    r"(?<!\d)(?:(?P<y>\d{4})(?P<s1>\s?[./-]\s?)(?P<m>\d{1,2})(?P=s1)(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<s2>\s?[./-]\s?| )(?P<b>\d{1,2})(?P=s2)(?P<c>\d{4}|\d{2})"
    r"|(?P<y8>\d{4})(?P<m8>\d{2})(?P<d8>\d{2}))(?!\d)"
)
_DOTTED_TIME = re.compile(
    r"(?<![\d.])([01]?\d|2[0-3])\.([0-5]\d)(?![\d.])"
    r"|(?<=\d{4} )([01]?\d|2[0-3])\.([0-5]\d)\.([0-5]\d)(?![\d.])"
)
_AFTER_TIME = re.compile(r"\s?\(?([^\W\d_]{2,5})\b")
_IANA = re.compile(r"(?<![\w/])[a-z]+(?:/[a-z0-9_+-]+)+")
_COMMENT = re.compile(r"\([^()]*\)")
_YEAR_FIRST = frozenset({"ja", "zh", "ko", "hu"})  # 26/11/25 is the 25th
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "民國": 1911, "民国": 1911}  # the year before
_ERA = re.compile(rf"({'|'.join(_ERAS)})\s?(\d{{1,3}}|元)(?=\s?年)")
_AMERICAN = re.compile(r"\b(eastern|central|mountain|pacific) (?:(standard|daylight) )?time\b")
# East Asian and Vietnamese forms, written with figures.
_REWRITTEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일号號]?"), r" \1-\2-\3 "),
    (re.compile(r"^(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]$"), r"\1-\2-1"),
    (re.compile(r"(\d{1,2})\s?[時时點点시]\s?(\d{2})\s?[分분]\s?(\d{2})\s?[秒초]"), r" \1:\2:\3"),
    (re.compile(r"(\d{1,2})\s?[時时點点시]\s?(\d{2})\s?[分분]"), r" \1:\2"),
    (re.compile(r"(\d{1,2})\s?[時时點点시](?!\w)"), r" \1:00"),
    (re.compile(r"(\d{1,2}) (?:tháng|thg) (\d{1,2}),? (?:năm )?(\d{4})"), r" \1.\2.\3 "),
    (re.compile(r"thứ \d,?"), " "),
    (re.compile(r"\b([ap])\.? ?m\b\.?"), r"\1m"),
    (re.compile(r"(?<=:\d{2}) ?([ap])(?=$|[,. )])"), r"\1m"),
    (re.compile(r"(?<=\d)t(\d{2})(?=z?$|[+-])"), r" \1:00"),
    (re.compile(r"(?<=\d)t(\d{2})(\d{2})(\d{2})(?!\d)"), r" \1:\2:\3"),
    (re.compile(r"(?<=\d)t(?=\d)"), " "),
    (re.compile(r"(?<!\d)(\d{8}) ?(\d{2})(\d{2})(\d{2})(?!\d)"), r"\1 \2:\3:\4"),
    (re.compile(r"(?<!\d)(\d{8}) ?(\d{2})(\d{2})(?!\d)"), r"\1 \2:\3"),
    (re.compile(r"(?<![\d:.])(\d{1,2}) ?h ?(\d{2})(?!\d)"), r" \1:\2 "),
    (re.compile(r"(?<![\d:.])(\d{1,2}) ?h(?![\w:])"), r" \1:00 "),
    (re.compile(r"\[([^\[\]]*)\]$"), r" \1"),  # Java: 15:10+01:00[Europe/Berlin]
    (re.compile(r"(?<=\d{4}):(?=\d{1,2}:\d{2})"), " "),  # 26/Nov/2026:15:10:13
)


class DateReading(NamedTuple):
    """What a text says: `instant` in Unix seconds, or None where it says no date we understand.

    `doubt` is why, or what had to be assumed. `either` holds the two instants of a date whose day
    and month may be either; `month_first` is set where the text shows which comes first.
    """

    instant: float | None
    doubt: str = ""
    either: tuple[float, float] | None = None
    month_first: bool | None = None


UNKNOWN = "cannot be read"
EITHER = "may be day/month or month/day"
NO_ZONE = "have no time zone and are read as UTC"
BAD_OFFSET = "have an impossible offset and are read as UTC"


@lru_cache(maxsize=8_192)
def read_date(text: str, language: str = "", month_first: bool | None = None) -> DateReading:
    """Return what one text says.

    Args:
        text: a date as a publisher wrote it.
        language: the feed's, as BCP 47 in lower case; for names that mean two things.
        month_first: whether `03/04/2026` is the 4th of March; None if nothing is known.
    """
    text = _calendar_date(text.strip())
    if found := _RFC_822.fullmatch(text):
        day, month, year, hour, minute, second, zone = found.groups()
        if month in _MONTHS:
            return _made(
                (int(year), _MONTHS[month], int(day)),
                (int(hour), int(minute), int(second or 0)),
                zone,
            )
    if found := _RFC_3339.fullmatch(text):
        year, month, day, hour, minute, second, zone = found.groups()
        reading = _made(
            (int(year), int(month), int(day)),
            (int(hour or 0), int(minute or 0), int(second or 0)),
            zone or ("" if hour else "Z"),
        )
        if hour or reading.doubt != BAD_OFFSET:  # else "2026-11-26-15:10" has a time
            return reading
    if not text or len(text) > _LONGEST:
        return DateReading(None, UNKNOWN if text else "")
    return _short_form(text) or _free_form(_plain(text), language, month_first)


def _made(date: tuple[int, int, int], time: tuple[int, int, int], zone: str) -> DateReading:
    """Build from numbers and a zone: "" for none, "Z" and the like, or an offset."""
    if zone[:1] in ("+", "-"):
        digits = zone[1:].replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        if int(digits[2:]) > 59:
            minutes = 10_000
        east: tzinfo | None = offset(-minutes if zone[0] == "-" else minutes)
        if east is None:
            return DateReading(_instant(date, time, UTC), BAD_OFFSET)
        return _reading(_instant(date, time, east))
    return _reading(_instant(date, time, UTC), "" if zone else NO_ZONE)


def _reading(instant: float | None, doubt: str = "") -> DateReading:
    return DateReading(instant, doubt if instant is not None else UNKNOWN)


def _instant(date: tuple[int, int, int], time: tuple[int, int, int], zone: tzinfo) -> float | None:
    year, month, day = date
    hour, minute, second = time
    if 2400 <= year <= 2700:
        year -= 543
    if not 1900 <= year <= 2200:
        return None
    midnight = time == (24, 0, 0)
    leap = second == 60
    try:
        at = datetime(
            year, month, day, 0 if midnight else hour, minute, 59 if leap else second, tzinfo=zone
        )
        return (at + timedelta(days=midnight, seconds=leap)).timestamp()
    except (ValueError, OverflowError):
        return None


def _calendar_date(text: str) -> str:
    """Return a text that begins with the day of a year or of a week with the day of a month."""
    try:
        if found := _ORDINAL.match(text):
            day = date(int(found[1]), 1, 1) + timedelta(days=int(found[2]) - 1)
            same_year = day.year == int(found[1])
            return f"{day.isoformat()}{text[found.end() :]}" if same_year else text
        if found := _WEEK.match(text):
            day = date.fromisocalendar(int(found[1]), int(found[2]), int(found[3] or 1))
            return f"{day.isoformat()}{text[found.end() :]}"
    except (ValueError, OverflowError):
        pass
    return text


def _short_form(text: str) -> DateReading | None:
    """Read W3C years and months, and Unix time."""
    if found := _W3C_SHORT.fullmatch(text):
        return _made((int(found[1]), int(found[2] or 1), 1), (0, 0, 0), "Z")
    if found := _UNIX.fullmatch(text):
        return DateReading(float(found[1] or found[2]))
    return None


def _plain(text: str) -> str:
    """Return a date in one spelling: lower case, ASCII figures, single blanks."""
    text = unicodedata.normalize("NFKC", strip_invisible(text)).casefold()
    text = "".join(_ascii_figure(char) for char in text)
    text = " ".join(text.split())
    text = _ERA.sub(_year_of_era, text)
    text = _AMERICAN.sub(lambda found: f"{found[1][0]}{(found[2] or '')[:1]}t", text)
    for form, written in _REWRITTEN:
        text = form.sub(written, text)
    return " ".join(text.split())


def _year_of_era(found: re.Match[str]) -> str:
    return str(_ERAS[found[1]] + (1 if found[2] == "元" else int(found[2])))


def _ascii_figure(char: str) -> str:
    if char.isascii():
        return char
    if char in "‐‑‒–—−":
        return "-"
    if char in "’ʼ׳":
        return "'"
    if "\u064b" <= char <= "\u0652":
        return ""  # Arabic vowel signs
    if char in "،、，":
        return ","
    return str(unicodedata.digit(char)) if char.isdecimal() else char


def _free_form(text: str, language: str, month_first: bool | None) -> DateReading:
    """Read a date in any order of its parts."""
    whole = _parts(text, language, month_first)
    if whole.instant is None and whole.either is None and "(" in text:
        # A comment (RFC 822 section 3.4.3), such as the zone's long name.
        return _parts(_COMMENT.sub(" ", text), language, month_first)
    return whole


def _parts(text: str, language: str, month_first: bool | None) -> DateReading:
    time, zone, doubt = (0, 0, 0), None, ""
    found = _TIME.search(text) or _TIME.search(text := _DOTTED_TIME.sub(_with_colons, text))
    rest = text
    if found:
        clock = _clock(found)
        if clock is None:
            return DateReading(None, UNKNOWN)
        time, after = clock, text[found.end() :]
        zone, doubt, after = _offset_after(after)
        if zone is None and (named := _AFTER_TIME.match(after)):
            zone = zone_named(named[1], language)  # before its letters are taken for a weekday
            after = after[named.end(1) :] if zone else after
        rest = f"{text[: found.start()]} {after}"
    if (iana := _IANA.search(rest)) and (place := zone_named(iana[0])):
        zone = zone or place
        rest = rest.replace(iana[0], " ", 1)
    numeric = _NUMERIC.search(rest)
    if numeric:
        rest = f"{rest[: numeric.start()]} {rest[numeric.end() :]}"
    words = DateWords(rest, language)
    if not words.understood or _TIME.search(rest):
        return DateReading(None, UNKNOWN)
    zone = zone or words.zone
    if zone is None and found and not doubt:
        doubt = NO_ZONE
    dates = _numeric_dates(numeric, language) if numeric else ()
    if numeric and (words.numbers or words.months):
        return DateReading(None, UNKNOWN)
    if not numeric:
        dates = tuple(words.dates())
    return _choose(dates, numeric, words, (time, zone or UTC, doubt), _order(language, month_first))


def _with_colons(found: re.Match[str]) -> str:
    return " " + ":".join(part for part in found.groups() if part)


def _clock(found: re.Match[str]) -> tuple[int, int, int] | None:
    before, hour, minute, second, after, alone = found.groups()
    if before and after:
        return None
    at = int(hour)
    if half := before or after or alone:
        morning = _AM.fullmatch(half) is not None
        if at > 12:
            return None if morning else (at, int(minute or 0), int(second or 0))
        at = at % 12 + (0 if morning else 12)
    return at, int(minute or 0), int(second or 0)


def _offset_after(text: str) -> tuple[tzinfo | None, str, str]:
    """Return the zone of an offset that follows a time, what is doubtful, and the rest."""
    if found := _TOO_LONG_OFFSET.match(text):
        return None, BAD_OFFSET, text[found.end() :]
    found = _OFFSET.match(text)
    if not found:
        return None, "", text
    hours, minutes = found[2], found[3]
    if len(hours) == 2 and minutes and len(minutes) == 1 and ":" not in found[0]:
        hours, minutes = hours[0], hours[1] + minutes  # +530
    east = int(hours) * 60 + int(minutes or 0)
    if int(minutes or 0) > 59:
        east = 10_000
    zone = offset(-east if found[1] == "-" else east)
    return zone, "" if zone else BAD_OFFSET, text[found.end() :]


def _numeric_dates(found: re.Match[str], language: str) -> tuple[tuple[int, int, int], ...]:
    """Return the dates that three numbers can be, day first before month first."""
    if found["y8"]:
        return ((int(found["y8"]), int(found["m8"]), int(found["d8"])),)
    if found["y"]:
        return ((int(found["y"]), int(found["m"]), int(found["d"])),)
    first, second, separator = int(found["a"]), int(found["b"]), found["s2"].strip()
    if len(found["c"]) == 2 and language.partition("-")[0] in _YEAR_FIRST:
        return ((full_year(found["a"]), second, int(found["c"])),)
    if len(found["c"]) == 2 and separator not in (".", "/"):
        return ()  # 26-11-25: the year may stand at either end
    year = full_year(found["c"])
    dates = ((year, second, first),)
    if separator == "." or first == second:
        return dates if second <= 12 else ()
    return tuple(date for date in (*dates, (year, first, second)) if date[1] <= 12)


def _order(language: str, month_first: bool | None) -> bool | None:
    """Whether months come first: as the document shows, else as the language's land writes."""
    if month_first is not None or language in ("", "en"):
        return month_first
    return language in ("en-us", "en-ph", "fil")


def _choose(
    dates: Iterable[tuple[int, int, int]],
    numeric: re.Match[str] | None,
    words: DateWords,
    rest: tuple[tuple[int, int, int], tzinfo, str],
    month_first: bool | None,
) -> DateReading:
    """Return the one date that is meant, or say that there is none or more than one."""
    time, zone, doubt = rest
    candidates = [
        (date, instant)
        for date in dict.fromkeys(dates)
        if (instant := _instant(date, time, zone)) is not None
    ]
    if len(candidates) > 1:
        on_the_day = [each for each in candidates if words.falls_on(each[0])]
        candidates = on_the_day or candidates
    if not candidates:
        return DateReading(None, UNKNOWN)
    if len(candidates) == 1:
        shown = None
        if numeric and numeric["a"] != numeric["b"] and (numeric["s2"] or ".").strip() != ".":
            shown = candidates[0][0][1] == int(numeric["a"])
        return DateReading(candidates[0][1], doubt, month_first=shown)
    if words.months:
        return DateReading(None, UNKNOWN)
    day_first, with_month_first = candidates[0][1], candidates[1][1]
    if month_first is None:
        return DateReading(None, EITHER, (day_first, with_month_first))
    return DateReading(with_month_first if month_first else day_first, doubt)
