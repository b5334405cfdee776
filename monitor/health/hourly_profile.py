"""What is usual for something that happens now and then: a profile by hour of the week.

Counts and the hours in which they were counted fade together (half life eight weeks), so a rate
is always "so many in so many hours like this one". An hour of the week that is little known
borrows from the same hour of other days, and that from the week as a whole.

Hours in which nobody looked are no evidence of quiet, and the one in which looking began again is
none of haste: the service catches up then. Neither is learnt from, or judged by `whole_since`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Self

from monitor.polling.schedule import HOURS, hour_of_week

_HALF_LIFE_HOURS = 8 * 168.0
_BORROW = 2.0  # hours of evidence that the wider mean counts for
_BLIND = 600.0  # so long without a look (seconds), and nobody knows what happened meanwhile
_CATCH_UP = 1800.0  # so long afterwards, what had piled up may come at once


@dataclass(frozen=True, slots=True)
class HourlyProfile:
    """Counts and hours of evidence by hour of the week (UTC, Monday 00 first).

    `open_hour` is the hour being counted (hours since the epoch), `open_count` its count so far.
    `seen` is when it was last looked at, `since` when looking began without a gap up to then (Unix
    seconds).
    """

    counts: tuple[float, ...] = (0.0,) * HOURS
    hours: tuple[float, ...] = (0.0,) * HOURS
    open_hour: int = 0
    open_count: int = 0
    since: float = 0.0
    seen: float = 0.0

    def to_json(self) -> str:
        """Return the profile as text."""
        return json.dumps(
            {
                "counts": [round(count, 3) for count in self.counts],
                "hours": [round(hours, 3) for hours in self.hours],
                "open_hour": self.open_hour,
                "open_count": self.open_count,
                "since": self.since,
                "seen": self.seen,
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes | None) -> Self:
        """Rebuild a profile; nothing or nonsense gives an empty one."""
        try:
            data = json.loads(text or "")
            counts, hours = tuple(data["counts"]), tuple(data["hours"])
            if len(counts) != HOURS or len(hours) != HOURS:
                return cls()
            return cls(
                counts,
                hours,
                int(data["open_hour"]),
                int(data["open_count"]),
                float(data.get("since", 0.0)),
                float(data.get("seen", 0.0)),
            )
        except (ValueError, KeyError, TypeError):
            return cls()


def observe(profile: HourlyProfile, count: int, now: float) -> HourlyProfile:
    """Return `profile` with `count` more occurrences at `now`; an hour that ended is closed.

    After a gap between two looks it begins afresh, with all that it had learnt before.
    """
    hour = int(now // 3600)
    if now - profile.seen > _BLIND:
        return replace(profile, open_hour=hour, open_count=count, since=now, seen=now)
    if hour <= profile.open_hour:
        return replace(profile, open_count=profile.open_count + count, seen=now)
    fade = 0.5 ** ((hour - profile.open_hour) / _HALF_LIFE_HOURS)
    counts, hours = [c * fade for c in profile.counts], [h * fade for h in profile.hours]
    if profile.open_hour >= whole_since(profile):
        slot = hour_of_week(profile.open_hour * 3600.0)
        counts[slot] += profile.open_count
        hours[slot] += 1.0
    return HourlyProfile(tuple(counts), tuple(hours), hour, count, profile.since, now)


def whole_since(profile: HourlyProfile) -> int:
    """Return the first hour (since the epoch) whose count is whole and free of what piled up."""
    return math.ceil((profile.since + _CATCH_UP) / 3600.0)


def known_hours(profile: HourlyProfile) -> float:
    """Return how many hours of evidence there are."""
    return sum(profile.hours)


def usual(profile: HourlyProfile, hour: int) -> float:
    """Return the number of occurrences to expect in `hour` (hours since the epoch)."""
    total = sum(profile.hours)
    if total <= 0:
        return 0.0
    week = sum(profile.counts) / total
    slot = hour_of_week(hour * 3600.0)
    same = range(slot % 24, HOURS, 24)
    day_count = sum(profile.counts[s] for s in same)
    day_hours = sum(profile.hours[s] for s in same)
    day = (day_count + _BORROW * week) / (day_hours + _BORROW)
    return (profile.counts[slot] + _BORROW * day) / (profile.hours[slot] + _BORROW)
