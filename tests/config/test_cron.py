"""Schedules: one meaning for `check` and for the service, on every day of the year."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.digest_schedule import next_digest
from monitor.config.cron import cron_fault, next_time, zone_fault
from monitor.config.schema import DigestPlan


def fires(cron: str, zone: str, start: str, count: int) -> list[str]:
    """The next times of a schedule, as the clock on the wall shows them."""
    now, found = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)).timestamp(), []
    for _ in range(count):
        now = next_digest(DigestPlan(cron=cron, timezone=zone), now)
        found.append(datetime.fromtimestamp(now, ZoneInfo(zone)).strftime("%a %d %H:%M %z"))
    return found


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 7 13 * fri", "Fri 06, Fri 13, Fri 20"),  # either, as cron has it
        ("0 7 13 * *", "Fri 13, Sun 13, Wed 13"),
        ("0 7 * * */2", "Tue 03, Thu 05, Sat 07"),
        ("0 7 * * 7", "Sun 08, Sun 15, Sun 22"),
        ("0 7 * * 0", "Sun 08, Sun 15, Sun 22"),
        ("0 7 * * 6-7", "Sat 07, Sun 08, Sat 14"),
        ("0 7 * * sat-sun", "Sat 07, Sun 08, Sat 14"),
        ("0 7 * * sun-thu", "Mon 02, Tue 03, Wed 04"),
        ("0 7 * * fri-sun,2", "Tue 03, Fri 06, Sat 07"),
        ("0 7 * * mon-fri", "Mon 02, Tue 03, Wed 04"),
        ("0 7 * * 1-5/2", "Mon 02, Wed 04, Fri 06"),
    ],
)
def test_days_mean_what_cron_means(cron: str, days: str) -> None:
    """Day of month, weekday numbers, names, ranges and steps fire on cron's days, and `check`
    accepts exactly what fires."""
    assert cron_fault(cron) == ""
    found = fires(cron, "UTC", "2026-11-01 12:00", 3)
    assert [one[:6] for one in found] == days.split(", ")


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        # a midnight that does not exist is made up for at once
        ("Africa/Cairo", "2026-04-23 12:00", ["Fri 24 01:00 +0300", "Sat 25 00:00 +0300"]),
        ("America/Havana", "2026-03-07 12:00", ["Sun 08 01:00 -0400", "Mon 09 00:00 -0400"]),
        # a midnight that comes twice counts once
        ("America/Havana", "2026-10-31 12:00", ["Sun 01 00:00 -0400", "Mon 02 00:00 -0500"]),
    ],
)
def test_midnights_of_clock_changes(zone: str, start: str, expected: list[str]) -> None:
    """A daily schedule fires once a day on the days when clocks change at midnight."""
    assert fires("0 0 * * *", zone, start, 2) == expected


@given(
    st.sampled_from(["30 0 * * *", "0 0 * * *", "*/20 * * * *", "30 1-3 * * *", "5 2 * * sun"]),
    st.sampled_from(["America/Havana", "Africa/Cairo", "Europe/London", "Australia/Lord_Howe"]),
    st.floats(1.76e9, 1.83e9),
    st.integers(1, 90_000),
)
def test_the_next_time_is_the_same_whenever_it_is_asked_for(
    cron: str, zone: str, now: float, later: int
) -> None:
    """The next time lies after now, and stays the next one until it has come: asked again in
    between, even within an hour that comes twice, it is the same."""
    due = next_time(cron, zone, now)
    assert due > now
    between = min(now + later, due - 0.001)
    assert next_time(cron, zone, between) == due


@pytest.mark.parametrize(
    ("cron", "word"),
    [
        ("0 7 * *", "has 4 fields"),
        ("daily", "has 1 field,"),
        ("60 7 * * *", "minute may be 0 to 59"),
        ("0 24 * * *", "hour may be 0 to 23"),
        ("0 7 31 2 *", "day-of-month may be"),
        ("0 7 * * 8", "day-of-week may be"),
        ("0 7 * * fri-mon", "a range goes upward"),
    ],
)
def test_what_is_no_schedule_is_said(cron: str, word: str) -> None:
    """`check` names the field and what it may be; the service refuses the same ones."""
    assert word in cron_fault(cron)
    with pytest.raises(ValueError):
        next_time(cron, "UTC", 1.8e9)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("GMT+2", "Etc/GMT-2"),
        ("UTC-5", "Etc/GMT+5"),
        ("+02:00", "Etc/GMT-2"),
        ("GMT+5:30", "name a city"),
        ("UTC\u22123", "Etc/GMT+3"),
        ("CEST", "Europe/Berlin"),
        ("PST", "America/Los_Angeles"),
        ("XYZ", "write one such as"),
        ("Kyiv", "Europe/Kyiv"),
        ("new york", "America/New_York"),
        ("Europe/Lodnon", "Europe/London"),
    ],
)
def test_a_wrong_zone_gets_the_zone_meant(name: str, advice: str) -> None:
    """Advice never turns an offset round: GMT+2 is two hours ahead, Etc/GMT+2 is two behind."""
    fault = zone_fault(name)
    assert advice in fault
    if advice.startswith("Etc/"):
        sign = 1 if "+" in name else -1
        zone = ZoneInfo(advice.split()[0])
        offset = datetime(2026, 1, 1, tzinfo=zone).utcoffset()
        assert offset is not None and offset.total_seconds() * sign > 0
    for good in ("Europe/Kyiv", "UTC", "Etc/GMT+2"):
        assert zone_fault(good) == ""
