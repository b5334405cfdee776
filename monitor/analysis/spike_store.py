"""Which stories a topic matched of late, and the spikes that follow: `spikes:TOPIC`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.alerting.alert_decision import alert_of
from monitor.analysis.story_analysis import StoryDecision
from monitor.config.schema import Topic
from monitor.editors.spikes import (
    KEPT,
    SENSES,
    Matched,
    Sense,
    Spike,
    find_event_spike,
    find_spike,
)
from monitor.model import Alert
from monitor.reasons import AlertReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import Command

_OLDEST = KEPT + 86400.0  # a little longer than what a rhythm is made of
_TOLD, _SINCE = "told", "since"


class SpikeStore:
    """Remembers what each topic that wants spikes matched, for about four weeks.

    A sorted set holds a member a story, its score the time; further members tell when the topic
    was first watched so, when its last spike was told, and the last of each event (`told:EVENT`).
    """

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def add(
        self, outcomes: Sequence[StoryDecision], topics: Sequence[Topic], now: float
    ) -> list[Command]:
        """Append a spike's alert to the outcome that completes it; return what to remember."""
        commands: list[Command] = []
        for topic in topics:
            sense = SENSES.get(topic.alert.spikes)
            if sense is None:
                continue
            key = self._keys("spikes", topic.id)
            fresh = [(one, found) for one in outcomes if (found := _matched(one, topic.id))]
            if not fresh:
                continue
            rows = await self._client.zrange(key, 0, -1, withscores=True)
            marks = {name.decode(): at for name, at in rows if not name.startswith(b"[")}
            known = [_read(name, at) for name, at in rows if name.startswith(b"[")]
            known += [found for _, found in fresh]
            since = marks.get(_SINCE, now)
            spike = find_spike(known, since, marks.get(_TOLD, 0.0), now, sense)
            spikes = [spike] if spike else _of_events(known, fresh, marks, now, sense)
            for spike in spikes:
                of_event = [one for one, found in fresh if found.event == spike.event]
                last = (of_event or [one for one, _ in fresh])[-1]
                last.alerts.append(_alert(topic, last, spike.words(), spike.outlets, now))
                commands.append(["ZADD", key, now, f"{_TOLD}:{spike.event}"])
                if not spike.alone:
                    commands.append(["ZADD", key, now, _TOLD])
            for _, found in fresh:
                commands.append(["ZADD", key, found.at, _member(found)])
            commands += [
                ["ZREMRANGEBYSCORE", key, "-inf", now - _OLDEST],
                ["ZADD", key, since, _SINCE],
                ["EXPIRE", key, int(_OLDEST)],
            ]
        return commands


def _of_events(
    known: Sequence[Matched],
    fresh: Sequence[tuple[StoryDecision, Matched]],
    marks: Mapping[str, float],
    now: float,
    sense: Sense,
) -> list[Spike]:
    """Return the spikes of the events that the new stories belong to."""
    found = []
    for event in dict.fromkeys(one.event for _, one in fresh):
        last = max(marks.get(_TOLD, 0.0), marks.get(f"{_TOLD}:{event}", 0.0))
        ours = [one for one in known if one.event == event]
        found.append(find_event_spike(ours, last, now, sense))
    return [one for one in found if one is not None]


def _matched(outcome: StoryDecision, topic: str) -> Matched | None:
    """Return a story that the topic matched and that is news of its own, or None."""
    story, assignment = outcome.item.story, outcome.assignment
    if assignment.copy_of or assignment.repeated or story.baseline or story.stale:
        return None
    if not any(match.topic == topic and match.fired for match in outcome.matches):
        return None
    owner = story.owner or story.source or story.feed_id
    return Matched(story.id, story.seen_at, owner, assignment.event, story.source)


def _alert(
    topic: Topic, outcome: StoryDecision, words: str, outlets: tuple[str, ...], now: float
) -> Alert:
    match = next(match for match in outcome.matches if match.topic == topic.id)
    alert = alert_of(
        topic, outcome.item, match, outcome.assignment, AlertReason.SPIKE, now,
        severity=outcome.severity,
    )  # fmt: skip
    # It tells of many happenings: who reported them, not who reports this story's event.
    return replace(
        alert,
        note=words,
        novelty="",
        sources=outlets,
        outlets=outlets,
        trusts=(),
        story_count=len(outlets),
    )


def _member(found: Matched) -> str:
    return json.dumps([found.story, found.owner, found.event, found.outlet], ensure_ascii=False)


def _read(name: bytes, at: float) -> Matched:
    story, owner, event, outlet = json.loads(name)
    return Matched(story, at, owner, event, outlet)
