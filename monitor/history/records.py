"""The records of the history: an alert, a story of an event, what became of an alert. Pure.

They hold text and decisions, never vectors, so that a year of them stays small (about 1 kB an
alert). All instants are Unix seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from monitor.model import Alert, Assignment, Story
from monitor.text import one_line, shorten

LEAD = 300  # characters of a story's summary that are kept
EVIDENCE = 200
LINE = 240  # of the sentence that is new


@dataclass(frozen=True, slots=True)
class _Record:
    """A flat record and its stored form: JSON without empty fields, lists for tuples."""

    def to_json(self) -> str:
        """Return the stored form."""
        kept = {name: value for name, value in asdict(self).items() if value not in ("", 0, (), [])}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Rebuild a record; unknown keys are ignored (newer writers, older readers)."""
        data = json.loads(text)
        for name in data.keys() - cls.__slots__:
            del data[name]
        for name, value in data.items():
            if type(value) is list:
                data[name] = _frozen(value)
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Return every field as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AlertRecord(_Record):
    """One alert as it was decided. `lead` is the beginning of the story's summary."""

    id: str
    topic: str
    event: str
    reason: str
    decided_at: float
    title: str
    topic_name: str = ""
    urgency: str = "normal"
    parent: str = ""
    story: str = ""
    lead: str = ""
    url: str = ""
    feed: str = ""
    source: str = ""
    owner: str = ""
    language: str = ""
    published: float = 0.0
    seen_at: float = 0.0
    score: float = 0.0
    line: float = 0.0
    nearest: str = ""
    evidence: str = ""
    terms: tuple[str, ...] = ()
    novelty: str = ""
    sources: tuple[str, ...] = ()
    story_count: int = 1
    outlets: tuple[str, ...] = ()
    severity: str = ""
    trust: str = ""
    trusts: tuple[str, ...] = ()
    note: str = ""

    @classmethod
    def of(cls, alert: Alert) -> AlertRecord:
        """Return the record of an alert."""
        story = alert.story
        return cls(
            id=alert.id,
            topic=alert.topic,
            event=alert.event,
            reason=alert.reason.value,
            decided_at=alert.decided_at,
            title=one_line(story.title, 500),
            topic_name=alert.topic_name,
            urgency=alert.urgency,
            parent=alert.parent,
            story=story.id,
            lead=one_line(story.summary, LEAD),
            url=story.url,
            feed=story.feed_id,
            source=story.source,
            owner=story.owner,
            language=story.language,
            published=story.published,
            seen_at=story.seen_at,
            score=round(alert.score, 4),
            line=alert.line,
            nearest=one_line(alert.nearest, EVIDENCE),
            evidence=one_line(alert.evidence, EVIDENCE),
            terms=alert.terms,
            novelty=one_line(alert.novelty, LINE),
            note=one_line(alert.note, LINE),
            sources=alert.sources,
            story_count=alert.story_count,
            outlets=alert.outlets,
            severity=alert.severity,
            trust=story.trust,
            trusts=alert.trusts,
        )

    @property
    def is_update(self) -> bool:
        """Whether it follows an earlier alert of the same topic and event."""
        return self.parent not in ("", self.id)


@dataclass(frozen=True, slots=True)
class StoryRecord(_Record):
    """One story of an event that a topic matched. `decisions` are (topic, reason) pairs."""

    id: str
    title: str
    seen_at: float
    published: float = 0.0
    url: str = ""
    source: str = ""
    owner: str = ""
    language: str = ""
    copy_of: str = ""
    copy_kind: str = ""
    novelty: str = ""
    trust: str = ""
    decisions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls, story: Story, assignment: Assignment, decisions: tuple[tuple[str, str], ...]
    ) -> StoryRecord:
        """Return the record of a story and what was decided about it."""
        return cls(
            id=story.id,
            title=one_line(story.title, 500),
            seen_at=story.seen_at,
            published=story.published,
            url=story.url,
            source=story.source,
            owner=story.owner,
            language=story.language,
            copy_of=assignment.copy_of,
            copy_kind=assignment.copy_kind,
            novelty=one_line(assignment.novelty, LINE),
            trust=story.trust,
            decisions=decisions,
        )


@dataclass(frozen=True, slots=True)
class EventLine:
    """What one story added to its event, in its own words: "14:05 Reuters: “…”".

    `text` is a sentence of the story, of the first story its headline.
    """

    at: float
    outlet: str
    text: str
    story: str
    url: str = ""
    language: str = ""


def event_lines(stories: Sequence[StoryRecord]) -> list[EventLine]:
    """Return an event line by line: how it began, and what each later story added, in time order.

    Stories that add nothing, and lines that were there before, are left out.
    """
    lines: dict[str, EventLine] = {}
    for story in sorted(stories, key=lambda one: (one.seen_at, one.id)):
        text = story.novelty or ("" if lines or story.copy_of else story.title)
        at, outlet = story.published or story.seen_at, story.source or story.owner
        line = EventLine(at, outlet, text, story.id, story.url, story.language)
        if text:
            lines.setdefault(text, line)
    return list(lines.values())


@dataclass(frozen=True, slots=True)
class Delivery(_Record):
    """What became of one alert on one channel. `note` is "" where it was simply sent."""

    channel: str
    at: float
    ref: str = ""
    note: str = ""

    @property
    def words(self) -> str:
        """In a word or a short sentence, what became of it."""
        return shorten(self.note, 200) if self.note else "sent"


@dataclass(frozen=True, slots=True)
class Action(_Record):
    """What a person did about an event: an answer, a claim, a mute. `kind` names which."""

    kind: str
    by: str
    at: float
    text: str = ""


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
