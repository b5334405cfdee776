"""Spikes: a topic far above its own rhythm makes one message, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.spike_store import SpikeStore
from monitor.analysis.story_analysis import StoryDecision
from monitor.config.schema import Topic
from monitor.delivery.formatting import below_headline, status_line
from monitor.editors.spikes import (
    DAY,
    HOUR,
    SENSES,
    WINDOW,
    Matched,
    Spike,
    find_event_spike,
    find_spike,
)
from monitor.model import Assignment, EmbeddedStory, Match, Story
from monitor.reasons import AlertReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys

NOW = 1_767_225_600.0
BALANCED, EAGER = SENSES["balanced"], SENSES["eager"]


def rise(stories: int = 6, owners: int = 3, event: str = "e1") -> list[Matched]:
    """So many stories of the last hour, by so many owners, each on an event of its own but two."""
    return [
        Matched(f"s{n}", NOW - 60 * n, f"owner-{n % owners}", event if n < owners else f"x{n}")
        for n in range(stories)
    ]


def usual(each_day: int) -> list[Matched]:
    """So many stories in this window on each of 28 days."""
    return [
        Matched(f"d{day}-{n}", NOW - day * DAY - 60 * n, f"o{n}", f"d{day}")
        for day in range(1, 29)
        for n in range(each_day)
    ]


def spike(matched: Sequence[Matched], watched: float = 28 * DAY, told: float = 0.0) -> Spike | None:
    """What `balanced` makes of it now."""
    return find_spike(matched, NOW - watched, told, NOW, BALANCED)


def test_a_rise_says_how_much_from_whom_and_driven_by_what() -> None:
    """Six stories where none is usual: number, usual, outlets, and the event behind most."""
    found = spike(rise())
    assert found is not None
    assert (found.count, found.usual, found.event, found.of_event) == (6, 0.0, "e1", 3)
    assert set(found.outlets) == {"owner-0", "owner-1", "owner-2"}
    assert found.since == NOW - 300
    assert found.words() == (
        "6 independent stories in 5 min, usually 0.0 in two hours; 3 of them on this happening"
    )


@pytest.mark.parametrize(
    ("matched", "watched", "told"),
    [
        (rise(stories=4), 28 * DAY, 0.0),
        (rise(owners=1), 28 * DAY, 0.0),
        (rise() + usual(4), 28 * DAY, 0.0),
        (rise(), 6 * DAY, 0.0),
        (rise(), 28 * DAY, NOW - 11 * HOUR),
        ([replace(one, event="e1", owner="one") for one in rise(20)], 28 * DAY, 0.0),
    ],
    ids=["four stories", "one owner", "usual", "first week", "cool-down", "one owner's live blog"],
)
def test_what_is_no_spike(matched: list[Matched], watched: float, told: float) -> None:
    """Few stories, one owner, a topic that is always busy then, no rhythm yet, told just now."""
    assert spike(matched, watched, told) is None


def test_an_earlier_spike_does_not_raise_the_bar() -> None:
    """Two days with forty stories among 28: the highest tenth is left out."""
    earlier = [
        Matched(f"b{n}", NOW - day * DAY - 30 * n, f"o{n}", f"b{n}")
        for day in (3, 9)
        for n in range(40)
    ]
    found = spike(rise() + earlier)
    assert found is not None and found.usual == 0.0


def test_eager_takes_smaller_rises() -> None:
    """Six where one is usual: eager tells, balanced does not."""
    matched = rise() + usual(1)
    assert find_spike(matched, NOW - 28 * DAY, 0.0, NOW, EAGER) is not None
    assert spike(matched) is None


@given(st.lists(st.tuples(st.floats(-3 * WINDOW, WINDOW), st.integers(0, 5), st.integers(0, 9))))
def test_never_below_the_least(rows: list[tuple[float, int, int]]) -> None:
    """Whatever came: a spike has five independent stories of two owners, all of the window."""
    matched = [Matched(f"s{n}", NOW + at, f"o{o}", f"e{e}") for n, (at, o, e) in enumerate(rows)]
    found = find_spike(matched, 0.0, 0.0, NOW, EAGER)
    if found is not None:
        assert found.count >= 5 and len(found.outlets) >= 2
        assert NOW - WINDOW < found.since <= NOW


def event(*hours_ago: float, owners: int = 9) -> list[Matched]:
    """Stories of one event, so many hours ago, by owners in turn."""
    return [
        Matched(f"s{n}", NOW - at * HOUR, f"owner-{n % owners}", "e1")
        for n, at in enumerate(hours_ago)
    ]


JUST_NOW = (0.0, 0.2, 0.4, 0.6, 0.8)


def event_spike(matched: Sequence[Matched], told: float = 0.0) -> Spike | None:
    """What `balanced` makes of an event now."""
    return find_event_spike(matched, told, NOW, BALANCED)


def test_an_event_that_takes_off_says_how_much_and_since_when() -> None:
    """A report ten hours ago and one six hours ago, then five outlets within the hour."""
    found = event_spike(event(10, 6, *JUST_NOW))
    assert found is not None and found.alone
    assert (found.count, found.usual, found.event) == (5, 0.25, "e1")
    assert found.words() == (
        "5 independent stories on this happening in 48 min, before that 0.2 in two hours"
    )


@pytest.mark.parametrize(
    ("matched", "told"),
    [
        (event(*JUST_NOW), 0.0),
        (event(5.9, *JUST_NOW), 0.0),
        (event(10, *JUST_NOW[:4]), 0.0),
        (event(10, *JUST_NOW, 0.1, 0.3, owners=1), 0.0),
        (event(20, 19.9, 19.8, 19.7, 19.6, *JUST_NOW), 0.0),
        (event(12, 10, 9, 8, 6, 5, 4, 3, *JUST_NOW), 0.0),
        (event(10, 6, *JUST_NOW), NOW - 11 * HOUR),
    ],
    ids=["it began", "young", "four stories", "a live blog", "as at its beginning",
         "busy all along", "cool-down"],
)  # fmt: skip
def test_what_is_no_spike_of_an_event(matched: list[Matched], told: float) -> None:
    """A beginning, few outlets, an echo of its first hours, what was busy before, told just now."""
    assert event_spike(matched, told) is None


def test_an_echo_of_its_first_hours_is_none_to_eager_either() -> None:
    """Five outlets yesterday and five now: far above the mean, yet as many as at its beginning."""
    first = event(20.4, 20.2, 20, 19.8, 19.6)
    assert find_event_spike(first + event(*JUST_NOW), 0.0, NOW, EAGER) is None
    assert find_event_spike(first[1:] + event(*JUST_NOW), 0.0, NOW, EAGER) is not None


@given(st.lists(st.tuples(st.floats(-DAY, HOUR), st.integers(0, 9))))
def test_an_event_is_never_below_the_least(rows: list[tuple[float, int]]) -> None:
    """Whatever came: five owners in the window, and more than in any stretch before it."""
    matched = [Matched(f"s{n}", NOW + at, f"o{o}", "e1") for n, (at, o) in enumerate(rows)]
    found = find_event_spike(matched, 0.0, NOW, EAGER)
    if found is not None:
        assert found.count == len(found.outlets) >= 5
        assert NOW - WINDOW < found.since <= NOW and found.count > found.usual


TOPIC = Topic.model_validate({"id": "ports", "name": "Ports", "alert": {"spikes": "balanced"}})


def decision(number: int, at: float, **more: object) -> StoryDecision:
    """A story that the topic matched."""
    story = Story(id=f"t{number}", title="Port shut", owner=f"o{number}", source=f"Paper {number}",
                  seen_at=at, **more)  # type: ignore[arg-type]  # fmt: skip
    item = EmbeddedStory(story, (), np.zeros((0, 4), np.float32), "m")
    return StoryDecision(item, Assignment(story.id, "e1"), matches=[Match("ports", 0.9, 0.5, True)])


async def test_one_message_and_then_the_cool_down(store: Redis, keys: Keys) -> None:
    """On a real store: a week of quiet, six reports in one hour, one alert on the last of them."""
    spikes = SpikeStore(store, keys)

    async def come(number: int, at: float, **more: object) -> StoryDecision:
        one = decision(number, at, **more)
        for command in await spikes.add([one], [TOPIC], at):
            await store.execute_command(*command)  # type: ignore[attr-defined]
        return one

    await come(0, NOW - 9 * DAY)
    for number in range(10, 20):
        assert not (await come(number, NOW - 60, baseline=True)).alerts, "old stories are no news"
    told = [await come(number, NOW + number) for number in range(1, 9)]
    alerts = [alert for one in told for alert in one.alerts]
    assert [alert.reason for alert in alerts] == [AlertReason.SPIKE]
    assert told[4].alerts and alerts[0].parent == alerts[0].id
    assert alerts[0].outlets == ("Paper 1", "Paper 2", "Paper 3", "Paper 4", "Paper 5")
    assert status_line(alerts[0]) == "spike · 5 sources"
    assert below_headline(alerts[0])[0].startswith(
        "5 independent stories in 60 s, usually 0.0 in two hours; 5"
    )
    assert json.dumps(alerts[0].to_dict())
    assert 0 < await store.ttl(keys("spikes", "ports")) <= 29 * DAY


async def test_an_event_takes_off_where_its_topic_is_busy(store: Redis, keys: Keys) -> None:
    """On a real store: a topic of the first week has no rhythm yet, yet an event of it rises."""
    spikes = SpikeStore(store, keys)
    alerts = []
    for number, at in enumerate([-10 * HOUR, -6 * HOUR, *(60.0 * n for n in range(9))]):
        one = decision(number, NOW + at)
        for command in await spikes.add([one], [TOPIC], NOW + at):
            await store.execute_command(*command)  # type: ignore[attr-defined]
        alerts += one.alerts
    assert [alert.reason for alert in alerts] == [AlertReason.SPIKE], "one, then the cool-down"
    assert alerts[0].event == "e1" and alerts[0].novelty == ""
    assert alerts[0].note.startswith("5 independent stories on this happening in 4 min, before")


async def test_a_topic_that_wants_none_costs_nothing(store: Redis, keys: Keys) -> None:
    """`spikes: off` is the default: nothing is written."""
    plain = Topic.model_validate({"id": "ports", "name": "Ports"})
    assert await SpikeStore(store, keys).add([decision(1, NOW)], [plain], NOW) == []
