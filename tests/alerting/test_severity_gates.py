"""Severity in the decision: what is held back, what a rise does, and what passes quiet hours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.alerting.alert_decision import decide
from monitor.alerting.alert_state import AlertState, merge
from monitor.alerting.hourly_limit import Ceiling
from monitor.alerting.routing import route
from monitor.alerting.send_gate import Hold, Send
from monitor.alerting.send_gate import decide as gate
from monitor.delivery.digest import rank
from monitor.delivery.formatting import status_line
from monitor.reasons import AlertReason, SuppressionReason
from tests.alerting.test_alert_decide import NOW, assigned, fired, item, topic
from tests.support.alerts import alert, config, note


@pytest.mark.parametrize(("level", "told"), [("routine", False), ("notable", True), ("", True)])
def test_a_topic_leaves_out_what_is_less_grave(level: str, told: bool) -> None:
    """`min_severity` holds lesser happenings under a named reason; an unknown level passes."""
    found = decide(topic(min_severity="notable"), item(), fired(), assigned(), None, NOW, level)
    assert (found.alert is not None) is told
    if found.suppression is not None:
        assert found.suppression.reason is SuppressionReason.BELOW_SEVERITY
        assert found.suppression.detail == "routine; the topic asks for notable or more"


def test_a_rise_is_news_by_itself() -> None:
    """A report that adds no new word but is graver than what was told is a development, once."""
    first = decide(topic(), item(), fired(), assigned(), None, NOW, "notable")
    again = decide(topic(), item("b"), fired(), assigned("b"), first.told, NOW, "major")
    assert again.alert is not None and again.alert.reason is AlertReason.DEVELOPMENT
    assert again.alert.note == "now major, was notable"
    third = decide(topic(), item("c"), fired(), assigned("c"), again.told, NOW, "major")
    assert third.suppression is not None
    assert third.suppression.reason is SuppressionReason.NOTHING_NEW


def test_a_rise_to_routine_is_no_news() -> None:
    """Between an opinion and a routine report there is nothing to tell."""
    first = decide(topic(), item(), fired(), assigned(), None, NOW, "none")
    again = decide(topic(), item("b"), fired(), assigned("b"), first.told, NOW, "routine")
    assert again.alert is None


def test_merged_events_keep_the_gravest_level() -> None:
    """What was told as major stays told as major when its event joins another."""
    one = AlertState("t", "e1", "told", NOW, severity="major")
    two = AlertState("t", "e2", "told", NOW - 1, severity="routine")
    joined = merge(one, two, "e2")
    assert joined is not None and joined.severity == "major"


@pytest.mark.parametrize(("passes", "level"), [(True, "flash"), (True, "major"), (False, "flash")])
def test_flash_passes_quiet_hours_where_the_topic_says_so(passes: bool, level: str) -> None:
    """Quiet hours hold everything else, and flash as well unless the topic lets it through."""
    whole_day = {"always": [{"start": "00:00", "end": "24:00"}]}
    settings = config(
        topics=[{"id": "quakes", "name": "Quakes",
                 "alert": {"flash_passes_quiet_hours": passes}}],
        channels={"desk": {"type": "terminal"}},
        time_intervals=whole_day,
        route={"to": ["desk"], "quiet_hours": ["always"]},
    )  # fmt: skip
    one = note(alert("a", topic="quakes", severity=level), "desk", now=NOW)
    verdict = gate(settings, one, (), Ceiling(), NOW)
    assert isinstance(verdict, Send if passes and level == "flash" else Hold)


def test_routes_match_by_severity() -> None:
    """A branch may take what is grave, and leave the rest to the others."""
    settings = config(
        channels={"desk": {"type": "terminal"}, "boss": {"type": "terminal"}},
        route={"to": ["desk"], "routes": [{"match": {"severity": ["major", "flash"]},
                                           "to": ["boss"]}]},
    )  # fmt: skip
    taken = [to.channel for to in route(settings, alert("a", severity="flash"))]
    other = [to.channel for to in route(settings, alert("b", severity="notable"))]
    assert (taken, other) == (["boss"], ["desk"])


def test_digests_rank_by_severity_and_messages_name_it() -> None:
    """The graver alert stands first; notable and above is a word beside the reason."""
    grave, plain = alert("a", severity="major", score=0.6), alert("b", score=0.9)
    assert sorted([plain, grave], key=rank)[0] is grave
    assert status_line(replace(grave, sources=("A",))).startswith("major · ")
    assert "routine" not in status_line(alert("c", severity="routine"))
