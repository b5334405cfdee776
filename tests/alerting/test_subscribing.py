"""What a subscription takes, when it lets go of it, and who is told; and the command's reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting import send_gate
from monitor.alerting.hourly_limit import Ceiling
from monitor.alerting.routing import notifications_for, route
from monitor.alerting.send_gate import Hold, Send
from monitor.alerting.subscriptions import people
from monitor.config.pauses import Pause
from monitor.config.schema import Config, Subscription
from monitor.reasons import DeliveryReason, SuppressionReason
from monitor.slack_app.subscription_command import LEVELS, read, written
from tests.support.alerts import FIRST, NOW, UPDATE, config, note

SLACK = {"type": "slack", "token": "xoxb-1", "channel": "C0DESK", "mention": ["@here"]}
MAIL = {"type": "email", "host": "mail.example.org", "from": "a@example.org", "to": ["d@x.example"]}
TOPICS = [{"id": FIRST.topic, "name": FIRST.topic_name}, {"id": "energy-strikes", "name": "Energy"}]
MAJOR = replace(FIRST, severity="major")
ANA = "dm.u0ana"
NOON = NOW + 12 * 3600.0


def desk(**subscriptions: dict[str, Any]) -> Config:
    """A newsroom with one Slack channel, and these subscriptions of Ana."""
    mine = {name: {"slack": "U0ANA", **one} for name, one in subscriptions.items()}
    return config(channels={"world": SLACK}, topics=TOPICS, subscriptions=mine)


def gate(settings: Config, now: float, held: str = "", alert: Any = MAJOR) -> Any:
    """The verdict on an alert for Ana."""
    item = replace(note(alert, ANA, now=NOW), held_for=held)
    return send_gate.decide(settings, item, (), Ceiling(), now)


def test_a_person_is_a_channel_beside_those_of_the_tree() -> None:
    """An alert goes where the routes say, and to whoever subscribes; once to each."""
    settings = desk(major={"min_severity": "major"}, all={"digest": "18:00"})
    found = notifications_for(settings, MAJOR, NOW)
    assert [item.channel for item in found] == ["world", ANA]
    rows = [to.branch for to in route(settings, MAJOR)]
    assert rows == ["route", "subscription major", "subscription all"]
    routine = replace(FIRST, severity="routine")
    assert [to.branch for to in route(settings, routine)] == ["route", "subscription all"]


def test_a_topics_own_channels_leave_subscribers_alone() -> None:
    """`alert.to` of a topic names its channels; who subscribes to it hears all the same."""
    settings = desk(one={"topics": ["us-*"]})
    topic = settings.topics[0]
    alerting = topic.alert.model_copy(update={"to": ("world",)})
    changed = settings.model_copy(
        update={"topics": (topic.model_copy(update={"alert": alerting}),)}
    )
    assert [to.channel for to in route(changed, FIRST)] == ["world", ANA]
    assert [to.channel for to in route(changed, replace(FIRST, topic="other"))] == ["world"]


def test_what_follows_reaches_whoever_was_told() -> None:
    """A correction of a flash is routine by itself, and goes to those who heard the flash."""
    settings = desk(flash={"min_severity": "flash"})
    fix = replace(UPDATE, severity="routine", gravest="flash")
    assert ANA in [to.channel for to in route(settings, fix)]
    assert ANA not in [to.channel for to in route(settings, replace(fix, gravest="major"))]
    assert ANA in [to.channel for to in route(settings, FIRST)], "an unknown level is let through"


def test_the_soonest_of_several_subscriptions_counts() -> None:
    """At once beats a digest, whichever stands first; what only the digest takes waits for it."""
    both = desk(all={"digest": ["06:00", "18:30"]}, major={"min_severity": "major"})
    assert gate(both, NOON) == Send()
    held = gate(both, NOON, alert=replace(FIRST, severity="notable"))
    assert held == Hold(NOON + 6.5 * 3600, DeliveryReason.DIGESTED)
    later = gate(both, held.until, held="digested", alert=replace(FIRST, severity="notable"))
    assert later == Send()


def test_hours_of_every_day_are_quiet_hours_of_ones_own() -> None:
    """They hold until they end, in the person's zone, and let critical through."""
    night = desk(one={"paused": "22:00-07:00", "timezone": "Europe/Berlin"})
    assert gate(night, NOW) == Hold(NOW + 6 * 3600, SuppressionReason.QUIET_HOURS)
    assert gate(night, NOW, alert=replace(MAJOR, urgency="critical")) == Send()
    assert gate(night, NOON) == Send()


def test_days_away_hold_everything_until_they_are_over() -> None:
    """On days off nothing comes, critical included, for longer than quiet hours may last."""
    away = desk(one={"paused": "2025-12-30 to 2026-01-20"})
    ends = datetime(2026, 1, 21, tzinfo=UTC).timestamp()
    for urgency in ("normal", "critical"):
        verdict = gate(away, NOW + 15 * 86400, alert=replace(MAJOR, urgency=urgency))
        assert verdict == Hold(ends, SuppressionReason.PAUSED)
    assert gate(away, ends, held="paused") == Send()


