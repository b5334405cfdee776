"""The gate before every send: what it lets through, holds and drops, for any settings."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting import send_gate
from monitor.alerting.hourly_limit import Ceiling
from monitor.delivery import digest
from monitor.model import Notification
from monitor.reasons import SuppressionReason
from tests.support.alerts import FIRST, NOW, UPDATE, alert, config, note

spans = st.fixed_dictionaries(
    {
        "start": st.sampled_from(["00:00", "06:30", "22:00", "23:59"]),
        "end": st.sampled_from(["00:00", "07:00", "22:00", "24:00"]),
        "timezone": st.sampled_from(["UTC", "Europe/Kyiv", "America/New_York"]),
    }
)
settings = st.builds(
    lambda quiet, plan, most: config(
        time_intervals={"q": quiet},
        route={"quiet_hours": ["q"]} | ({"digest": {"cron": plan}} if plan else {}),
        topics=[{"id": FIRST.topic, "name": "talks", "alert": {"max_per_hour": most}}],
    ),
    st.lists(spans, max_size=3),
    st.sampled_from(["", "0 7 * * *", "*/20 * * * mon-fri"]),
    st.integers(0, 3),
)
moments = st.floats(NOW, NOW + 400 * 86400.0)
held = st.sampled_from(["", *(reason.value for reason in SuppressionReason), "digested"])


@given(settings, moments, held, st.sampled_from(["low", "high", "critical"]), st.integers(0, 5))
def test_nothing_is_held_into_the_past_or_for_ever(
    rules: object, now: float, before: str, urgency: str, sent: int
) -> None:
    """A hold ends later than now and within weeks; critical is held by ceilings alone."""
    item = replace(note(replace(FIRST, urgency=urgency), "terminal", now=now), held_for=before)
    decision = send_gate.decide(rules, item, (), Ceiling(sent, now + 60), now)  # type: ignore[arg-type]
    assert not isinstance(decision, send_gate.Drop), "only silences drop"
    if isinstance(decision, send_gate.Hold):
        assert now < decision.until < now + 16 * 86400
        if urgency == "critical":
            assert decision.reason is SuppressionReason.RATE_CEILING


@given(settings, moments)
def test_what_was_held_gets_out(rules: object, now: float) -> None:
    """However rules combine, an alert passes after a few holds: none keeps it waiting for ever."""
    item = note(FIRST, "terminal", now=now)
    for _ in range(6):
        decision = send_gate.decide(rules, item, (), Ceiling(), now)  # type: ignore[arg-type]
        if isinstance(decision, send_gate.Send):
            return
        assert isinstance(decision, send_gate.Hold)
        now, item = decision.until, replace(item, held_for=decision.reason.value)
    raise AssertionError("held again and again")


@given(st.lists(st.integers(0, 99), min_size=1, max_size=70, unique=True), st.randoms())
def test_folding_keeps_every_alert(numbers: list[int], dice: object) -> None:
    """A digest holds each alert once, in pages, whatever the order of its members; its id too."""
    levels = ("low", "normal", "high", "critical")
    members = [note(alert(f"n{n}", urgency=levels[n % 4]), "world") for n in numbers]
    pages = digest.fold(digest.Fold(tuple(members), "Digest"), NOW)
    dice.shuffle(members)  # type: ignore[attr-defined]
    again = digest.fold(digest.Fold(tuple(members), "Digest"), NOW)
    assert [page.id for page in pages] == [page.id for page in again]
    told = [one.id for page in pages for one in page.alerts]
    assert sorted(told) == sorted(f"n{n}" for n in numbers)
    ranks = [levels.index(one.urgency) for page in pages for one in page.alerts]
    assert ranks == sorted(ranks, reverse=True)
    assert all(page.follows == pages[0].id for page in pages[1:]) and not pages[0].follows
    assert all(len(page.alerts) <= digest.PAGE for page in pages)


def test_notices_and_digests_pass() -> None:
    """Words from operations and digests are not held: their parts were judged one by one."""
    night = config(
        time_intervals={"q": [{"start": "00:00", "end": "24:00"}]}, route={"quiet_hours": ["q"]}
    )
    for item in (
        Notification("n@x", "x", "notice", notice="hello"),
        Notification("d@x", "x", "digest", alerts=(FIRST, UPDATE), notice="Digest"),
    ):
        assert send_gate.decide(night, item, (), Ceiling(), NOW) == send_gate.Send()
    update = note(UPDATE, "terminal", "update")
    decision = send_gate.decide(night, update, (), Ceiling(), NOW)
    assert isinstance(decision, send_gate.Hold) and decision.reason is SuppressionReason.QUIET_HOURS
