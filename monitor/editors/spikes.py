"""A topic, or one event, whose independent stories come far faster than is usual. Pure.

What counts is a window of two hours up to now. Copies do not count, and an owner counts once for
each event. The window is held against the same two hours of the days before (those of the same day
of the week twice, the highest tenth left out, so that an earlier spike does not raise the bar):

    fewer than five stories or two owners             -> no
    not so many times the usual number                -> no
    more likely chance than so (Poisson's upper tail) -> no
    told within the cool-down                         -> no
    less than a week of days to compare with          -> no

An event has no rhythm of the week. Its window is held against the stretches of two hours before it,
up to a day: their mean is what is usual. It must also bring more than any two hours of the event
before. An event younger than three such stretches has nothing to be held against; that it began
is told anyway.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.text import span

HOUR, DAY = 3600.0, 86400.0
WINDOW = 2 * HOUR
KEPT = 28 * DAY  # how far back a rhythm is learnt from
LEARNT = 7  # days that must be there
STORIES, OWNERS = 5, 2
STRETCHES = 2  # of an event's life that must be there before the window
_FLOOR = 0.25  # of the usual number: a topic with hardly any stories has some all the same


@dataclass(frozen=True, slots=True)
class Sense:
    """How large a rise must be: so many times the usual, less likely chance than `chance`."""

    times: float
    chance: float
    cool_down: float


SENSES = {
    "balanced": Sense(4.0, 1e-5, 12 * HOUR),
    "eager": Sense(2.5, 1e-3, 6 * HOUR),
}


@dataclass(frozen=True, slots=True)
class Matched:
    """One story that a topic matched and that is no copy. `at` is Unix seconds."""

    story: str
    at: float
    owner: str
    event: str
    outlet: str = ""


@dataclass(frozen=True, slots=True)
class Spike:
    """A rise: how many stories, what is usual, since when, from whom, and the event behind most.

    `alone` says that it is the rise of that one event, not of the topic.
    """

    count: int
    usual: float
    since: float
    at: float
    outlets: tuple[str, ...]
    event: str
    of_event: int
    alone: bool = False

    def words(self) -> str:
        """Return "9 stories in 40 min, usually 0.8 in two hours; 5 of them on one happening"."""
        stories = f"{self.count} independent stories"
        within = f"in {span(max(60.0, self.at - self.since))}"
        usual = f"{self.usual:.1f} in two hours"
        if self.alone:
            return f"{stories} on this happening {within}, before that {usual}"
        driven = (
            f"; {self.of_event} of them on this happening"
            if self.of_event > 1
            else "; each on a happening of its own"
        )
        return f"{stories} {within}, usually {usual}{driven}"


def find_spike(
    matched: Sequence[Matched], since: float, last_told: float, now: float, sense: Sense
) -> Spike | None:
    """Return the spike of a topic at `now`, or None.

    Args:
        matched: the topic's stories of the last `KEPT` seconds, in any order.
        since: when the topic was first watched, Unix seconds.
        last_told: when its last spike was told, 0 for never.
        now: the present.
        sense: how large a rise must be.
    """
    if now - last_told < sense.cool_down or now - since < LEARNT * DAY:
        return None
    fresh = _independent([one for one in matched if now - WINDOW < one.at <= now])
    if not _enough(fresh):
        return None
    usual = _usual(matched, since, now)
    if not _far_above(len(fresh), usual, sense):
        return None
    events = Counter(one.event for one in fresh)
    event, of_event = min(events.items(), key=lambda pair: (-pair[1], pair[0]))
    return Spike(len(fresh), usual, fresh[0].at, now, _outlets(fresh), event, of_event)


def find_event_spike(
    matched: Sequence[Matched], last_told: float, now: float, sense: Sense
) -> Spike | None:
    """Return the spike of one event at `now`, or None.

    Args:
        matched: the event's stories that the topic matched, in any order.
        last_told: when a spike was last told of this event, or of the topic; 0 for never.
        now: the present.
        sense: how large a rise must be.
    """
    fresh = _independent([one for one in matched if now - WINDOW < one.at <= now])
    if now - last_told < sense.cool_down or not _enough(fresh):
        return None
    before = [now - WINDOW - one.at for one in matched if one.at <= now - WINDOW]
    lived = int(min(DAY, max(before, default=0.0)) // WINDOW)
    if lived < STRETCHES:
        return None
    stretches = [_within(matched, now - WINDOW * n) for n in range(1, lived + 1)]
    usual = sum(stretches) / lived
    if not _far_above(len(fresh), usual, sense):
        return None
    ends = {one.at for one in matched if one.at <= now - WINDOW}
    if len(fresh) <= max(_within(matched, end) for end in ends):
        return None
    event = fresh[0].event
    return Spike(
        len(fresh), usual, fresh[0].at, now, _outlets(fresh), event, len(fresh), alone=True
    )


def _within(matched: Sequence[Matched], end: float) -> int:
    """Return how many independent stories came in the two hours up to `end`."""
    return len(_independent([one for one in matched if end - WINDOW < one.at <= end]))


def _enough(fresh: Sequence[Matched]) -> bool:
    return len(fresh) >= STORIES and len({one.owner for one in fresh}) >= OWNERS


def _far_above(count: int, usual: float, sense: Sense) -> bool:
    expected = max(usual, _FLOOR)
    return count >= sense.times * expected and _at_least(count, expected) <= sense.chance


def _outlets(fresh: Sequence[Matched]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.outlet or one.owner for one in fresh))


def _independent(matched: Sequence[Matched]) -> list[Matched]:
    """Return the first story of each owner on each event, in time order."""
    first: dict[tuple[str, str], Matched] = {}
    for one in sorted(matched, key=lambda one: (one.at, one.story)):
        first.setdefault((one.owner, one.event), one)
    return list(first.values())


def _usual(matched: Sequence[Matched], since: float, now: float) -> float:
    """Return the mean of the same window of the days before, its highest tenth left out."""
    days = int(min(KEPT, now - since) // DAY)
    by_day: dict[int, list[Matched]] = {}
    for one in matched:
        day, inside = divmod(now - one.at, DAY)
        if inside < WINDOW and 1 <= day <= days:
            by_day.setdefault(int(day), []).append(one)
    counts: list[int] = []
    for day in range(1, days + 1):
        same_weekday = day % 7 == 0
        counts += [len(_independent(by_day.get(day, ())))] * (2 if same_weekday else 1)
    counts.sort()
    kept = counts[: max(1, len(counts) - len(counts) // 10)]
    return sum(kept) / len(kept)


def _at_least(count: int, mean: float) -> float:
    """Return the chance of `count` or more where `mean` is usual (Poisson)."""
    below = sum(math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1)) for n in range(count))
    return max(0.0, 1.0 - below)
