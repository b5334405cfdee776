"""The watchdog's judgement: what is worth a notice, and how often it is said."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.hourly_profile import HourlyProfile, known_hours, observe, usual
from monitor.health.notices import Open, plan, still_open
from monitor.health.rules import (
    HealthFinding,
    Kind,
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
from monitor.model import FeedState
from monitor.polling.schedule import record_items
from monitor.queue.hand_overs import QueueLook
from monitor.stages import PIPELINE

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
    state = record_items(state, times, now)
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
    state = replace(record_items(state, times, now), last_item=times[-1], last_success=now)
    assert silent_feed(state, now) is None


def test_a_feed_that_fails_is_failing_not_silent() -> None:
    """Each trouble has its own name: six hours of errors is `feed_failing`."""
    state = replace(_office_feed(), failures=9, last_reason="server_error")
    now = state.last_success + 7 * HOUR
    state = replace(state, last_poll=now)
    assert silent_feed(state, now) is None
    finding = failing_feed(state)
    assert finding is not None
    assert "7 hours (server_error)" in finding.text
    assert failing_feed(replace(state, last_poll=state.last_success + HOUR)) is None
    assert failing_feed(replace(state, ended=True)) is None


def test_hours_in_which_nobody_fetched_are_not_the_feeds_silence() -> None:
    """Down since eight, up at half past ten: not silent before the first fetch, nor by it alone."""
    state, monday = _office_feed(), START + 28 * DAY
    down, up = monday + 8 * HOUR, monday + 10.9 * HOUR
    busy = replace(state, rhythm=tuple(20 * count for count in state.rhythm), last_success=down)
    busy = replace(busy, last_item=down - 600)
    assert silent_feed(busy, up) is None
    assert silent_feed(replace(busy, last_item=down - 4 * HOUR), up) is None, "the night's silence"
    assert silent_feed(replace(busy, last_success=up, last_item=up - 600), up) is None
    silent = silent_feed(replace(busy, last_success=up, last_item=down - 600), up + 2 * HOUR)
    assert silent is not None and "has brought none for 3 hours" in silent.text


def test_hours_in_which_nobody_tried_do_not_make_a_feed_failing() -> None:
    """Half an hour of failures, then we were down for twelve: it has failed for half an hour."""
    state = replace(_office_feed(), failures=4, last_reason="timeout")
    assert failing_feed(replace(state, last_poll=state.last_success + HOUR / 2)) is None


def _looks(
    profile: HourlyProfile, since: float, until: float, per_hour: int = 0, step: float = 600.0
) -> HourlyProfile:
    """Look every ten minutes; what comes in an hour is seen at the first look in it."""
    at = since
    while at <= until:
        profile = observe(profile, per_hour if at % HOUR < step and at < until else 0, at)
        at += step
    return profile


def _profile(per_hour: int, hours: int = 14 * 24) -> HourlyProfile:
    return _looks(HourlyProfile(), START, START + hours * HOUR, per_hour)


def test_a_profile_learns_what_is_usual() -> None:
    """Quiet hours count as evidence too; an hour not seen yet borrows from its neighbours."""
    profile = HourlyProfile()
    for look in range(21 * 24 * 6 + 1):
        busy = 8 <= look // 6 % 24 < 18
        profile = observe(profile, int(busy), START + look * 600.0)
    monday = int((START + 21 * DAY) // HOUR)
    assert usual(profile, monday + 10) == pytest.approx(6, abs=1)
    assert usual(profile, monday + 3) < 1
    assert known_hours(profile) == pytest.approx(21 * 24 * 0.9, rel=0.1)
    assert HourlyProfile.from_json(profile.to_json()).open_hour == profile.open_hour
    assert HourlyProfile.from_json(b"nonsense") == HourlyProfile() == HourlyProfile.from_json(None)


def test_a_burst_is_said_and_an_ordinary_peak_is_not() -> None:
    """Forty in an hour where two are usual is a burst; six are not."""
    now = START + 14 * DAY + 1800
    ordinary = observe(_profile(2), 6, START + 14 * DAY + 300)
    assert odd_topic("talks", ordinary, now, now) is None
    burst = odd_topic("talks", observe(_profile(2), 40, START + 14 * DAY + 300), now, now)
    assert burst is not None
    assert burst.kind is Kind.TOPIC_BURST
    assert "40 times within the hour, usually 2.0" in burst.text


def test_a_silence_is_said_once_ten_stories_are_missing() -> None:
    """At two an hour, six silent hours are enough; three are not; nor is a topic a day old."""
    base = START + 14 * DAY
    profile = _profile(2)
    quiet = _looks(profile, base, base + 7 * HOUR)
    finding = odd_topic("talks", quiet, base - HOUR, base + 7 * HOUR)
    assert finding is not None
    assert finding.kind is Kind.TOPIC_QUIET
    three = _looks(profile, base, base + 3 * HOUR)
    assert odd_topic("talks", three, base - HOUR, base + 3 * HOUR) is None
    day = _looks(_profile(2, 24), START + 24 * HOUR, START + 34 * HOUR)
    assert odd_topic("new", day, START + 23 * HOUR, START + 34 * HOUR) is None


def test_hours_in_which_nobody_looked_are_neither_judged_nor_learnt() -> None:
    """Down for twelve hours at two an hour: no silence then, nothing unlearnt, a later one is told.

    What had piled up and comes at once when looking begins again is no burst either.
    """
    base, last = START + 14 * DAY, START + 14 * DAY - HOUR
    before = _profile(2)
    up = base + 12 * HOUR
    after = observe(before, 24, up + 60)
    assert odd_topic("talks", observe(before, 0, up), last, up) is None
    assert odd_topic("talks", after, up, up + 60) is None
    assert (after.counts, after.hours) == (before.counts, before.hours)
    later = _looks(after, up + 600, up + 3 * HOUR)
    assert odd_topic("talks", later, up, up + 3 * HOUR) is None
    assert known_hours(before) + 1 < known_hours(later) < known_hours(before) + 2
    assert sum(later.counts) < sum(before.counts), "nothing came after what had piled up"
    silent = _looks(later, up + 3 * HOUR + 600, up + 8 * HOUR)
    finding = odd_topic("talks", silent, up, up + 8 * HOUR)
    assert finding is not None and finding.kind is Kind.TOPIC_QUIET


def test_what_piled_up_may_come_in_the_next_hour() -> None:
    """Up again ten minutes before the hour: the one that follows is no burst, nor learnt from."""
    before, hour = _profile(2), START + 15 * DAY
    up = observe(before, 0, hour - 600)
    assert odd_topic("talks", observe(up, 24, hour), hour, hour) is None
    after = _looks(up, hour, hour + HOUR, 24)
    assert sum(after.counts) < sum(before.counts)


def test_a_profile_from_before_an_upgrade_keeps_what_it_learnt() -> None:
    """One written without the times of looking begins to look afresh with its counts."""
    kept = json.loads(_profile(2).to_json())
    del kept["since"], kept["seen"]
    old = HourlyProfile.from_json(json.dumps(kept))
    now = START + 15 * DAY
    assert known_hours(observe(old, 0, now)) == known_hours(old) > 300
    assert odd_topic("talks", observe(old, 0, now), START + 14 * DAY, now) is None


def test_stages_missing_and_stuck() -> None:
    """A stage without a heartbeat is missing; one with it whose first message is old is stuck."""
    queues = [QueueLook("stories", 500, 400, 100, oldest=300.0), QueueLook("vectors")]
    found = stuck_stages(queues, {"poller": 1, "embedder": 2, "triage": 1}, PIPELINE)
    assert [(f.kind, f.subject) for f in found] == [
        (Kind.STAGE_MISSING, "notifier"),
        (Kind.STAGE_STUCK, "stories"),
    ]
    assert "embedder is behind: 500 wait" in found[1].text
    assert (
        stuck_stages(
            [QueueLook("stories", 500, 400, 100, 5.0)], dict.fromkeys(PIPELINE, 1), PIPELINE
        )
        == []
    )


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
    unable = missing_model(0, 0, 40, "/models/x is missing; reinstall it")
    assert model and channel and letters and config and overdue and unable
    assert "embedding.model" in model.text
    assert "40 stories wait. /models/x is missing; reinstall it" in unable.text
    assert "auth_revoked" in channel.text and "test-alert --channel desk" in channel.text
    assert letters.text.startswith("2 more")
    assert "and 1 more" in config.text
    assert "12 feeds are due" in overdue.text
    assert [f.subject for f in store] == ["aof_last_write_status", "memory"]


def test_no_trouble_no_finding() -> None:
    """A healthy service has nothing to say for itself."""
    assert missing_model(2, 1, 0) is None
    assert missing_model(0, 0, 0) is None
    assert missing_model(1, 1, 0, "another embedder could not load it") is None
    assert failing_channel("desk", {"state": "ok"}, 0, 0, 1e9) is None
    assert failing_channel("desk", {"state": "retrying", "failures": "2"}, 1, 0, 1e9) is None
    assert dead_letters(3, 3) is None
    assert refused_config([]) is None
    assert feeds_overdue(1000.0, 0, 9000.0) is None
    assert feeds_overdue(1000.0, 5, 1100.0) is None
    assert troubled_store({"aof_enabled": 1, "aof_last_write_status": "ok"}) == []


# --- how often


def _finding(subject: str = "a", kind: Kind = Kind.FEED_SILENT) -> HealthFinding:
    return HealthFinding(kind, subject, f"text of {subject}")


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


def _plan_over(
    looks: dict[int, list[HealthFinding]], every: float = 3600.0
) -> list[tuple[int, bool, tuple[str, ...]]]:
    """Return (minute, whether of an end, subjects) of the notices of these looks, by minute."""
    known: dict[str, Open] = {}
    said = []
    for minute, found in looks.items():
        known, notices = plan(known, found, START + minute * 60, every)
        said += [(minute, notice.recovered, notice.subjects) for notice in notices]
    return said


def test_feeds_that_fail_one_after_another_are_gathered() -> None:
    """One feed more every five minutes: the first is told at once, all in one an hour later."""
    looks = {
        minute: [_finding(f"f{n:02}", Kind.FEED_FAILING) for n in range(min(minute // 5, 11) + 1)]
        for minute in range(0, 125, 5)
    }
    said = _plan_over(looks)
    everyone = tuple(f"f{n:02}" for n in range(12))
    assert said == [(0, False, ("f00",)), (60, False, everyone), (120, False, everyone)]


def test_a_burst_that_passes_while_it_waits_is_still_told_once() -> None:
    """A second topic bursts twenty minutes after a first and is over before the hour is."""
    first, second = _finding("quakes", Kind.TOPIC_BURST), _finding("floods", Kind.TOPIC_BURST)
    looks = {minute: {0: [first], 20: [second]}.get(minute, []) for minute in range(0, 240, 20)}
    assert _plan_over(looks) == [(0, False, ("quakes",)), (60, False, ("floods",))]


def test_feeds_that_recover_one_after_another_are_gathered() -> None:
    """Six failed together and come back every five minutes: two notices say so, and name all."""
    looks = {
        minute: [_finding(f"f{n}", Kind.FEED_FAILING) for n in range(minute // 5, 6)]
        for minute in range(0, 125, 5)
    }
    ends = [(minute, sorted(names)) for minute, recovered, names in _plan_over(looks) if recovered]
    assert ends == [(5, ["f0"]), (65, ["f1", "f2", "f3", "f4", "f5"])]


def test_an_end_that_waits_is_not_said_of_what_came_back() -> None:
    """Two end, one of them is said at once; the other comes back before its turn: it goes on."""
    both, one = [_finding("a"), _finding("b")], [_finding("b")]
    said = _plan_over({0: both, 5: one, 10: [], 15: one, 60: one, 65: one, 130: []})
    assert said == [
        (0, False, ("a", "b")),
        (5, True, ("a",)),
        (60, False, ("b",)),
        (130, True, ("b",)),
    ]


@pytest.mark.parametrize("kind", [Kind.STAGE_MISSING, Kind.CHANNEL_FAILING, Kind.STORE_TROUBLED])
def test_stages_channels_and_the_store_never_wait_for_each_other(kind: Kind) -> None:
    """A second stage that dies a quarter of an hour after the first is told as soon."""
    looks = {
        minute: [_finding("first", kind)] + [_finding("second", kind)] * (minute >= 15)
        for minute in range(20)
    }
    told = {subject: minute for minute, _, subjects in _plan_over(looks) for subject in subjects}
    assert told["first"] < 2 and told["second"] < 17


@given(st.lists(st.sets(st.sampled_from("abcd")), max_size=120))
def test_of_feeds_a_kind_is_told_at_most_once_an_interval(looks: list[set[str]]) -> None:
    """However feeds come and go, and in both directions: none is told, and ends, more often."""
    minutes = {10 * n: [_finding(name) for name in sorted(there)] for n, there in enumerate(looks)}
    said = _plan_over(minutes)
    for end in (False, True):
        times = [minute for minute, recovered, _ in said if recovered is end]
        assert all(later - earlier >= 60 for earlier, later in pairwise(times))
    for name in "abcd":
        if all(name in there for there in looks[-8:]) and len(looks) >= 8:
            assert any(name in subjects for _, end, subjects in said if not end)
