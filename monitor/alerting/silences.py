"""Silences, mutes and snoozes: a matcher, an author, a reason and an end. Pure.

They are one thing under three names: a *silence* is set on the command line, a *mute* (one event)
and a *snooze* (one topic) by a button in Slack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Self

from monitor.alerting.subscriptions import recipients
from monitor.config.names import fits
from monitor.config.schema import Config
from monitor.model import Alert
from monitor.reasons import AlertReason, SuppressionReason

LONGEST = 366 * 86400.0  # seconds a silence may last

FIELDS = (
    "topic", "label", "event", "urgency", "reason", "feed", "source", "tag", "language",
    "channel", "title",
)  # fmt: skip
_MATCHER = re.compile(r"^\s*([a-z]+)\s*(!?=)\s*(.+?)\s*$")
_REASONS = {
    "silence": SuppressionReason.SILENCED,
    "mute": SuppressionReason.MUTED,
    "snooze": SuppressionReason.SNOOZED,
}


@dataclass(frozen=True, slots=True)
class Matcher:
    """`field=pattern` or `field!=pattern`; `*` and `?` are wild, upper and lower case are one."""

    field: str
    pattern: str
    negate: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one matcher, such as `topic=energy-*`.

        Raises:
            ValueError: with a message that says how to write one.
        """
        found = _MATCHER.match(text)
        if found is None or found[1] not in FIELDS:
            raise ValueError(
                f"{text!r} is not a matcher; write field=pattern, such as topic=energy-*; "
                f"fields: {', '.join(FIELDS)}"
            )
        return cls(found[1], found[3], found[2] == "!=")

    def holds(self, alert: Alert, channel: str) -> bool:
        """Whether the matcher holds for `alert` on its way to `channel`."""
        values = _values(alert, channel)[self.field]
        hit = any(fits(self.pattern, value) for value in values)
        return hit is not self.negate

    def __str__(self) -> str:
        return f"{self.field}{'!=' if self.negate else '='}{self.pattern}"


@dataclass(frozen=True, slots=True)
class Silence:
    """What is not to be told, until when, who said so and why. Every matcher must hold."""

    id: str
    matchers: tuple[Matcher, ...]
    starts: float
    ends: float
    author: str
    reason: str = ""
    kind: str = "silence"  # silence, mute, snooze

    def __post_init__(self) -> None:
        """Refuse a silence that is over before it begins, or lasts too long."""
        if self.ends - self.starts > LONGEST + 1.0:
            raise ValueError("a silence lasts 366 days at most; write for example 6h or 14d")

    def covers(self, alert: Alert, channel: str, now: float) -> bool:
        """Whether `alert` is not to be told on `channel` at `now`. Without matchers: never."""
        if not (self.matchers and self.starts <= now < self.ends):
            return False
        return all(matcher.holds(alert, channel) for matcher in self.matchers)

    def ended(self, now: float) -> Silence:
        """Return the same silence, over by `now`."""
        return replace(self, ends=min(self.ends, now))

    @property
    def what(self) -> str:
        """What it covers, as the command line takes it: "topic=energy-* feed!=bbc"."""
        return " ".join(str(matcher) for matcher in self.matchers)

    def to_json(self) -> str:
        """Return the stored form."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Rebuild a silence from `to_json`; one stored without a sensible end gets the latest."""
        data = json.loads(text)
        data["matchers"] = tuple(Matcher(**item) for item in data["matchers"])
        data["ends"] = min(data["ends"], data["starts"] + LONGEST)
        return cls(**data)


def silenced_by(
    silences: Iterable[Silence], alert: Alert, channel: str, now: float
) -> tuple[Silence, SuppressionReason] | None:
    """Return the first silence that covers `alert`, with its named reason, or None."""
    for silence in silences:
        if silence.covers(alert, channel, now):
            return silence, _REASONS[silence.kind]
    return None


def nothing_fits(silence: Silence, config: Config) -> list[Matcher]:
    """Return the matchers of `silence` that no part of the configuration fits.

    A silence with such a matcher holds nothing back: a slip of the finger, most likely. Fields
    whose values are not known beforehand (event, title, source, language) are let pass.
    """
    known = {
        "topic": {topic.id for topic in config.topics},
        "label": {label for topic in config.topics for label in topic.labels},
        "feed": {feed.id for feed in config.feeds},
        "tag": {tag for feed in config.feeds for tag in feed.tags},
        "channel": {*recipients(config), "terminal"},
        "urgency": {"low", "normal", "high", "critical"},
        "reason": {reason.value for reason in AlertReason},
    }
    return [
        matcher
        for matcher in silence.matchers
        if not matcher.negate
        and matcher.field in known
        and not any(fits(matcher.pattern, name) for name in known[matcher.field])
    ]


def _values(alert: Alert, channel: str) -> dict[str, tuple[str, ...]]:
    story = alert.story
    return {
        "topic": (alert.topic,),
        "label": alert.topic_tags,
        "event": (alert.event,),
        "urgency": (alert.urgency,),
        "reason": (str(alert.reason),),
        "feed": (story.feed_id,),
        "source": (story.source, story.owner),
        "tag": story.tags,
        "language": (story.language,),
        "channel": (channel,),
        "title": (story.title,),
    }
