"""Quiet hours in named zones: boundaries, midnight, the days the clocks change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.digest_schedule import next_digest
from monitor.alerting.quiet_hours import quiet_until
from monitor.config.schema import DigestPlan, TimeInterval


def at(text: str, zone: str = "UTC") -> float:
    """An instant on the clock of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def span(start: str, end: str, zone: str = "UTC", days: tuple[str, ...] = ()) -> TimeInterval:
    """A stretch of the day."""
    return TimeInterval.model_validate({"start": start, "end": end, "timezone": zone, "days": days})


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-03-02 21:59:59", None),
        ("2026-03-02 22:00:00", "2026-03-03 07:00:00"),
        ("2026-03-03 06:59:59", "2026-03-03 07:00:00"),
        ("2026-03-03 07:00:00", None),
    ],
)
def test_the_start_counts_and_the_end_does_not(moment: str, until: str | None) -> None:
    """A night from 22:00 to 07:00 holds from its first second to the last before its end."""
    found = quiet_until([span("22:00", "07:00")], at(moment))
    assert found == (at(until) if until else None)


def test_equal_start_and_end_is_never() -> None:
    """A stretch that starts when it ends is empty, not always."""
    assert quiet_until([span("08:00", "08:00")], at("2026-03-02 08:00:00")) is None


def test_days_are_those_of_the_start() -> None:
    """A Friday night reaches into Saturday; Saturday's own night is not quiet."""
    friday = [span("22:00", "06:00", days=("fri",))]
    assert quiet_until(friday, at("2026-03-07 05:00:00")) == at("2026-03-07 06:00:00")
    assert quiet_until(friday, at("2026-03-07 23:00:00")) is None


def test_touching_stretches_are_one() -> None:
    """Evening, night to midnight (24:00) and morning make one stretch until the last ends."""
    parts = [span("18:00", "22:00"), span("22:00", "24:00"), span("00:00", "08:00")]
    assert quiet_until(parts, at("2026-03-02 19:00:00")) == at("2026-03-03 08:00:00")


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 8), ("2026-10-25", 10), ("2026-06-01", 9)]
)
def test_the_clock_on_the_wall_decides(day: str, hours: int) -> None:
    """On the nights the clocks change, quiet from 22:00 to 07:00 lasts 8 or 10 hours in London."""
    end = at(f"{day} 07:00:00", "Europe/London")
    start = end - hours * 3600
    night = [span("22:00", "07:00", "Europe/London")]
    assert quiet_until(night, start) == end
    assert quiet_until(night, start - 1) is None


def test_quiet_for_ever_lets_go() -> None:
    """Quiet round the clock holds nothing for more than about two weeks."""
    now = at("2026-03-02 12:00:00")
    until = quiet_until([span("00:00", "24:00")], now)
    assert until is not None and 13 * 86400 < until - now < 16 * 86400


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from(["UTC", "Europe/Kyiv", "America/New_York", "Asia/Kolkata", "Pacific/Apia"])


@given(clocks, clocks, zones, st.floats(1.7e9, 1.9e9))
def test_quiet_ends_when_it_says(start: str, end: str, zone: str, now: float) -> None:
    """Where it is quiet now, it is quiet until just before the end given, and not at the end."""
    stretch = [span(start, end, zone)]
    until = quiet_until(stretch, now)
    if until is not None:
        assert until > now and until - now <= 25 * 3600
        assert quiet_until(stretch, until) is None or start == end
        assert quiet_until(stretch, until - 0.5) == until


@pytest.mark.parametrize(
    ("cron", "now", "fires"),
    [
        ("0 7,18 * * mon-fri", "2026-03-06 18:00:00", "2026-03-09 07:00:00"),
        ("0 7 * * 1", "2026-03-06 18:00:00", "2026-03-09 07:00:00"),
        ("30 6 * * 0", "2026-03-06 18:00:00", "2026-03-08 06:30:00"),
        ("*/15 * * * *", "2026-03-06 18:00:00", "2026-03-06 18:15:00"),
    ],
)
def test_digests_follow_cron(cron: str, now: str, fires: str) -> None:
    """A plan fires strictly after now; days of the week count from Sunday, as cron has it."""
    plan = DigestPlan(cron=cron, timezone="UTC")
    assert next_digest(plan, at(now)) == at(fires)