def test_people_go_by_the_channel_of_their_kind() -> None:
    """A person's channel has the bot or server of another, nobody else's mentions or recipients."""
    settings = config(
        channels={"world": SLACK, "second": SLACK | {"token": "xoxb-2"}, "mail": MAIL},
        subscriptions={
            "ana": {"slack": "U0ANA", "via": "second"},
            "ana-too": {"slack": "U0ANA"},
            "ben": {"mail": "Ben <ben.k@x.example>"},
        },
    )
    found: dict[str, Any] = people(settings)
    names = sorted(found)
    assert names[0] == ANA and names[1].startswith("mail.ben-k-") and len(names) == 2
    assert found[ANA].token.get_secret_value() == "xoxb-2"
    assert (found[ANA].channel, found[ANA].mention) == ("U0ANA", ())
    assert found[names[1]].to == ("Ben <ben.k@x.example>",)
    assert people(config(subscriptions={"ana": {"slack": "U0ANA"}})) == {}


# --- the command


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("energi", 'did you mean "energy-strikes"?'),
        ("all from sever", "levels: routine, notable, major, flash"),
        ("all from", "say from which level"),
        ("digest", "digest 08:00,18:00"),
        ("all digest 8am", '"8am" is no time of day'),
        ("all digest 25:00", '"25:00" is no time of day'),
        ("all in Londn", "Europe/London"),
        ("all in", "in Europe/London"),
        ("paused tomorrow", "write 22:00-07:00"),
        ("paused", "say from when to when"),
        ("paused 2026-02-30 to 2026-03-01", "a day that no calendar has"),
        ("paused 2026-03-02 to 2026-03-01", "ends before it begins"),
        ("paused 2026-03-02 to 2026-06-01", "longer than 31 days"),
        ("paused 07:00-07:00", "no stretch of a day"),
        ("zzz-*", "there is no topic"),
        ("x" * 2000, "longer than"),
    ],
)
def test_a_wrong_word_is_answered_with_what_to_write(text: str, said: str) -> None:
    """What cannot be read is named, with an example of what would be right."""
    with pytest.raises(ValueError, match=r".") as error:
        read(text, config(topics=TOPICS))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", "all at once"),
        ("everything from Major", "all from major at once"),
        ('"US–Russia Ukraine talks" at once', "us-russia-talks at once"),
        ("energy-*, us-* digest 8 and 18.30", "energy-* us-* digest 08:00,18:30"),
        ("Europe/London all digest 7:00", "all digest 07:00 in Europe/London"),
        ("paused 22:00 - 7:00 all utc", "all at once paused 22:00-07:00 in UTC"),
        ("paused 2026-12-24 until 2027-01-02 all", "all at once paused 2026-12-24 to 2027-01-02"),
        ("paused 2026-12-24 6:00-2026-12-25", "all at once paused 2026-12-24 06:00 to 2026-12-25"),
    ],
)  # fmt: skip
def test_it_is_read_as_people_write_it(text: str, meant: str) -> None:
    """Names, commas, "and", one-digit hours and any order of the parts are understood."""
    assert written(Subscription(slack="U0ANA", **read(text, config(topics=TOPICS)))) == meant


clocks = st.builds(lambda h, m: f"{h:02}:{m:02}", st.integers(0, 23), st.integers(0, 59))
days = st.dates(datetime(2026, 1, 1).date(), datetime(2030, 1, 1).date())
pauses = st.one_of(
    st.lists(clocks, min_size=2, max_size=2, unique=True).map("-".join),
    days.map(lambda day: f"{day} to {day}"),
)
subscriptions = st.builds(
    lambda **parts: Subscription(slack="U0ANA", **parts),
    topics=st.lists(st.sampled_from(["us-russia-talks", "energy-*"]), unique=True),
    min_severity=st.sampled_from(["none", *LEVELS]),
    digest=st.lists(clocks, max_size=4, unique=True).map(sorted),
    paused=st.lists(pauses, max_size=3),
    timezone=st.sampled_from(["", "UTC", "Europe/London", "America/Argentina/Buenos_Aires"]),
)


@given(subscriptions)
def test_what_is_shown_can_be_written(one: Subscription) -> None:
    """A subscription as it is listed is the command that makes it."""
    assert Subscription(slack="U0ANA", **read(written(one), config(topics=TOPICS))) == one


WORDS = ["from", "at", "once", "digest", "in", "paused", "all", "22:00-07:00", "to", "08:00", ",",
         "major", "2026-01-01", "2999-12-31", "9999-12-31", '"', "“", "/", "Europe/London",
         "energy-*"]  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS)).map(" ".join)))
def test_no_words_break_the_reader(text: str) -> None:
    """Whatever is written is a subscription that can be stored, or an error with words."""
    try:
        one = Subscription(slack="U0ANA", **read(text, config(topics=TOPICS)))
    except ValueError as error:
        assert str(error) and "Traceback" not in str(error) and "pydantic" not in str(error)
    else:
        again = Subscription.model_validate_json(one.model_dump_json())
        assert again == one and all(isinstance(pause, Pause) for pause in again.pauses)


@given(subscriptions, st.floats(NOW, NOW + 1500 * 86400.0), st.sampled_from(["high", "critical"]))
def test_nothing_is_held_for_ever(one: Subscription, now: float, urgency: str) -> None:
    """However hours, days and digests combine, an alert passes after a few holds."""
    settings = config(channels={"world": SLACK}, subscriptions={"ana": one.model_dump()})
    item = note(replace(MAJOR, urgency=urgency), ANA, now=now)
    for _ in range(12):
        verdict = send_gate.decide(settings, item, (), Ceiling(), now)
        if isinstance(verdict, Send):
            return
        assert isinstance(verdict, Hold) and now < verdict.until < now + 33 * 86400
        now, item = verdict.until, replace(item, held_for=verdict.reason.value)
    raise AssertionError("held again and again")
