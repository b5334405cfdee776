"""Where alerts go: the routing tree, topics with channels of their own, and updates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.routing import notifications_for, route
from tests.support.alerts import FIRST, NOW, UPDATE, config

CHANNELS = {name: {"type": "terminal"} for name in ("world", "energy", "night", "audit")}
TREE = {
    "to": ["world"],
    "quiet_hours": ["nights"],
    "routes": [
        {"match": {"urgency": ["critical"]}, "to": ["audit"], "continue": True},
        {
            "match": {"labels": ["energy"]},
            "to": ["energy"],
            "routes": [{"match": {"languages": ["uk"]}, "quiet_hours": ["kyiv"]}],
        },
        {"match": {"tags": ["slow"]}, "digest": {"cron": "0 7 * * *"}},
    ],
}
NIGHTS = {
    "nights": [{"start": "22:00", "end": "07:00"}],
    "kyiv": [{"start": "23:00", "end": "06:00", "timezone": "Europe/Kyiv"}],
}


def names(settings: Any, alert: Any) -> list[str]:
    """The channels an alert goes to."""
    return [to.channel for to in route(settings, alert)]


def test_without_channels_the_terminal_hears() -> None:
    """A configuration without channels tells the terminal; with some and no route, all of them."""
    assert names(config(), FIRST) == ["terminal"]
    assert names(config(channels=CHANNELS), FIRST) == list(CHANNELS)


def test_the_first_matching_branch_takes_it_and_inherits() -> None:
    """A branch takes what matches, and inherits what it does not set."""
    settings = config(channels=CHANNELS, route=TREE, time_intervals=NIGHTS)
    assert names(settings, FIRST) == ["world"]
    energy = replace(FIRST, topic_tags=("energy",))
    (to,) = route(settings, energy)
    assert (to.channel, to.quiet_hours) == ("energy", ("nights",))
    ukrainian = replace(energy, story=replace(FIRST.story, language="uk"))
    (to,) = route(settings, ukrainian)
    assert (to.channel, to.quiet_hours) == ("energy", ("kyiv",))
    slow = replace(FIRST, story=replace(FIRST.story, tags=("slow", "world")))
    (to,) = route(settings, slow)
    assert to.channel == "world" and to.digest is not None and to.digest.cron == "0 7 * * *"


def test_continue_looks_at_the_following_branches_as_well() -> None:
    """With `continue`, a branch takes the alert and the next ones are still asked."""
    settings = config(channels=CHANNELS, route=TREE, time_intervals=NIGHTS)
    both = replace(FIRST, urgency="critical", topic_tags=("energy",))
    assert names(settings, both) == ["audit", "energy"]


def test_wildcards_match_as_check_says() -> None:
    """`match.topics: ["energy-*"]` takes what `wirewatch check` lets pass as known."""
    branches = [
        {"match": {"topics": ["energy-*"]}, "to": ["energy"]},
        {"match": {"topics": ["*talks"]}, "to": ["night"]},
        {"match": {"feeds": ["EXAMPLE-*"]}, "to": ["audit"]},
    ]
    settings = config(channels=CHANNELS, route={"to": ["world"], "routes": branches})
    assert names(settings, replace(FIRST, topic="energy-strikes")) == ["energy"]
    assert names(settings, FIRST) == ["night"]
    assert names(settings, replace(FIRST, topic="other")) == ["audit"]


def test_a_topic_may_name_its_channels() -> None:
    """`alert.to` of a topic replaces the channels; quiet hours stay those of the branch."""
    topics = [{"id": FIRST.topic, "name": "x y", "alert": {"to": ["night", "world"]}}]
    settings = config(channels=CHANNELS, route=TREE, time_intervals=NIGHTS, topics=topics)
    found = route(settings, FIRST)
    assert [to.channel for to in found] == ["night", "world"]
    assert {to.quiet_hours for to in found} == {("nights",)}


def test_a_channel_left_out_keeps_its_alerts() -> None:
    """A route to a channel that cannot be used just now still names it: the alert waits there."""
    assert names(config(route={"to": ["broken"]}), FIRST) == ["broken"]


@pytest.mark.parametrize(
    ("updates", "kinds"), [("thread", ["update"]), ("alert", ["alert"]), ("none", [])]
)
def test_updates_go_as_the_topic_wants(updates: str, kinds: list[str]) -> None:
    """Developments are replies, fresh alerts, or nothing."""
    update = replace(UPDATE, updates=updates)
    assert [item.kind for item in notifications_for(config(), update, NOW)] == kinds
    first = replace(FIRST, updates=updates)
    assert [item.kind for item in notifications_for(config(), first, NOW)] == ["alert"]


branches = st.recursive(
    st.fixed_dictionaries({"to": st.lists(st.sampled_from(list(CHANNELS)), max_size=2)}),
    lambda inner: st.fixed_dictionaries(
        {
            "match": st.fixed_dictionaries(
                {}, optional={"urgency": st.just(["high"]), "tags": st.just(["none"])}
            ),
            "to": st.lists(st.sampled_from(list(CHANNELS)), max_size=2),
            "continue": st.booleans(),
            "routes": st.lists(inner, max_size=3),
        }
    ),
    max_leaves=8,
)


@given(branches)
def test_every_alert_reaches_somebody_and_nobody_twice(tree: dict[str, Any]) -> None:
    """However the tree looks, an alert has at least one channel and each at most once."""
    tree.pop("match", None)
    found = names(config(channels=CHANNELS, route=tree), FIRST)
    assert found and len(found) == len(set(found))
