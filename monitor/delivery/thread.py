"""What the first message of a thread says once later news is in. Pure."""

from __future__ import annotations

from dataclasses import replace

from monitor.model import Alert
from monitor.reasons import AlertReason


def merged(first: Alert, latest: Alert) -> Alert:
    """Return `first` with the sources and stories known by `latest`, and its correction if any."""
    sources = tuple(dict.fromkeys((*first.sources, *latest.sources)))
    reason = first.reason
    if AlertReason.CORRECTION in (first.reason, latest.reason):
        reason = AlertReason.CORRECTION
    elif len(sources) > len(first.sources):
        reason = AlertReason.CORROBORATED
    count = max(first.story_count, latest.story_count)
    return replace(first, sources=sources, story_count=count, reason=reason)
