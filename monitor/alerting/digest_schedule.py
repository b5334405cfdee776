"""Digests: when the next one is due, what goes together, and in which order. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from monitor.config.cron import next_time
from monitor.config.schema import Config, DigestPlan, Route
from monitor.model import Alert, Notification
from monitor.reasons import AlertReason, DeliveryReason, Severity, SuppressionReason

PAGE = 20  # alerts in one message: stays well inside Slack's 50 blocks and 13,000 characters
_URGENCY = {"critical": 3, "high": 2, "normal": 1, "low": 0}
_REASON = {
    AlertReason.CORRECTION: 3,
    AlertReason.FIRST: 2,
    AlertReason.CORROBORATED: 1,
    AlertReason.DEVELOPMENT: 1,
}


def next_digest(plan: DigestPlan, now: float) -> float:
    """Return when `plan` fires next, strictly after `now` (Unix seconds).

    Raises:
        ValueError: the five fields cannot be read, or never come true.
    """
    return next_time(plan.cron, plan.timezone, now)


def plans_by_channel(config: Config) -> dict[str, tuple[DigestPlan, ...]]:
    """Return the digest plans of the routing tree for each channel they send to."""
    found: dict[str, dict[DigestPlan, None]] = {}

    def walk(node: Route, plan: DigestPlan | None, channels: tuple[str, ...]) -> None:
        plan, channels = node.digest or plan, node.to or channels
        if plan is not None:
            for channel in channels or tuple(config.channels):
                found.setdefault(channel, {})[plan] = None
        for child in node.routes:
            walk(child, plan, channels)

    walk(config.route, None, ())
    return {channel: tuple(plans) for channel, plans in found.items()}


def rank(alert: Alert) -> tuple[float, ...]:
    """Return the sort key by which alerts stand in a digest, best first.

    Urgency counts first, then severity (unknown as routine), then corrections before first reports
    before the rest, then the number of independent sources, the score, and age (newest first).
    """
    return (
        -_URGENCY.get(alert.urgency, 1),
        -max(1, Severity.rank(alert.severity)),
        -_REASON.get(alert.reason, 0),
        -len(alert.sources),
        -alert.score,
        -alert.decided_at,
    )


_TITLES = {
    SuppressionReason.QUIET_HOURS.value: "Held during quiet hours",
    SuppressionReason.RATE_CEILING.value: "Held back by the hourly limit of a topic",
    DeliveryReason.DIGESTED.value: "Digest",
}


def to_fold(ready: Sequence[Notification], overflow: int) -> tuple[tuple[Notification, ...], str]:
    """Return what becomes one digest now, and the digest's title; `((), "")` for nothing.

    Args:
        ready: alerts that may go now.
        overflow: how many may wait for a channel before they become one digest; 0 for any number.
    """
    for reason, title in _TITLES.items():
        held = tuple(item for item in ready if item.held_for == reason)
        if len(held) > 1 or (held and reason == DeliveryReason.DIGESTED):
            return held, title
    calm = tuple(n for n in ready if n.alert is not None and n.alert.urgency != "critical")
    if overflow and len(calm) > overflow:
        return calm, f"Catching up: {len(calm)} alerts"
    return (), ""


def fold(members: Sequence[Notification], title: str, now: float) -> list[Notification]:
    """Return the digest that stands for `members`: one notification for each page.

    Its id follows from the members alone, so folding twice makes one digest. Page 2 and later go
    under the first.
    """
    channel = members[0].channel
    alerts = sorted(
        (alert for member in members for alert in (member.alert, *member.alerts) if alert),
        key=rank,
    )
    digest = hashlib.sha256("\n".join(sorted(m.id for m in members)).encode()).hexdigest()[:20]
    pages = [tuple(alerts[start : start + PAGE]) for start in range(0, len(alerts), PAGE)]
    first = f"digest-{digest}@{channel}"
    return [
        Notification(
            id=first if number == 0 else f"digest-{digest}-{number + 1}@{channel}",
            channel=channel,
            kind="digest",
            alerts=page,
            notice=title if len(pages) == 1 else f"{title} ({number + 1} of {len(pages)})",
            follows=first if number else "",
            created_at=now,
            due=now + number * 0.001,
        )
        for number, page in enumerate(pages)
    ]
