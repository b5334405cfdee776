"""A topic as someone would like it, tried on the stories of the last day before it goes live.

Phrases are embedded by the service's own embedder (as triage's are), so the desk holds no model.
Scores are those of the matcher. The judge is not asked anew: where the topic's words change, its
answers are left out on both sides, so that like is compared with like (`Trial.judged`). Events,
copies and sources are those the service found.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from monitor.alerting.alert_decision import decide
from monitor.alerting.alert_state import AlertState
from monitor.analysis.archive import AnalysisStore
from monitor.analysis.decision_record import recorded_assignment
from monitor.analysis.text_archive import ModelInfo, TextVectors
from monitor.clock import Clock
from monitor.config.schema import Topic
from monitor.embedding.passages import passages
from monitor.matching import THRESHOLDS, Background, TopicMatcher, texts
from monitor.matching.judge_text import fingerprint
from monitor.model import EmbeddedStory, Match, Story, Vector

STORIES = 2_000  # the newest that a trial reads
NEAREST = 8
WAIT = 8.0  # seconds for the embedder
LONGEST = 20_000  # characters of YAML
MOST_PHRASES = 200


class TrialError(Exception):
    """A topic cannot be tried; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TrialCase:
    """One story under the topic: as it is (`before`) and as proposed (`after`)."""

    story: Story
    before: float
    after: float
    fired_before: bool
    fired_after: bool
    reason: str
    nearest: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a topic would have told: its first alerts, oldest first, and how many updates."""

    alerts: tuple[TrialCase, ...]
    updates: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What a proposed topic does with stored stories.

    `above` and `below` are the stories nearest the threshold, nearest first; `gained` and `lost`
    those that would match and did not, or the other way round, best score first. `hours_before` and
    `hours_after` count matches by hour of the day. `told_before` and `told_after` are the alerts
    of the topic as it is and as proposed, both made up from the same stories. `judged`: the judge's
    answers count, as they do live; else the encoder alone decides, which lets more through.
    `headline` is what was tried, or None.
    """

    stories: int
    line: float
    above: tuple[TrialCase, ...]
    below: tuple[TrialCase, ...]
    gained: tuple[TrialCase, ...]
    lost: tuple[TrialCase, ...]
    before: int
    after: int
    hours_before: tuple[tuple[str, int], ...]
    hours_after: tuple[tuple[str, int], ...]
    told_before: Told
    told_after: Told
    judged: bool
    headline: TrialCase | None


def as_yaml(topic: Topic) -> str:
    """Return a topic as YAML, without what is default: the form that is edited and compared."""
    data = topic.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    text: str = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=100)
    return text


def read_topic(text: str, topic_id: str) -> Topic:
    """Read a proposed topic; plain values are text, as in the configuration.

    Raises:
        TrialError: it is not a topic, or not the one that is edited.
    """
    if len(text) > LONGEST:
        raise TrialError(f"a topic may have {LONGEST} characters at most")
    try:
        data = yaml.load(text, yaml.BaseLoader)  # noqa: S506 -- makes text, lists and dicts only
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise TrialError(f"this is not YAML{where}; check indents, colons and quotes") from None
    if not isinstance(data, dict):
        raise TrialError("a topic needs keys such as name: and examples:")
    try:
        topic = Topic.model_validate({"id": topic_id, **data})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TrialError(f"{place}: {first['msg']}") from None
    if topic.id != topic_id:
        raise TrialError(f"the id stays {topic_id!r} here; a new id makes another topic")
    if len(texts([topic])) > MOST_PHRASES:
        raise TrialError(f"a topic may have {MOST_PHRASES} phrases at most")
    return topic


def diff(before: Topic, after: Topic) -> str:
    """Return what changes, as a unified diff of the two topics' YAML; "" for nothing."""
    old, new = (as_yaml(topic).splitlines(keepends=True) for topic in (before, after))
    return "".join(unified_diff(old, new, "as it is", "as proposed"))


