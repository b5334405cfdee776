"""The analysis of stories: copies and events, topics, and the decision to tell. No I/O.

`wirewatch run`, `replay`, `backtest` and `explain` all go through here, so that what is shown
beforehand or afterwards is what the live service does. One batch is done in two halves, because
between them the caller fetches what has been told about the events that came up:

    scored = analysis.score_and_assign(batch)
    states = ...the alert states of scored.events...
    decided = analysis.decide(scored, states, now)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.alerting.alert_decision import decide
from monitor.alerting.alert_state import AlertState, merge, parted
from monitor.analysis.story_reader import StoryReader
from monitor.config.schema import Topic
from monitor.editors.severity import severity_of
from monitor.events.index import EventIndex, Prepared
from monitor.events.pair_judge import Answers
from monitor.matching import THRESHOLDS, Scores, TopicMatcher
from monitor.model import Alert, Assignment, EmbeddedStory, Match, Suppression

AlertKey = tuple[str, str]  # topic, event
NEAR = 0.1  # how far below its line a topic's match is still kept for `explain`


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """A batch with its assignments and scores, before anything is decided."""

    batch: tuple[EmbeddedStory, ...]
    assignments: tuple[Assignment, ...]
    scores: Scores

    @property
    def events(self) -> set[str]:
        """The events whose told state the decision needs."""
        found = {assignment.event for assignment in self.assignments}
        for assignment in self.assignments:
            found.update(assignment.merged)
            for _, parted_from, into in assignment.moved:
                found.update((parted_from, into))
        return found


@dataclass(slots=True)
class StoryDecision:
    """Everything decided about one story. `matches` holds those near or above their threshold."""

    item: EmbeddedStory
    assignment: Assignment
    severity: str = ""
    matches: list[Match] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    suppressions: list[Suppression] = field(default_factory=list)


@dataclass(slots=True)
class DecidedBatch:
    """The outcomes of a batch in the batch's order, and what is to be remembered.

    `told` holds only what changed; `absorbed` maps events that are no more to the one they joined.
    """

    outcomes: list[StoryDecision]
    told: dict[AlertKey, AlertState]
    absorbed: dict[str, str]


class Analysis:
    """Topics, calibration and the event window, put together.

    Args:
        matcher: built from the topics in force.
        index: the rolling window; `look` moves it on.
        reader: reads the stories first, in commands without a service. Triage has none: the
            embedder has read them already.
    """

    def __init__(
        self, matcher: TopicMatcher, index: EventIndex, reader: StoryReader | None = None
    ) -> None:
        self.index = index
        self._reader = reader
        self.use(matcher)

    def use(self, matcher: TopicMatcher) -> None:
        """Take another set of topics; the window stays."""
        self.matcher = matcher

    def prepare(self, batch: Sequence[EmbeddedStory]) -> Prepared:
        """Return what to ask the pair judge before `score_and_assign`."""
        return self.index.prepare(batch, ask=True)

    def score_and_assign(
        self,
        batch: Sequence[EmbeddedStory],
        prepared: Prepared | None = None,
        answers: Answers | None = None,
    ) -> ScoredBatch:
        """Score stories against every topic and assign them to events."""
        if self._reader is not None:
            batch = self._reader.over(self.matcher, batch)
        scores = self.matcher.score(batch)
        moves = self.index.assign(prepared or batch, answers)
        return ScoredBatch(tuple(batch), tuple(moves), scores)

    def decide(
        self, scored: ScoredBatch, told: Mapping[AlertKey, AlertState], now: float | None
    ) -> DecidedBatch:
        """Decide what is told, story by story in the order of their times.

        Args:
            scored: the batch.
            told: what was told before, for `scored.events`.
            now: the present, or None to take each story's own time (a replay).
        """
        known = dict(told)
        absorbed = {
            gone: assignment.event
            for assignment in scored.assignments
            for gone in assignment.merged
        }
        for gone in absorbed:
            _move_told(known, gone, _final(absorbed, gone))
        for assignment in scored.assignments:
            for story, parted_from, into in assignment.moved:
                _follow_told(known, story, parted_from, into)
        outcomes = [
            StoryDecision(item, assignment, severity_of(item))
            for item, assignment in zip(scored.batch, scored.assignments, strict=True)
        ]
        order = sorted(range(len(outcomes)), key=lambda at: _when(scored.batch[at]))
        for at in order:
            event = _final(absorbed, outcomes[at].assignment.event)
            instant = _when(scored.batch[at])[0] if now is None else now
            for place in _near(scored.scores, at, event, known):
                match = scored.scores.match(at, place)
                outcomes[at].matches.append(match)
                topic = scored.scores.matcher.topics[place]
                _decide(outcomes[at], topic, match, event, known, instant)
        changed = {key: value for key, value in known.items() if told.get(key) != value}
        return DecidedBatch(outcomes, changed, {gone: _final(absorbed, gone) for gone in absorbed})


def _near(scores: Scores, at: int, event: str, known: Mapping[AlertKey, AlertState]) -> list[int]:
    """The topics worth a decision: near or above their threshold, or told of this event before."""
    topics = scores.matcher.topics
    usual = np.array([THRESHOLDS[topic.sensitivity] for topic in topics])
    lines = np.minimum(scores.lines(at), usual)
    near = set(np.flatnonzero(scores.score[at] >= lines - NEAR).tolist())
    told = {topic for topic, of in known if of == event}
    near |= {place for place, topic in enumerate(topics) if topic.id in told} if told else set()
    return sorted(near, key=lambda place: -scores.score[at, place])


def _decide(
    outcome: StoryDecision,
    topic: Topic,
    match: Match,
    event: str,
    known: dict[AlertKey, AlertState],
    now: float,
) -> None:
    key = (topic.id, event)
    told, severity = known.get(key), outcome.severity
    decision = decide(topic, outcome.item, match, outcome.assignment, told, now, severity)
    if decision.told is not None:
        known[key] = decision.told
    if decision.alert is not None:
        outcome.alerts.append(decision.alert)
    if decision.suppression is not None:
        outcome.suppressions.append(decision.suppression)


def _when(item: EmbeddedStory) -> tuple[float, str]:
    return item.story.seen_at or item.story.published, item.story.id


def _move_told(known: dict[AlertKey, AlertState], gone: str, into: str) -> None:
    """Hand what was told of an absorbed event to the event that took it in."""
    for topic, event in list(known):
        if event == gone:
            joined = merge(known.get((topic, into)), known.pop((topic, gone)), into)
            assert joined is not None
            known[topic, into] = joined


def _follow_told(
    known: dict[AlertKey, AlertState], story: str, parted_from: str, into: str
) -> None:
    """Let what was told of a story stay told in the event it was moved to."""
    for topic, event in list(known):
        if event == parted_from:
            state = parted(known[topic, event], story, known.get((topic, into)), into)
            if state is not None:
                known[topic, into] = state


def _final(absorbed: Mapping[str, str], event: str) -> str:
    """Follow a chain of merges to the event that stands."""
    while event in absorbed:
        event = absorbed[event]
    return event
