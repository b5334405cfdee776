"""What a channel is told of a silence that concerns it: who silenced what, until when, and how to
undo it. Pure."""

from __future__ import annotations

from monitor.alerting.routing import route
from monitor.alerting.silences import Silence
from monitor.config.names import fits
from monitor.config.schema import Config
from monitor.delivery.formatting import day_clock
from monitor.delivery.sample_alert import sample_alert
from monitor.model import Notification
from monitor.text import one_line

_VERBS = {"silence": "silenced", "mute": "muted", "snooze": "snoozed"}


def begun(config: Config, silence: Silence, now: float) -> list[Notification]:
    """Return the notices that tell of a new silence, one for each channel it concerns."""
    said = f"{silence.author} {_VERBS[silence.kind]} {silence.what} until {day_clock(silence.ends)}"
    why = f": {silence.reason}" if silence.reason else ""
    text = one_line(f"{said}{why}", 400)
    undo = f"Undo: wirewatch silence end {silence.id}"
    return _notices(config, silence, "begun", f"{text}. {undo}", now, undo=silence.id)


def ended(config: Config, silence: Silence, by: str, now: float) -> list[Notification]:
    """Return the notices that tell that `by` ended a silence before its time."""
    text = f"{by} ended: {_VERBS[silence.kind]} {silence.what}, set by {silence.author}."
    return _notices(config, silence, "ended", one_line(text, 400), now)


def concerned(config: Config, silence: Silence) -> list[str]:
    """Return the channels on which `silence` can hold something back, as the routes stand."""
    topics = [topic for topic in config.topics if _may_cover(silence, topic.id, topic.labels)]
    routed = {to.channel for topic in topics for to in route(config, sample_alert(0.0, topic))}
    limits = [matcher for matcher in silence.matchers if matcher.field == "channel"]
    return sorted(
        name for name in routed if all(fits(one.pattern, name) is not one.negate for one in limits)
    )


def _may_cover(silence: Silence, topic: str, labels: tuple[str, ...]) -> bool:
    values = {"topic": (topic,), "label": labels}
    return all(
        any(fits(matcher.pattern, name) for name in values[matcher.field]) is not matcher.negate
        for matcher in silence.matchers
        if matcher.field in values
    )


def _notices(
    config: Config, silence: Silence, what: str, text: str, now: float, undo: str = ""
) -> list[Notification]:
    return [
        Notification(
            id=f"silence-{what}-{silence.id}@{channel}",
            channel=channel,
            kind="notice",
            notice=text,
            silence=undo,
            created_at=now,
            due=now,
        )
        for channel in concerned(config, silence)
    ]
