"""What a topic's readers have been told of one event: the state behind every further decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from monitor.model import Alert
from monitor.reasons import Severity

_REMEMBERED = 64  # ids of stories already told, kept so that deciding twice tells once


@dataclass(frozen=True, slots=True)
class AlertState:
    """Topic x event, as it stands.

    `state` is "waiting" (held until enough independent sources report), "told" or "lapsed" (waited
    in vain). `since` is when it was told or began to wait. `first` is the id of the latest
    top-level alert, under which updates go. `held` is the alert that waits, as its dict. `sources`
    are the owners that had reported when it was last told; `stories` the stories that were told.
    """

    topic: str
    event: str
    state: str
    since: float
    first: str = ""
    sources: tuple[str, ...] = ()
    stories: tuple[str, ...] = ()
    updates: int = 0
    corroborated: bool = False
    last: float = 0.0
    held: dict[str, Any] | None = None
    severity: str = ""  # the gravest level told so far

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        data = {name: getattr(self, name) for name in self.__slots__}
        return data | {"sources": list(self.sources), "stories": list(self.stories)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`; unknown keys are ignored."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        for name in ("sources", "stories"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)

    def with_alert(self, alert: Alert, now: float) -> AlertState:
        """Return the state after `alert` was told."""
        return replace(
            self,
            state="told",
            first=self.first if alert.is_update else alert.id,
            sources=tuple(dict.fromkeys((*self.sources, *alert.sources))),
            stories=(*self.stories, alert.story.id)[-_REMEMBERED:],
            updates=self.updates + int(alert.is_update),
            last=now,
            held=None,
            severity=max(self.severity, alert.severity, key=Severity.rank),
        )


def merge(one: AlertState | None, two: AlertState | None, event: str) -> AlertState | None:
    """Join what was told of two events that turned out to be one, under the id `event`.

    What was told first stays the thread that updates follow; a told event outweighs one that
    waits, and that outweighs one that lapsed, so an alert once sent is never orphaned.
    """
    if one is None or two is None:
        only = one or two
        return replace(only, event=event) if only else None
    rank = {"told": 0, "waiting": 1, "lapsed": 2}
    lead, other = sorted((one, two), key=lambda told: (rank[told.state], told.since, told.first))
    return replace(
        lead,
        event=event,
        sources=tuple(dict.fromkeys((*lead.sources, *other.sources))),
        stories=tuple(dict.fromkeys((*other.stories, *lead.stories)))[-_REMEMBERED:],
        updates=lead.updates + other.updates,
        corroborated=lead.corroborated or other.corroborated,
        severity=max(lead.severity, other.severity, key=Severity.rank),
        last=max(lead.last, other.last),
    )


def parted(told: AlertState, story: str, into: AlertState | None, event: str) -> AlertState | None:
    """Return what counts as told of the event that `story` has moved to from `told.event`.

    Where the story was what readers were told about, they know of its new event too, and updates
    go under the same alert. Otherwise nothing follows it.
    """
    if story not in told.stories:
        return into
    return merge(into, replace(told, event=event), event)