async def try_topic(
    archive: AnalysisStore,
    vectors: TextVectors,
    clock: Clock,
    before: Topic,
    after: Topic,
    headline: str = "",
    since: float = 86400.0,
    most: int = STORIES,
) -> Trial:
    """Try `after` beside `before` on the newest `most` stored stories of the last `since` seconds.

    Raises:
        TrialError: no embedder answers, or its model has no calibration.
    """
    model = await vectors.model()
    if model is None:
        raise TrialError("no embedder has started yet; stories cannot be compared without one")
    background = Background.shipped(model.fingerprint)
    if background is None:
        raise TrialError(
            "this model has no calibration of its own here; try it with: wirewatch backtest"
        )
    story = Story(id="try", title=headline.strip()) if headline.strip() else None
    parts = passages(story, 1) if story else ()
    wanted = [*texts([before, after]), *(part.embedded for part in parts)]
    known = await _embedded(vectors, clock, model, wanted)
    one, two = (TopicMatcher.build([topic], known, background) for topic in (before, after))
    now = clock.now()
    rows = await archive.newest(now - since, now, model.fingerprint, most)
    judged = fingerprint(before) == fingerprint(after)
    items = [item if judged else replace(item, judged=None) for item, _ in rows]
    old, new = await asyncio.to_thread(lambda: (_scored(items, one), _scored(items, two)))
    cases = [_case(item.story, o, n) for item, o, n in zip(items, old, new, strict=True)]
    tried = None
    if story is not None:
        vectors_of = np.stack([known[part.embedded] for part in parts])
        item = EmbeddedStory(story, tuple(parts), vectors_of, model.fingerprint)
        tried = _case(story, _scored([item], one)[0], _scored([item], two)[0])
    told = _told(before, rows, old, cases), _told(after, rows, new, cases)
    return _trial(cases, THRESHOLDS[after.sensitivity], told, judged, tried)


async def _embedded(
    vectors: TextVectors, clock: Clock, model: ModelInfo, phrases: Sequence[str]
) -> Mapping[str, Vector]:
    found = await vectors.get(model, phrases)
    ends = clock.now() + WAIT
    while missing := [text for text in phrases if text not in found]:
        if clock.now() > ends:
            raise TrialError("the embedder does not answer just now; try again in a moment")
        await vectors.want(missing)
        await clock.sleep(0.2)
        found |= await vectors.get(model, missing)
    return found


def _scored(items: Sequence[EmbeddedStory], matcher: TopicMatcher) -> list[Match]:
    return [row[0] for row in matcher.score_batch(items)] if items else []


def _told(
    topic: Topic,
    rows: Sequence[tuple[EmbeddedStory, dict[str, Any]]],
    matches: Sequence[Match],
    cases: Sequence[TrialCase],
) -> Told:
    """Decide story by story, as triage does, in the events that the service found."""
    states: dict[str, AlertState] = {}
    alerts, updates = list[TrialCase](), 0
    for (item, record), match, case in zip(rows, matches, cases, strict=True):
        place = recorded_assignment(item.story.id, record)
        told, severity = states.get(place.event), str(record.get("severity", ""))
        found = decide(topic, item, match, place, told, item.story.seen_at, severity)
        if found.told is not None:
            states[place.event] = found.told
        if found.alert is not None:
            if found.alert.is_update:
                updates += 1
            else:
                alerts.append(case)
    return Told(tuple(alerts), updates)


def _case(story: Story, before: Match, after: Match) -> TrialCase:
    why = after.reason.value if after.reason else "fired"
    return TrialCase(
        story, before.score, after.score, before.fired, after.fired, why, after.nearest
    )


def _trial(
    cases: Sequence[TrialCase],
    line: float,
    told: tuple[Told, Told],
    judged: bool,
    tried: TrialCase | None,
) -> Trial:
    by_score = sorted(cases, key=lambda case: -case.after)
    above = [case for case in by_score if case.fired_after]
    below = [case for case in by_score if not case.fired_after and case.after < line]
    old = Counter(_hour(case) for case in cases if case.fired_before)
    new = Counter(_hour(case) for case in cases if case.fired_after)
    names = [f"{hour:02}:00" for hour in range(24)]
    return Trial(
        stories=len(cases),
        line=line,
        above=tuple(reversed(above[-NEAREST:])),
        below=tuple(below[:NEAREST]),
        gained=tuple(case for case in by_score if case.fired_after and not case.fired_before)[:20],
        lost=tuple(case for case in by_score if case.fired_before and not case.fired_after)[:20],
        before=sum(case.fired_before for case in cases),
        after=sum(case.fired_after for case in cases),
        hours_before=tuple((name, old[name]) for name in names),
        hours_after=tuple((name, new[name]) for name in names),
        told_before=told[0],
        told_after=told[1],
        judged=judged,
        headline=tried,
    )


def _hour(case: TrialCase) -> str:
    return f"{int(case.story.seen_at % 86400 // 3600):02}:00"
