"""When to poll next: pure functions of a feed's state, its rhythm, and what its publisher asks.

A feed is looked at about 120 times for each item to be expected, between the floor and the
ceiling of the settings: a conditional request answered "not modified" costs a publisher next to
nothing. The rhythm is 168 counts of items by hour of the week (UTC), halved every four weeks. New
items ("heat", halved every half hour) tighten it at once; a silence in which ten items should have
come eases it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.config.schema import FeedSource, PollingSettings
from monitor.identity import digest
from monitor.model import FeedState
from monitor.net.response_headers import Hints
from monitor.reasons import FetchReason

HOURS = 168
WEEK = 7 * 86400.0
_RHYTHM_HALF_LIFE = 4 * WEEK
_HEAT_HALF_LIFE = 1800.0
_POLLS_PER_ITEM = 120.0
_SILENT_ITEMS = 10.0  # a silence of so many items is no chance any more
_MEAN_WEIGHT = 2.0  # weeks of evidence that the week's mean counts for against one hour's own
_MONDAY = 4 * 86400.0  # the epoch fell on a Thursday; this is the first Monday
_JITTER = 0.1

_OUTAGE_RETRY = 60.0  # seconds, while our own network is out
_BENEFIT = 2  # failures of a feed that worked before, until a refusal is believed

# How each class of failure backs off: first wait, factor, longest wait (seconds).
_SOFT = (0.0, 1.6, 3600.0)
_UNREACHED = (0.0, 1.6, 900.0)  # costs the publisher nothing
_USUAL = (0.0, 1.0, 0.0)  # as often as ever: a feed of warnings may well be empty
_SLOW = (1800.0, 2.0, 86400.0)
_STOPPED = (6 * 3600.0, 2.0, 86400.0)
_LIMITED = (900.0, 2.0, 86400.0)
_BACK_OFF = {
    FetchReason.DNS_FAILED: _UNREACHED,
    FetchReason.CONNECT_FAILED: _UNREACHED,
    FetchReason.TLS_FAILED: _UNREACHED,
    FetchReason.TIMEOUT: _UNREACHED,
    FetchReason.WENT_EMPTY: _USUAL,
    FetchReason.CLIENT_ERROR: _SLOW,
    FetchReason.UNAUTHORISED: _SLOW,
    FetchReason.NOT_A_FEED: _SLOW,
    FetchReason.BOT_WALL: _SLOW,
    FetchReason.TOO_MANY_REDIRECTS: _SLOW,
    FetchReason.TOO_LARGE: _SLOW,
    FetchReason.BAD_ENCODING: _SLOW,
    FetchReason.PARSE_TIMEOUT: _SLOW,
    FetchReason.PARSE_MEMORY: _SLOW,
    FetchReason.PARSE_CRASHED: _SLOW,
    FetchReason.BLOCKED_ADDRESS: _STOPPED,
    FetchReason.BLOCKED_URL: _STOPPED,
    FetchReason.RATE_LIMITED: _LIMITED,
}


def hour_of_week(instant: float) -> int:
    """Return 0 (Monday 00–01 UTC) to 167."""
    return int((instant - _MONDAY) % WEEK // 3600.0)


def record_items(state: FeedState, instants: Iterable[float], now: float) -> FeedState:
    """Return `state` with items that appeared at `instants` in its rhythm."""
    counts = list(state.rhythm) if len(state.rhythm) == HOURS else [0.0] * HOURS
    if state.rhythm_at and now > state.rhythm_at:
        fade = math.pow(0.5, (now - state.rhythm_at) / _RHYTHM_HALF_LIFE)
        counts = [count * fade for count in counts]
    for instant in instants:
        age = max(0.0, now - instant)
        counts[hour_of_week(instant)] += math.pow(0.5, age / _RHYTHM_HALF_LIFE)
    return replace(state, rhythm=tuple(round(count, 3) for count in counts), rhythm_at=now)


def record_burst(state: FeedState, items: int, now: float) -> FeedState:
    """Return `state` with the heat of `items` new ones."""
    return replace(state, heat=round(_heat(state, now) + items, 3), heat_at=now)


def _heat(state: FeedState, now: float) -> float:
    return state.heat * math.pow(0.5, max(0.0, now - state.heat_at) / _HEAT_HALF_LIFE)


def expected_rate(state: FeedState, now: float) -> float:
    """Return items an hour to expect at `now`, by rhythm alone; 0 where nothing is known."""
    if len(state.rhythm) != HOURS:
        return 0.0
    age = max(now - state.started, 86400.0)
    # Weeks of evidence, fading as the counts do.
    life = _RHYTHM_HALF_LIFE / math.log(2)
    weeks = life * (1 - math.exp(-age / life)) / WEEK
    fade = math.pow(0.5, max(0.0, now - state.rhythm_at) / _RHYTHM_HALF_LIFE)
    here = hour_of_week(now)
    near = (
        0.5 * state.rhythm[here]
        + 0.25 * state.rhythm[(here - 1) % HOURS]
        + 0.25 * state.rhythm[(here + 1) % HOURS]
    )
    mean = sum(state.rhythm) / (weeks * HOURS)
    return fade * (near + _MEAN_WEIGHT * mean) / (weeks + _MEAN_WEIGHT)


def items_per_day(state: FeedState, now: float) -> float:
    """Return the mean number of new items a day."""
    if len(state.rhythm) != HOURS:
        return 0.0
    life = _RHYTHM_HALF_LIFE / math.log(2)
    weeks = life * (1 - math.exp(-max(now - state.started, 86400.0) / life)) / WEEK
    return sum(state.rhythm) / (weeks * 7)


def adaptive_interval(
    source: FeedSource, state: FeedState, now: float, settings: PollingSettings
) -> float:
    """Return the seconds to wait by the feed's own rhythm and heat."""
    if source.interval is not None:
        return max(1.0, source.interval)
    heat_rate = _heat(state, now) * math.log(2) / (_HEAT_HALF_LIFE / 3600.0)
    rate = max(expected_rate(state, now) * _ease(state, now), heat_rate)
    if rate <= 0.0:
        known = len(state.rhythm) == HOURS and now - state.started > 2 * 86400.0
        wish = settings.max_interval if known else settings.start_interval
    else:
        wish = 3600.0 / (_POLLS_PER_ITEM * rate)
    return min(max(wish, settings.min_interval), settings.max_interval)


