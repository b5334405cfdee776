"""Backtest: what a set of topics would have told of stored stories, and how two sets differ.

It is the replay of `monitor/analysis/replay.py`, looked at topic by topic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitor.analysis.offline import story_reader
from monitor.analysis.replay import ReplayStory, replay
from monitor.analysis.story_analysis import Analysis
from monitor.config.schema import Config
from monitor.embedding import Embedder
from monitor.embedding.passages import event_text, passages
from monitor.events.index import EventIndex
from monitor.events.owners import Owners
from monitor.matching import Background, TopicMatcher, texts
from monitor.model import EmbeddedStory, Matrix, Vector

NEAREST = 8  # cases shown on either side of the threshold


@dataclass(frozen=True, slots=True)
class Case:
    """One story under one topic."""

    story: str
    title: str
    at: float
    score: float
    fired: bool
    reason: str
    evidence: str = ""
    url: str = ""
    outlet: str = ""


@dataclass(slots=True)
class TopicResult:
    """What one topic made of the stories.

    `alerts` are first alerts, `updates` what followed; `silent` counts, by reason, the matching
    stories of which neither came.
    """

    id: str
    name: str
    line: float
    cases: list[Case] = field(default_factory=list)
    alerts: list[Case] = field(default_factory=list)
    updates: int = 0
    silent: Counter[str] = field(default_factory=Counter)

    @property
    def fired(self) -> int:
        """How many stories matched."""
        return sum(case.fired for case in self.cases)

    def per_day(self) -> Counter[str]:
        """Return first alerts by day (UTC)."""
        return Counter(day_of(case.at) for case in self.alerts)

    def nearest(self) -> tuple[list[Case], list[Case]]:
        """Return the cases just above the threshold and just below it, nearest first."""
        above = sorted((one for one in self.cases if one.fired), key=lambda one: one.score)
        below = sorted(
            (one for one in self.cases if one.score < self.line), key=lambda one: -one.score
        )
        return above[:NEAREST], below[:NEAREST]


@dataclass(frozen=True, slots=True)
class Backtest:
    """The results of one configuration over some stories; `days` are those the stories span."""

    stories: int
    days: tuple[str, ...]
    topics: tuple[TopicResult, ...]

    def busiest(self) -> tuple[str, str, int]:
        """Return the topic, day and number of its most alerts on one day; 0 if there is none."""
        found = [
            (count, topic.id, day)
            for topic in self.topics
            for day, count in topic.per_day().items()
        ]
        count, topic, day = max(found, default=(0, "", ""))
        return topic, day, count


@dataclass(frozen=True, slots=True)
class Difference:
    """How a topic's alerts differ between two configurations."""

    topic: str
    added: tuple[Case, ...]
    removed: tuple[Case, ...]


class Remembering:
    """An embedder that embeds each text once, however often it is asked."""

    def __init__(self, encoder: Embedder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vector] = {}
        self._happenings: dict[str, Vector] = {}
        self.library = getattr(encoder, "library", None)  # its judge goes along

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint."""
        return self._encoder.fingerprint

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._encoder.dimension

    @property
    def one_view(self) -> bool:
        """Whether one vector serves topics and events."""
        return self._encoder.one_view

    def know(self, item: EmbeddedStory) -> None:
        """Take the vectors of a stored story, unless it would be cut into other passages now."""
        parts = passages(item.story, len(item.passages))
        if [part.text for part in parts] != [part.text for part in item.passages]:
            return
        self._known |= zip((part.embedded for part in parts), item.vectors, strict=True)
        if len(item.happening):
            self._happenings[event_text(parts)] = item.happening

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector for each text, shape (n, d)."""
        return _remembered(texts, self._known, self._encoder.encode)

    def encode_happenings(self, texts: Sequence[str]) -> Matrix:
        """Return one vector of its happening for each headline, shape (n, e)."""
        return _remembered(texts, self._happenings, self._encoder.encode_happenings)


def _remembered(
    texts: Sequence[str], known: dict[str, Vector], compute: Callable[[Sequence[str]], Matrix]
) -> Matrix:
    missing = list(dict.fromkeys(text for text in texts if text not in known))
    if missing or not texts:
        known |= zip(missing, compute(missing), strict=True)
    return np.stack([known[text] for text in texts]) if texts else compute([])


