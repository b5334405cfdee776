"""Quiet hours: named stretches of the week in a zone of their own. Pure.

The start is inclusive, the end exclusive; a stretch may cross midnight. Equal start and end mean
an empty stretch, never "always". On the days the clocks change a stretch begins and ends when the
clock on the wall says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.config.schema import TimeInterval

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HORIZON = 14 * 86400.0


def quiet_until(intervals: Iterable[TimeInterval], now: float) -> float | None:
    """Return when quiet that holds at `now` ends (Unix seconds), or None if it is not quiet.

    Stretches that touch or overlap count as one. Quiet that never ends (every hour of the week)
    is let go after fourteen days, so that nothing is held for ever.
    """
    stretches = tuple(intervals)
    until = now
    while until - now < _HORIZON:
        ends = [end for item in stretches if (end := _covering(item, until)) is not None]
        if not ends:
            break
        until = max(ends)
    return until if until > now else None


def _covering(interval: TimeInterval, at: float) -> float | None:
    zone = ZoneInfo(interval.timezone)
    today = datetime.fromtimestamp(at, zone).date()
    for day in (today - timedelta(days=1), today):
        if interval.days and _DAYS[day.weekday()] not in interval.days:
            continue
        start = _instant(day, interval.start, zone)
        next_day = interval.end < interval.start
        end = _instant(day + timedelta(days=next_day), interval.end, zone)
        if start <= at < end:
            return end
    return None


def _instant(day: date, clock: str, zone: ZoneInfo) -> float:
    hour, minute = (int(part) for part in clock.split(":"))
    if hour == 24:
        day, hour = day + timedelta(days=1), 0
    return datetime.combine(day, time(hour, minute), zone).timestamp()
