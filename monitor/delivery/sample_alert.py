"""An alert of our own making: for `wirewatch test-alert` and `wirewatch routes test`."""

from __future__ import annotations

from monitor.config.schema import FeedSource, Topic
from monitor.model import Alert, Story
from monitor.reasons import AlertReason


def sample_alert(
    now: float,
    topic: Topic | None = None,
    feed: FeedSource | None = None,
    urgency: str = "",
    language: str = "",
    severity: str = "",
) -> Alert:
    """Return an alert that says it is a test; its id is new for every `now` (Unix seconds)."""
    name = topic.name if topic else "Test topic"
    story = Story(
        id=f"test-{int(now * 1000)}",
        title="This is a test alert from Wirewatch",
        url="https://example.org/wirewatch-test-alert",
        source=feed.name or feed.id if feed else "Wirewatch",
        feed_id=feed.id if feed else "",
        tags=feed.tags if feed else (),
        language=language or (feed.language if feed else "") or "en",
        published=now - 95.0,
        seen_at=now - 2.0,
    )
    alert_id = f"test-{int(now * 1000)}"
    return Alert(
        id=alert_id,
        topic=topic.id if topic else "test",
        topic_name=name,
        event=f"{alert_id}-event",
        reason=AlertReason.FIRST,
        story=story,
        score=0.83,
        line=0.6,
        evidence=f"If you can read this, alerts on “{name}” reach this channel.",
        nearest=name,
        sources=(story.source,),
        urgency=urgency or (topic.alert.urgency if topic else "normal"),
        severity=severity,
        decided_at=now,
        parent=alert_id,
        topic_tags=topic.labels if topic else (),
    )
