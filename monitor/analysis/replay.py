"""Replay: stored stories through the real analysis, in time order, offline, sending nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from monitor.alerting.alert_state import AlertState
from monitor.analysis.decision_record import decision_record, match_record
from monitor.analysis.story_analysis import AlertKey, Analysis, StoryDecision
from monitor.config.languages import language
from monitor.config.schema import FeedSource
from monitor.editors.source_trust import trust_of
from monitor.embedding import Embedder, embed_stories, pair_judge
from monitor.errors import Problem
from monitor.events.index import Prepared
from monitor.events.pair_judge import Answers
from monitor.identity import canonical_url
from monitor.languages.detect import story_language
from monitor.model import EmbeddedStory, Match, Story, Vector

BATCH = 64
_CHUNK = 1024
_FORGET_EVERY = 3600.0
_EPOCH = 1_767_225_600.0  # 2026-01-01: where no story says when


@dataclass(frozen=True, slots=True)
class ReplayStory:
    """One story of the input and the number of its line."""

    number: int
    story: Story


@dataclass(slots=True)
class Tally:
    """What a replay came to, by topic and in all."""

    stories: int = 0
    copies: int = 0
    events: set[str] = field(default_factory=set)
    fired: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    updates: Counter[str] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    alerted_events: dict[str, set[str]] = field(default_factory=dict)

    def add(self, outcome: StoryDecision) -> None:
        """Count one story."""
        self.stories += 1
        self.copies += bool(outcome.assignment.copy_of)
        self.events.add(outcome.assignment.event)
        for match in outcome.matches:
            self.fired[match.topic] += match.fired
        for alert in outcome.alerts:
            (self.updates if alert.is_update else self.alerts)[alert.topic] += 1
            self.alerted_events.setdefault(alert.topic, set()).add(alert.event)
        for suppression in outcome.suppressions:
            self.held[suppression.topic, suppression.reason.value] += 1


def read_stories(path: Path) -> tuple[list[ReplayStory], list[Problem]]:
    """Read a JSON-lines file of stories; a bad line is a problem, and the others go on.

    Only `title` is needed. Without `published` a story has the time of the line before it.

    Raises:
        OSError: the file cannot be read.
    """
    lines: list[ReplayStory] = []
    problems: list[Problem] = []
    last = 0.0
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                story = _story(json.loads(text), number, last)
            except (ValueError, TypeError, AttributeError) as error:
                problems.append(Problem(str(path), number, f"{error}; the line was left out"))
                continue
            last = story.published or last
            lines.append(ReplayStory(number, story))
    first = next((line.story.published for line in lines if line.story.published), _EPOCH)
    return [_with_time(line, first) for line in lines], problems


def _story(row: Any, number: int, last: float) -> Story:
    if not isinstance(row, dict) or not str(row.get("title") or "").strip():
        raise ValueError('not a story: a line is a JSON object with at least a "title"')
    published = _instant(row.get("published")) or last
    return Story(
        id=str(row.get("id") or f"s{number}"),
        title=str(row["title"]),
        url=canonical_url(str(row.get("url") or "")),
        summary=str(row.get("summary") or ""),
        body=str(row.get("content") or row.get("body") or ""),
        source=str(row.get("source") or ""),
        feed_id=str(row.get("feed_id") or row.get("feed") or ""),
        tags=tuple(str(tag) for tag in row.get("tags") or ()),
        language=story_language(
            language(str(row.get("language") or "")),
            str(row["title"]),
            str(row.get("summary") or ""),
        ),
        published=published,
        seen_at=_instant(row.get("seen_at")) or published,
    )


def with_trust(lines: Sequence[ReplayStory], feeds: Sequence[FeedSource]) -> list[ReplayStory]:
    """Give stories that name a configured feed the trust of that feed, and others none."""
    hosts = {feed.id: (feed, urlsplit(feed.url).hostname or "") for feed in feeds}
    return [
        replace(
            line, story=replace(line.story, trust=trust_of(*hosts[line.story.feed_id])[0].value)
        )
        if line.story.feed_id in hosts
        else line
        for line in lines
    ]


def _instant(value: Any) -> float:
    """Return Unix seconds of a number or an ISO 8601 text; a time without zone is UTC."""
    if value in (None, ""):
        return 0.0
    if isinstance(value, int | float):
        return float(value)
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"published {value!r} is not an ISO 8601 time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _with_time(line: ReplayStory, first: float) -> ReplayStory:
    if line.story.published:
        return line
    data = {**line.story.to_dict(), "published": first, "seen_at": first}
    return ReplayStory(line.number, Story.from_dict(data))


def replay(
    lines: Sequence[ReplayStory],
    analysis: Analysis,
    encoder: Embedder,
    *,
    window: float,
    max_passages: int = 24,
    progress: Callable[[int], None] = lambda done: None,
    final_events: dict[str, str] | None = None,
) -> Iterator[tuple[int, StoryDecision, list[Match]]]:
    """Yield (position in `lines`, outcome, every topic's match), in time order.

    Stories are read beside those of the file so far, as the live service reads them beside its own
    recent stories. `window` is how long, in seconds, an event stays open. A story whose id came
    before is not analysed again and not yielded. `final_events` is filled with the event each
    story is in after all merges and splits; an outcome has the event of its own moment.
    """
    told: dict[AlertKey, AlertState] = {}
    order = sorted(range(len(lines)), key=lambda at: (lines[at].story.seen_at, at))
    forgotten = 0.0
    known: set[str] = set()
    fresh: list[int] = []
    for at in order:
        if lines[at].story.id not in known:
            known.add(lines[at].story.id)
            fresh.append(at)
    matcher, headlines = analysis.matcher, list[Vector]()
    for start in range(0, len(fresh), _CHUNK):
        chunk = fresh[start : start + _CHUNK]
        embedded = embed([lines[at].story for at in chunk], encoder, max_passages, progress)
        headlines += [item.vectors[0] for item in embedded]
        analysis.use(matcher.beside(np.stack(headlines)))
        for begin in range(0, len(chunk), BATCH):
            batch = embedded[begin : begin + BATCH]
            prepared, answers = ask_judge(analysis, encoder, batch)
            scored = analysis.score_and_assign(batch, prepared, answers)
            if final_events is not None:
                index = analysis.index
                final_events.update({name: index.event_of(name) for name in index.changed()})
            decided = analysis.decide(scored, _about(told, scored.events), None)
            told.update(decided.told)
            if (now := batch[-1].story.seen_at) - forgotten > _FORGET_EVERY:
                analysis.index.forget(now - window)
                forgotten = now
            for n, outcome in enumerate(decided.outcomes):
                yield chunk[begin + n], outcome, scored.scores.matches(n)


def ask_judge(
    analysis: Analysis, encoder: Embedder, batch: Sequence[EmbeddedStory]
) -> tuple[Prepared | None, Answers | None]:
    """Return what is near a batch and the pair judge's answers; None where there is no judge."""
    judge = pair_judge(encoder)
    if judge is None:
        return None, None
    prepared = analysis.prepare(batch)
    asked = prepared.questions
    if not asked:
        return prepared, {}
    scores = judge.score([q.one for q in asked], [q.two for q in asked])
    found = {(q.story, q.other): float(s) for q, s in zip(asked, scores, strict=True)}
    return prepared, found


def embed(
    stories: Sequence[Story],
    encoder: Embedder,
    max_passages: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[EmbeddedStory]:
    """Embed stories in the model's own batches, reporting how many were done each time."""
    embedded: list[EmbeddedStory] = []
    for start in range(0, len(stories), 256):
        part = stories[start : start + 256]
        embedded += embed_stories(encoder, part, max_passages)
        progress(len(part))
    return embedded


def _about(told: dict[AlertKey, AlertState], events: set[str]) -> dict[AlertKey, AlertState]:
    return {key: state for key, state in told.items() if key[1] in events}


def output(outcome: StoryDecision, matches: Sequence[Match]) -> dict[str, Any]:
    """Return the line of the decisions file for one story; every topic is listed.

    `event` and the alerts' events are those of the moment; see `set_event`.
    """
    record = decision_record(outcome, outcome.item.story.seen_at)
    verdicts = {held["topic"]: held["reason"] for held in record["suppressions"]}
    verdicts |= {alert["topic"]: alert["reason"] for alert in record["alerts"]}
    listed = []
    for match in matches:
        row = match_record(match)
        row["reason"] = verdicts.get(match.topic, row["reason"])
        listed.append(row)
    return {"id": outcome.item.story.id, **record, "matches": listed}


def set_event(row: dict[str, Any], event: str) -> dict[str, Any]:
    """Return a line of the decisions file with the event its story ended up in."""
    alerts = [{**alert, "event": event} for alert in row["alerts"]]
    return {**row, "event": event, "alerts": alerts}