def run_backtest(
    lines: Sequence[ReplayStory],
    config: Config,
    encoder: Embedder,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> Backtest:
    """Replay stories under a configuration's topics.

    Args:
        lines: the stories.
        config: whose topics, window and passages count; its channels and routes do not.
        encoder: the model.
        progress: told how many stories were embedded, each time.
    """
    phrases = texts(config.topics)
    vectors = dict(zip(phrases, encoder.encode(phrases), strict=True))
    background = Background.of(encoder.fingerprint, encoder.encode)
    matcher = TopicMatcher.build(config.topics, vectors, background)
    index = EventIndex(config.events, Owners.load(config.events.owners_file))
    lines_of = {topic.id: topic for topic in matcher.topics}
    results: dict[str, TopicResult] = {}
    days = set()
    stories = 0
    found = replay(
        lines,
        Analysis(matcher, index, story_reader(encoder)),
        encoder,
        window=config.events.window,
        max_passages=config.embedding.max_passages,
        progress=progress,
    )
    for _, outcome, matches in found:
        stories += 1
        story = outcome.item.story
        days.add(day_of(story.seen_at))
        by_topic = {}
        for match in matches:
            topic = lines_of[match.topic]
            result = results.setdefault(topic.id, TopicResult(topic.id, topic.name, match.line))
            by_topic[topic.id] = case = Case(
                story.id,
                story.title,
                story.seen_at,
                match.score,
                match.fired,
                match.reason.value if match.reason else "fired",
                match.evidence,
                story.url,
                story.source,
            )
            result.cases.append(case)
        for held in outcome.suppressions:
            if held.topic in by_topic and by_topic[held.topic].fired:
                results[held.topic].silent[str(held.reason)] += 1
        for alert in outcome.alerts:
            if alert.is_update:
                results[alert.topic].updates += 1
            else:
                results[alert.topic].alerts.append(by_topic[alert.topic])
    ordered = tuple(results[topic.id] for topic in matcher.topics if topic.id in results)
    return Backtest(stories, tuple(sorted(days)), ordered)


def compare(new: Backtest, old: Backtest) -> list[Difference]:
    """Return how first alerts differ, for every topic of either; unchanged topics are left out."""
    ids = list(dict.fromkeys([*(one.id for one in new.topics), *(one.id for one in old.topics)]))
    differences = []
    for topic in ids:
        now = {case.story: case for one in new.topics if one.id == topic for case in one.alerts}
        then = {case.story: case for one in old.topics if one.id == topic for case in one.alerts}
        added = tuple(case for story, case in now.items() if story not in then)
        removed = tuple(case for story, case in then.items() if story not in now)
        if added or removed:
            differences.append(Difference(topic, added, removed))
    return differences


def as_data(result: Backtest, differences: Sequence[Difference] | None) -> dict[str, Any]:
    """Return a backtest as JSON-ready data."""
    data: dict[str, Any] = {
        "stories": result.stories,
        "days": len(result.days),
        "topics": {
            topic.id: {
                "matching": topic.fired,
                "alerts": len(topic.alerts),
                "updates": topic.updates,
                "per_day": dict(sorted(topic.per_day().items())),
                "line": topic.line,
                "silent": dict(topic.silent),
                "list": [_case(case) for case in topic.alerts],
                "just_above": [_case(case) for case in topic.nearest()[0]],
                "just_below": [_case(case) for case in topic.nearest()[1]],
            }
            for topic in result.topics
        },
    }
    if differences is not None:
        data["against"] = {
            one.topic: {
                "added": [_case(case) for case in one.added],
                "removed": [_case(case) for case in one.removed],
            }
            for one in differences
        }
    return data


def day_of(at: float) -> str:
    """Return the day of an instant, as YYYY-MM-DD (UTC)."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _case(case: Case) -> dict[str, Any]:
    return {
        "story": case.story,
        "title": case.title,
        "url": case.url,
        "outlet": case.outlet,
        "at": datetime.fromtimestamp(case.at, UTC).isoformat(timespec="seconds"),
        "score": round(case.score, 4),
        "reason": case.reason,
        "evidence": case.evidence,
    }
