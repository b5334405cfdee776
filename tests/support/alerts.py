"""Alerts and configurations of our own making, for tests of delivery."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.config.schema import Config
from monitor.model import Alert, Notification, Story
from monitor.reasons import AlertReason

NOW = 1_767_225_600.0  # ManualClock's start: 2026-01-01 00:00 UTC

STORY = Story(
    id="s-rotterdam",
    title="Envoys meet in Geneva for a third round of talks on a ceasefire",
    url="https://news.example.org/world/2026/envoys-geneva?ref=rss&id=7",
    summary="Delegations from both sides arrived on Thursday morning.",
    feed_id="example-world",
    source="Example World News",
    owner="example",
    tags=("world",),
    language="en",
    published=NOW - 312.0,
    seen_at=NOW - 14.0,
    trace="5f0c",
)

FIRST = Alert(
    id="a-first",
    topic="us-russia-talks",
    topic_name="US–Russia Ukraine talks",
    event="e12",
    reason=AlertReason.FIRST,
    story=STORY,
    score=0.83,
    line=0.6,
    evidence="Officials said the talks in Geneva would open with an exchange of prisoners & grain.",
    nearest="Rubio and Lavrov meet for talks on ending the war",
    terms=("talks", "prisoner*"),
    sources=("Example World News",),
    story_count=1,
    urgency="high",
    decided_at=NOW - 1.5,
    parent="a-first",
    topic_tags=("world-desk",),
)

UPDATE = replace(
    FIRST,
    id="a-update",
    reason=AlertReason.CORROBORATED,
    story=replace(
        STORY,
        id="s-second",
        title="Second day of Geneva talks brings agreement on prisoners",
        source="Harbour Daily",
    ),
    novelty="The two sides agreed to exchange 240 prisoners on Friday.",
    sources=("Example World News", "Harbour Daily", "Coast Radio"),
    story_count=5,
    parent="a-first",
)


def alert(name: str, **changes: Any) -> Alert:
    """Return an alert of its own event, with its own id."""
    story = replace(STORY, id=f"s-{name}", title=f"{STORY.title} ({name})")
    known = {"id": name, "event": f"e-{name}", "parent": name, "story": story}
    return replace(FIRST, **{**known, **changes})


def note(of: Alert, channel: str, kind: str = "alert", now: float = NOW) -> Notification:
    """Return a notification of `of` for `channel`, due now."""
    return Notification(
        id=f"{of.id}@{channel}", channel=channel, kind=kind, alert=of, created_at=now, due=now
    )


def config(**parts: Any) -> Config:
    """Return a configuration from plain data."""
    return Config.model_validate(parts)