def _ease(state: FeedState, now: float) -> float:
    """Return what is left of the expected rate after a long silence, 1 to 0."""
    if not state.last_item:
        return 1.0
    missed = items_per_day(state, now) * (now - state.last_item) / 86400.0
    return min(1.0, _SILENT_ITEMS / missed) if missed > 0.0 else 1.0


def expected_delay(state: FeedState) -> float:
    """Return the seconds that an item waits on average to be seen.

    Half the distance between the polls, by what was decided last.
    """
    wait = max(0.0, state.next_due - state.last_poll) if state.polls else 0.0
    return wait / 2.0 + state.latency


def back_off(reason: FetchReason, failures: int, interval: float) -> float:
    """Return the seconds to wait after the `failures`-th failure in a row."""
    first, factor, longest = _BACK_OFF.get(reason, _SOFT)
    return min(max(first, interval) * factor ** min(failures - 1, 30), max(longest, interval))


def next_due(
    source: FeedSource,
    state: FeedState,
    reason: FetchReason,
    hints: Hints,
    now: float,
    settings: PollingSettings,
    *,
    outage: bool = False,
) -> tuple[float, float]:
    """Return (due, interval): when to poll next, and the interval before anyone else's wishes.

    `state` is the new state, with `failures` counted. Due is the latest of the feed's interval,
    what cache headers and `<ttl>` ask (capped by `max_cache_age`), Retry-After (capped by
    `max_retry_after`) and the back-off; then moved out of skipHours and skipDays; then jittered,
    later only. A feed that worked before is asked again twice at its interval before a refusal
    is believed. In an outage of our own it is asked every minute.
    """
    interval = adaptive_interval(source, state, now, settings)
    wait = interval
    if outage:
        wait = min(interval, _OUTAGE_RETRY)
    elif state.failures:
        known = state.last_success and reason != FetchReason.RATE_LIMITED
        believed = not known or state.failures > _BENEFIT
        wait = back_off(reason if believed else FetchReason.TIMEOUT, state.failures, interval)
    else:
        wait = max(wait, min(state.ttl, settings.max_cache_age))
    if hints.fresh_for is not None and (not state.failures or reason == FetchReason.RATE_LIMITED):
        wait = max(wait, min(hints.fresh_for, settings.max_cache_age))
    if hints.retry_after is not None:
        wait = max(wait, min(hints.retry_after, settings.max_retry_after))
    due = now + wait * (1.0 + _JITTER * _chance(state))
    return after_skips(due, state.skip_hours, state.skip_days), interval


def longest_wait(sources: Iterable[FeedSource], settings: PollingSettings) -> float:
    """Return the longest that the settings let any feed rest, seconds: no due time is later."""
    wishes = [source.interval for source in sources if source.interval is not None]
    wishes += [settings.max_interval, settings.max_cache_age, settings.max_retry_after]
    wishes += [longest for _, _, longest in _BACK_OFF.values()]
    return max(wishes) * (1.0 + _JITTER) + WEEK  # skipDays may add days


def _chance(state: FeedState) -> float:
    return int(digest(state.feed_id, str(state.version)), 16) / 2**64


def after_skips(due: float, skip_hours: tuple[int, ...], skip_days: tuple[int, ...]) -> float:
    """Return the first instant from `due` on that lies in no skipped hour and on no skipped day.

    A feed that skips everything skips nothing.
    """
    if (not skip_hours and not skip_days) or len(skip_hours) >= 24 or len(skip_days) >= 7:
        return due
    at = datetime.fromtimestamp(due, UTC)
    for _ in range(HOURS + 1):
        if at.hour not in skip_hours and at.weekday() not in skip_days:
            return at.timestamp()
        at = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return due
