"""What the first message of a thread says once later news is in. Pure."""

from __future__ import annotations

from dataclasses import replace

from monitor.model import Alert, Thread
from monitor.reasons import AlertReason

_URGENCIES = ("low", "normal", "high", "critical")


def merged(first: Alert, latest: Alert) -> Alert:
    """Return `first` with what is known by `latest`: sources, stories, correction, urgency."""
    sources = tuple(dict.fromkeys((*first.sources, *latest.sources)))
    reason = first.reason
    if AlertReason.CORRECTION in (first.reason, latest.reason):
        reason = AlertReason.CORRECTION
    elif len(sources) > len(first.sources):
        reason = AlertReason.CORROBORATED
    count = max(first.story_count, latest.story_count)
    urgency = max(first.urgency, latest.urgency, key=_rank)
    return replace(first, sources=sources, story_count=count, reason=reason, urgency=urgency)


def escalates(thread: Thread | None, latest: Alert) -> bool:
    """Whether `latest` is critical and what was told before was not: the whole channel is told."""
    before = thread.alert.urgency if thread is not None and thread.alert is not None else ""
    return latest.urgency == "critical" != before


def _rank(urgency: str) -> int:
    return _URGENCIES.index(urgency) if urgency in _URGENCIES else 1
