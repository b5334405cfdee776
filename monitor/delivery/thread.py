"""Which message updates go under, and what it says once later news is in. Pure."""

from __future__ import annotations

from dataclasses import replace

from monitor.model import Alert, Notification, Thread
from monitor.reasons import AlertReason

_URGENCIES = ("low", "normal", "high", "critical")


def threads_after(
    notification: Notification, thread: Thread | None, ref: str, subject: str
) -> dict[str, Thread]:
    """Return what later updates attach to once `notification` is sent.

    Args:
        notification: what was sent.
        thread: the message it went under, or None.
        ref: the handle of the message sent.
        subject: its subject line, for e-mail.

    Returns:
        Threads by the id of the topic's first alert.
    """
    alert = notification.alert
    if alert is not None:
        parents = [one.parent or one.id for one in (alert, *notification.alerts)]
        if thread is None:
            return dict.fromkeys(parents, Thread(ref, alert, subject))
        if thread.alert is None:
            return {}
        return dict.fromkeys(parents, replace(thread, alert=merged(thread.alert, alert)))
    ref = thread.ref if thread else ref
    return {
        member.parent or member.id: Thread(ref, subject=subject, digest=True)
        for member in notification.alerts
    }


def merged(first: Alert, latest: Alert) -> Alert:
    """Return `first` with what is known by `latest`: sources, stories, urgency.

    A correction's headline, text and link take the place of what was told; what was told stays
    as `was`.
    """
    reason = first.reason
    if AlertReason.CORRECTION in (first.reason, latest.reason):
        reason = AlertReason.CORRECTION
    elif len(latest.sources) > len(first.sources):
        reason = AlertReason.CORROBORATED
    known = replace(
        first,
        sources=latest.sources or first.sources,
        outlets=latest.outlets or first.outlets,
        trusts=latest.trusts or first.trusts,
        story_count=max(first.story_count, latest.story_count),
        reason=reason,
        urgency=max(first.urgency, latest.urgency, key=_rank),
    )
    if latest.reason is not AlertReason.CORRECTION:
        return known
    return replace(
        known,
        story=latest.story,
        evidence=latest.evidence,
        was=first.story.title,
        foreign=latest.foreign,
        gist=latest.gist,
        gist_from=latest.gist_from,
    )


def as_told(notification: Notification, thread: Thread | None) -> Notification:
    """Return a correction with the headline that it takes back; anything else as it is."""
    alert, first = notification.alert, thread.alert if thread else None
    if alert is None or first is None or alert.reason is not AlertReason.CORRECTION:
        return notification
    return replace(notification, alert=replace(alert, was=first.story.title))


def escalates(thread: Thread | None, latest: Alert) -> bool:
    """Whether the whole channel is told of an update: a correction, or one that is critical now."""
    if latest.reason is AlertReason.CORRECTION:
        return True
    before = thread.alert.urgency if thread is not None and thread.alert is not None else ""
    return latest.urgency == "critical" != before


def _rank(urgency: str) -> int:
    return _URGENCIES.index(urgency) if urgency in _URGENCIES else 1
