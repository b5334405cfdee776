"""Schedules in cron's five fields: one meaning, for `check` and for the service.

The library cronsim follows Debian's cron: day of month and day of week together mean either; a
time that a change of clocks leaves out fires right after it; a time that comes twice fires once.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from monitor.config.names import nearest

_EXAMPLE = 'for example "0 7,18 * * mon-fri"'
_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day-of-month", "1 to 31, and one that the months have"),
    ("month", "1 to 12, or jan to dec"),
    ("day-of-week", "0 to 7 (0 and 7 are Sunday), or mon to sun; a range goes upward"),
)
# To cron Sunday is 0, so that "sat-sun" runs backward; 7 is Sunday as well.
_TO_SUNDAY = re.compile(r"(?<=-)(sun|0)(?=$|[,/])", re.IGNORECASE)
_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
_MEANT = {
    "bst": "Europe/London", "cest": "Europe/Berlin", "eest": "Europe/Helsinki",
    "west": "Europe/Lisbon", "msk": "Europe/Moscow", "ist": "Asia/Kolkata", "jst": "Asia/Tokyo",
    "kst": "Asia/Seoul", "sgt": "Asia/Singapore", "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles", "mdt": "America/Denver", "cst": "America/Chicago",
    "cdt": "America/Chicago", "edt": "America/New_York", "aest": "Australia/Sydney",
    "aedt": "Australia/Sydney", "nzst": "Pacific/Auckland", "nzdt": "Pacific/Auckland",
}  # fmt: skip


def next_time(cron: str, timezone: str, after: float) -> float:
    """Return when a schedule fires next, strictly after `after` (both Unix seconds).

    Raises:
        ValueError: the five fields cannot be read, or the zone is unknown.
    """
    try:
        times = CronSim(_plain(cron), datetime.fromtimestamp(after, ZoneInfo(timezone)))
        # Near the second of two equal times of day, cronsim begins with the first, which is past.
        return next(at for at in (due.timestamp() for due in times) if at > after)
    except (CronSimError, StopIteration, KeyError, OSError) as error:
        raise ValueError(f"the schedule {cron!r} in {timezone} never comes true") from error


def latest_time(cron: str, timezone: str, after: float, now: float) -> float:
    """Return the newest time of a schedule after `after` and up to `now`, or 0.

    Raises:
        ValueError: as `next_time`.
    """
    latest, at = 0.0, next_time(cron, timezone, after)
    while at <= now:
        latest, at = at, next_time(cron, timezone, at)
    return latest


def _plain(cron: str) -> str:
    *others, week = cron.split() or [""]
    return " ".join([*others, _TO_SUNDAY.sub("7", week)])


@lru_cache(maxsize=256)
def cron_fault(text: str) -> str:
    """Return "" for a five-field cron expression that some time fulfils, else what is wrong."""
    fields = text.split()
    if len(fields) != 5:
        return (
            f'"{text}" has {len(fields)} field{"" if len(fields) == 1 else "s"}, a schedule has '
            f"five: minute hour day month weekday; {_EXAMPLE}"
        )
    try:
        next(CronSim(_plain(text), datetime(2026, 1, 1)))
    except CronSimError as error:
        for name, allowed in _FIELDS:
            if name in str(error):
                return f'"{text}" is not a schedule: {name} may be {allowed}; {_EXAMPLE}'
        return f'"{text}" is not a schedule; write {_EXAMPLE}'
    except StopIteration:
        return f'"{text}" never comes true; write {_EXAMPLE}'
    return ""


@lru_cache(maxsize=256)
def zone_fault(name: str) -> str:
    """Return "" for an IANA time zone, else what is wrong and what to write."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return f'"{name}" is not an IANA time zone; {_zone_advice(name.strip())}'
    return ""


def _zone_advice(name: str) -> str:
    name = re.sub("[‐‑‒–—−]", "-", name)
    if found := _OFFSET.fullmatch(name):
        sign, hours, minutes = found.groups()
        place = "name a city, such as Europe/Athens, so that summer time is kept"
        if int(hours) > 14 or int(minutes or 0):
            return place
        # POSIX counts west of Greenwich: https://data.iana.org/time-zones/tzdb/etcetera
        etc = f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}" if int(hours) else "UTC"
        if etc not in available_timezones():
            return place
        return f"{place}, or write {etc} for that offset all year (its sign is the other way round)"
    zones = {zone for zone in available_timezones() if not zone.startswith(("Etc/GMT", "local"))}
    by_city = {zone.rpartition("/")[2].replace("_", " ").casefold(): zone for zone in zones}
    meant = _MEANT.get(name.casefold()) or by_city.get(name.casefold())
    if not meant and len(name) > 4:  # of short ones the nearest is another zone
        meant = nearest(name, zones)
    return f'did you mean "{meant}"?' if meant else "write one such as Europe/London"
