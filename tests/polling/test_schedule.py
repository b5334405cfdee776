"""When a feed is polled next: rhythm, bursts, what publishers ask, back-off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.schema import FeedSource, PollingSettings
from monitor.model import FeedState
from monitor.net.response_headers import Hints, link_relations, parse_hints
from monitor.polling.schedule import (
    adaptive_interval,
    after_skips,
    back_off,
    hour_of_week,
    items_per_day,
    next_due,
    record_burst,
    record_items,
)
from monitor.reasons import FetchReason

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC).timestamp()  # a Monday
DAY = 86400.0
SETTINGS = PollingSettings()
SOURCE = FeedSource(id="paper", url="https://paper.example/feed")
BLANK = FeedState(feed_id="paper", url="", started=NOW - 28 * DAY)


def interval(state: FeedState, now: float = NOW) -> float:
    """Return the adaptive interval under default settings."""
    return adaptive_interval(SOURCE, state, now, SETTINGS)


def due(state: FeedState, reason: FetchReason = FetchReason.OK, **hints: float) -> float:
    """Return how long after NOW a feed is next due."""
    return next_due(SOURCE, state, reason, Hints(**hints), NOW, SETTINGS)[0] - NOW  # type: ignore[arg-type]


def test_the_rhythm_sets_the_interval() -> None:
    """A feed that publishes on weekday mornings is polled often then, seldom at night."""
    mornings = [
        NOW - week * 7 * DAY - day * DAY + minute * 60
        for week in range(4)
        for day in range(7)
        for minute in (-20, 20)
    ]
    state = record_items(BLANK, mornings, NOW)
    assert interval(state) < 120
    assert interval(state, NOW + 10 * 3600) > 2 * interval(state)
    assert items_per_day(state, NOW) == pytest.approx(2, rel=0.1)


def test_a_news_feed_is_looked_at_every_other_minute() -> None:
    """Ten items a day at any hour: within two minutes; one a day: more seldom."""
    ten = record_items(BLANK, [NOW - n * DAY / 10 for n in range(280)], NOW)
    one = record_items(BLANK, [NOW - n * (DAY + 18_000) for n in range(23)], NOW)
    for hour in range(24):
        assert interval(ten, NOW + hour * 3600) <= 120
        assert 100 < interval(one, NOW + hour * 3600) <= 900
    assert SETTINGS.min_interval >= 60, "no feed is asked more than sixty times an hour"


def test_a_long_silence_eases_the_interval() -> None:
    """A feed of twenty items a day that stopped a week ago is looked at seldom, then as before."""
    busy = record_items(BLANK, [NOW - n * DAY / 20 for n in range(560)], NOW)
    busy = replace(busy, last_item=NOW)
    assert interval(busy, NOW + 3600) == SETTINGS.min_interval
    later = NOW + 7 * DAY
    assert interval(busy, later) > 5 * SETTINGS.min_interval
    back = record_burst(record_items(busy, [later], later), 1, later)
    assert interval(replace(back, last_item=later), later) == SETTINGS.min_interval


def test_floor_and_ceiling_hold() -> None:
    """However busy or quiet a feed, the settings bound its interval."""
    busy = record_items(BLANK, [NOW - n for n in range(5000)], NOW)
    assert interval(busy) == SETTINGS.min_interval
    assert interval(record_items(BLANK, [], NOW)) == SETTINGS.max_interval
    assert interval(FeedState(feed_id="new", url="", started=NOW)) == SETTINGS.start_interval


def test_a_burst_tightens_at_once_and_cools_down() -> None:
    """Ten items at once on a quiet feed: the floor now, back to its rhythm within hours."""
    quiet = record_items(BLANK, [NOW - (n + 0.3) * 5 * DAY for n in range(4)], NOW)
    assert interval(quiet) == SETTINGS.max_interval
    burst = record_burst(quiet, 10, NOW)
    assert interval(burst) == pytest.approx(SETTINGS.min_interval, rel=0.2)
    assert interval(burst, NOW + 8 * 3600) == SETTINGS.max_interval


def test_a_fixed_interval_stands() -> None:
    """A feed with an interval of its own ignores its rhythm, not the publisher's wishes."""
    source = SOURCE.model_copy(update={"interval": 30.0})
    assert adaptive_interval(source, BLANK, NOW, SETTINGS) == 30.0
    at, _ = next_due(source, BLANK, FetchReason.OK, Hints(fresh_for=500.0), NOW, SETTINGS)
    assert at - NOW >= 500.0


def test_the_longest_wish_counts() -> None:
    """Interval, ttl, max-age: the latest wins, and no wish beyond the cap is granted."""
    state = record_items(replace(BLANK, ttl=0.0), [NOW - n for n in range(5000)], NOW)
    assert 60 <= due(state) <= 66
    assert 900 <= due(state, fresh_for=900.0) <= 990
    assert 1800 <= due(replace(state, ttl=1800.0), fresh_for=900.0) <= 1980
    assert due(state, fresh_for=1e9) <= SETTINGS.max_cache_age * 1.1
    assert due(state, FetchReason.UNAVAILABLE, retry_after=1e4) >= 1e4


