"""The watchdog's judgement: what is worth a notice, and how often it is said."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.feeds.schedule import beat
from monitor.model import FeedState
from monitor.ops.findings import (
    Finding,
    Kind,
    QueueLook,
    dead_letters,
    failing_channel,
    failing_feed,
    feeds_overdue,
    missing_model,
    odd_topic,
    refused_config,
    silent_feed,
    stuck_stages,
    troubled_store,
)
from monitor.ops.notices import Open, plan, still_open
from monitor.ops.profile import Profile, known_hours, observe, usual

HOUR, DAY = 3600.0, 86400.0
START = 1_767_571_200.0  # Monday 2026-01-05 00:00 UTC


def _office_feed(days: int = 28) -> FeedState:
    """A feed that publishes every half hour from 08 to 18 UTC on weekdays, and never else."""
    state = FeedState("desk", "https://example.org/rss?key=s3same", started=START)
    times = [
        START + day * DAY + hour * HOUR + half * 1800.0
        for day in range(days)
        if day % 7 < 5
        for hour in range(8, 18)
        for half in (0, 1)
    ]
    now = START + days * DAY
    state = beat(state, times, now)
    return replace(state, last_item=times[-1], last_success=now, polls=1000)


def test_a_feed_that_stops_in_office_hours_is_spoken_of_the_same_day() -> None:
    """Twenty stories a day, then none on a Monday: said by the afternoon, with its numbers."""
    state, monday = _office_feed(), START + 28 * DAY
    by_hour = {
        hour: silent_feed(replace(state, last_success=monday + hour * HOUR), monday + hour * HOUR)
        for hour in range(24)
    }
    said = [hour for hour, finding in by_hour.items() if finding]
    assert min(said) in range(9, 17)
    finding = by_hour[17]
    assert finding is not None
    assert finding.kind is Kind.FEED_SILENT
    assert "15 stories a day" in finding.text
    assert "s3same" not in finding.text


def test_nights_and_weekends_are_not_silence() -> None:
    """The same feed on Sunday evening, fifty hours after its last story: nothing to say."""
    state, monday = _office_feed(), START + 28 * DAY
    for hours_before in range(1, 50):
        now = monday - hours_before * HOUR
        assert silent_feed(replace(state, last_success=now), now) is None


def test_a_slow_feed_is_left_in_peace() -> None:
    """One story a week and eight days of nothing is no silence."""
    state = FeedState("slow", "https://example.org/", started=START)
    times = [START + week * 7 * DAY for week in range(6)]
    now = times[-1] + 8 * DAY
    state = replace(beat(state, times, now), last_item=times[-1], last_success=now)
    assert silent_feed(state, now) is None


def test_a_feed_that_fails_is_failing_not_silent() -> None:
    """Each trouble has its own name: six hours of errors is `feed_failing`."""
    state = replace(_office_feed(), failures=9, last_reason="server_error")
    now = state.last_success + 7 * HOUR
    assert silent_feed(state, now) is None
    finding = failing_feed(state, now)
    assert finding is not None
    assert "7 hours (server_error)" in finding.text
    assert failing_feed(state, state.last_success + HOUR) is None
    assert failing_feed(replace(state, ended=True), now) is None


def _profile(per_hour: int, hours: int = 14 * 24) -> Profile:
    profile = Profile()
    for hour in range(hours + 1):
        profile = observe(profile, 0 if hour == hours else per_hour, START + hour * HOUR)
    return profile


def test_a_profile_learns_what_is_usual() -> None:
    """Quiet hours count as evidence too; an hour not seen yet borrows from its neighbours."""
    profile = Profile()
    for hour in range(21 * 24):
        if 8 <= hour % 24 < 18:
            profile = observe(profile, 6, START + hour * HOUR)
    profile = observe(profile, 0, START + 21 * DAY)
    monday = int((START + 21 * DAY) // HOUR)
    assert usual(profile, monday + 10) == pytest.approx(6, abs=1)
    assert usual(profile, monday + 3) < 1
    assert known_hours(profile) == pytest.approx(21 * 24 * 0.9, rel=0.1)
    assert Profile.from_json(profile.to_json()).open_hour == profile.open_hour
    assert Profile.from_json(b"nonsense") == Profile() == Profile.from_json(None)


def test_a_burst_is_said_and_an_ordinary_peak_is_not() -> None:
    """Forty in an hour where two are usual is a burst; six are not."""
    now = START + 14 * DAY + 1800
    ordinary = replace(_profile(2), open_count=6)
    assert odd_topic("talks", ordinary, now, now) is None
    burst = odd_topic("talks", replace(_profile(2), open_count=40), now, now)
    assert burst is not None
    assert burst.kind is Kind.TOPIC_BURST
    assert "40 times within the hour, usually 2.0" in burst.text


def test_a_hush_is_said_once_ten_stories_are_missing() -> None:
    """At two an hour, six silent hours are enough; three are not; nor is a topic a day old."""
    base = START + 14 * DAY
    profile = _profile(2)
    quiet = observe(profile, 0, base + 7 * HOUR)
    finding = odd_topic("talks", quiet, base - HOUR, base + 7 * HOUR)
    assert finding is not None
    assert finding.kind is Kind.TOPIC_HUSH
    assert odd_topic("talks", observe(profile, 0, base + 3 * HOUR), base, base + 3 * HOUR) is None
    assert odd_topic("new", _profile(2, 24), START, START + 34 * HOUR) is None


def test_stages_missing_and_stuck() -> None:
    """A stage without a heartbeat is missing; one with it whose first message is old is stuck."""
    queues = [QueueLook("stories", 500, 400, 100, oldest=300.0), QueueLook("vectors")]
    found = stuck_stages(queues, {"poller": 1, "embedder": 2, "triage": 1}, STAGES)
    assert [(f.kind, f.subject) for f in found] == [
        (Kind.STAGE_MISSING, "notifier"),
        (Kind.STAGE_STUCK, "stories"),
    ]
    assert "embedder is behind: 500 wait" in found[1].text
    assert (
        stuck_stages([QueueLook("stories", 500, 400, 100, 5.0)], dict.fromkeys(STAGES, 1), STAGES)
        == []
    )


STAGES = ("poller", "embedder", "triage", "notifier")


def test_the_other_troubles_have_names_and_advice() -> None:
    """Model, channel, dead letters, configuration, store, polling: each finding names the cure."""
    model = missing_model(2, 0, 40)
    broken = {"state": "broken:auth_revoked", "reason": "auth_revoked"}
    channel = failing_channel("desk", broken, 3, 0, 0)
    letters = dead_letters(5, 3)
    config = refused_config(["topics.yaml:3: unknown key", "x:1: y"])
    overdue = feeds_overdue(1000.0, 12, 2000.0)
    store = troubled_store(
        {"aof_last_write_status": "err", "maxmemory": 100, "used_memory": 95, "aof_enabled": 1}
    )
    assert model and channel and letters and config and overdue
    assert "embedding.model" in model.text
    assert "auth_revoked" in channel.text and "test-alert desk" in channel.text
    assert letters.text.startswith("2 more")
    assert "and 1 more" in config.text
    assert "12 feeds are due" in overdue.text
    assert [f.subject for f in store] == ["aof_last_write_status", "memory"]


def test_no_trouble_no_finding() -> None:
    """A healthy service has nothing to say for itself."""
    assert missing_model(2, 1, 0) is None
    assert missing_model(0, 0, 0) is None
    assert failing_channel("desk", {"state": "ok"}, 0, 0, 1e9) is None
    assert failing_channel("desk", {"state": "retrying", "failures": "2"}, 1, 0, 1e9) is None
    assert dead_letters(3, 3) is None
    assert refused_config([]) is None
    assert feeds_overdue(1000.0, 0, 9000.0) is None
    assert feeds_overdue(1000.0, 5, 1100.0) is None
    assert troubled_store({"aof_enabled": 1, "aof_last_write_status": "ok"}) == []


# --- how often


def _finding(subject: str = "a", kind: Kind = Kind.FEED_SILENT) -> Finding:
    return Finding(kind, subject, f"text of {subject}")


def test_a_trouble_is_said_once_then_again_after_an_hour_then_its_end() -> None:
    """First look: said. Looks in between: quiet. After the interval: again. Gone: said."""
    known: dict[str, Open] = {}
    said = []
    for minute in range(0, 130, 5):
        found = [_finding()] if minute < 100 else []
        known, notices = plan(known, found, START + minute * 60, 3600.0)
        said += [(minute, notice.recovered) for notice in notices]
    assert said == [(0, False), (60, False), (100, True)]
    assert still_open(known) == {}


def test_what_passes_by_itself_is_never_said() -> None:
    """A restart: a stage is missing for twenty seconds. Nobody hears of it."""
    known, notices = plan({}, [_finding("embedder", Kind.STAGE_MISSING)], START, 3600.0)
    assert notices == []
    known, notices = plan(known, [], START + 20, 3600.0)
    assert notices == []
    known, notices = plan(known, [_finding("embedder", Kind.STAGE_MISSING)], START + 500, 3600.0)
    assert notices == [], "the patience starts again"
    _, notices = plan(known, [_finding("embedder", Kind.STAGE_MISSING)], START + 561, 3600.0)
    assert len(notices) == 1


def test_many_of_a_kind_are_one_message() -> None:
    """Two hundred silent feeds are one notice of ten lines and a number."""
    _, notices = plan({}, [_finding(f"f{n}") for n in range(200)], START, 3600.0)
    assert len(notices) == 1
    assert notices[0].text.count("\n") == 11
    assert "and 190 more" in notices[0].text


@given(st.lists(st.booleans(), max_size=300))
def test_however_it_flaps_it_is_said_at_most_once_an_interval(looks: list[bool]) -> None:
    """A trouble that comes and goes at every look stays rate-limited."""
    known: dict[str, Open] = {}
    told = []
    for n, there in enumerate(looks):
        now = START + n * 60
        known, notices = plan(known, [_finding()] if there else [], now, 3600.0)
        told += [now for notice in notices if not notice.recovered]
    assert all(later - earlier >= 3600.0 for earlier, later in pairwise(told))
    assert bool(told) == any(looks)