@pytest.mark.parametrize(
    ("reason", "tenth"),
    [
        (FetchReason.CLIENT_ERROR, DAY),
        (FetchReason.BOT_WALL, DAY),
        (FetchReason.BLOCKED_ADDRESS, DAY),
        (FetchReason.RATE_LIMITED, DAY),
        (FetchReason.SERVER_ERROR, 3600),
        (FetchReason.TIMEOUT, 900),
        (FetchReason.DNS_FAILED, 900),
    ],
)
def test_each_failure_backs_off_by_its_class(reason: FetchReason, tenth: float) -> None:
    """The wait grows with every failure up to the class's ceiling, and never ends for good."""
    waits = [back_off(reason, failures, 600.0) for failures in range(1, 60)]
    assert waits == sorted(waits)
    assert waits[0] <= 6 * 3600
    assert waits[15] == waits[-1] == tenth
    assert back_off(FetchReason.TIMEOUT, 1, 600.0) < back_off(FetchReason.CLIENT_ERROR, 1, 600.0)


def test_a_feed_that_worked_is_refused_three_times_before_it_is_believed() -> None:
    """One 403 or private address by mistake costs a feed no half hour and no six hours."""
    state = replace(BLANK, last_success=NOW - 60)
    waits = [due(replace(state, failures=n), FetchReason.BLOCKED_ADDRESS) for n in (1, 2, 3)]
    assert max(waits[:2]) < 1600
    assert waits[2] > 6 * 3600
    assert due(replace(BLANK, failures=1), FetchReason.BLOCKED_ADDRESS) >= 6 * 3600


@given(
    st.floats(0, 4e9),
    st.sets(st.integers(0, 23)).map(tuple),
    st.sets(st.integers(0, 6)).map(tuple),
)
def test_no_poll_falls_into_skipped_time(
    at: float, hours: tuple[int, ...], days: tuple[int, ...]
) -> None:
    """The next instant outside skipHours and skipDays, never earlier; skipping all skips none."""
    moved = after_skips(at, hours, days)
    assert moved >= at - 1e-3
    when = datetime.fromtimestamp(moved, UTC)
    if len(hours) < 24 and len(days) < 7:
        assert when.hour not in hours
        assert when.weekday() not in days


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_jitter_only_delays(version: int, failures: int) -> None:
    """No poll comes before its time, nor more than a tenth after it."""
    state = replace(BLANK, version=version)
    assert 1.0 <= due(state) / interval(state) <= 1.1


def test_jitter_spreads() -> None:
    """Polls of one feed, and of feeds with one interval, do not march in step."""
    waits = {round(due(replace(BLANK, version=version)), 3) for version in range(50)}
    assert len(waits) > 40
    assert max(waits) > 1.05 * min(waits)


def test_hours_of_the_week_start_on_monday() -> None:
    """Monday 00 UTC is hour 0, Sunday 23 the last."""
    assert hour_of_week(datetime(2026, 3, 2, 0, 5, tzinfo=UTC).timestamp()) == 0
    assert hour_of_week(datetime(2026, 3, 8, 23, 55, tzinfo=UTC).timestamp()) == 167


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"cache-control": "public, max-age=300"}, Hints(fresh_for=300.0)),
        ({"cache-control": "max-age=300", "age": "100"}, Hints(fresh_for=200.0)),
        ({"cache-control": "s-maxage=9, MAX-AGE = 300"}, Hints(fresh_for=300.0)),
        ({"cache-control": "no-cache, max-age=300"}, Hints()),
        ({"cache-control": "max-age=soon"}, Hints()),
        ({"expires": formatdate(NOW + 60, usegmt=True)}, Hints(fresh_for=60.0)),
        ({"expires": formatdate(NOW - 60, usegmt=True)}, Hints(fresh_for=0.0)),
        ({"expires": "0"}, Hints(ignore_validators=True)),
        ({"expires": "-1"}, Hints()),
        ({"retry-after": "120"}, Hints(retry_after=120.0)),
        ({"retry-after": formatdate(NOW + 90, usegmt=True)}, Hints(retry_after=90.0)),
        ({"retry-after": "later"}, Hints()),
    ],
)
def test_headers_are_read_as_they_are_meant(headers: dict[str, str], expected: Hints) -> None:
    """Cache-Control, Expires, Age and Retry-After in all their spellings; nonsense is silence."""
    assert parse_hints(headers, NOW) == expected


@given(
    st.dictionaries(st.sampled_from(["cache-control", "expires", "retry-after", "age"]), st.text())
)
def test_no_header_breaks_anything(headers: dict[str, str]) -> None:
    """Any text in any header gives hints within reason."""
    hints = parse_hints(headers, NOW)
    assert (hints.fresh_for or 0.0) >= 0.0
    assert (hints.retry_after or 0.0) >= 0.0


def test_link_headers_name_hub_and_self() -> None:
    """RFC 8288 with quotes, several relations and parameters."""
    value = '<https://h.example/>; rel="hub", <https://a.example/f>; title="x"; rel=self'
    assert link_relations(value) == {"hub": "https://h.example/", "self": "https://a.example/f"}
    value = '<https://a.example/новини>; rel="self"'.encode().decode("latin-1")
    assert link_relations(value) == {"self": "https://a.example/новини"}
