"""What becomes one message: digests, floods, alerts of several topics on one event. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.delivery.due import Due
from monitor.model import Alert, Notification
from monitor.reasons import AlertReason, DeliveryReason, Severity, SuppressionReason

PAGE = 20  # alerts in one message: stays well inside Slack's 50 blocks and 13,000 characters
PAGES = 5  # messages of one digest
_URGENCY = {"critical": 3, "high": 2, "normal": 1, "low": 0}
_REASON = {
    AlertReason.CORRECTION: 3,
    AlertReason.OUTCOME: 3,
    AlertReason.SPIKE: 2,
    AlertReason.FIRST: 2,
    AlertReason.CORROBORATED: 1,
    AlertReason.DEVELOPMENT: 1,
}


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
    SuppressionReason.PAUSED.value: "While you were away",
    SuppressionReason.RATE_CEILING.value: "Held back by the hourly limit of a topic",
    SuppressionReason.FLOOD.value: "Many at once",
    DeliveryReason.DIGESTED.value: "Digest",
}


@dataclass(frozen=True, slots=True)
class Fold:
    """What becomes one digest: its members, its title, and at most how many messages.

    `flood` says that it stands for a flood: of a large one only the best are listed.
    """

    members: tuple[Notification, ...]
    title: str
    flood: bool = False


def to_fold(ready: Sequence[Notification], overflow: int) -> Fold | None:
    """Return what becomes one digest now, or None.

    Args:
        ready: alerts that may go now.
        overflow: how many may wait for a channel before they become one digest; 0 for any number.
    """
    ready = [item for item in ready if item.held_for != DeliveryReason.SPLIT]
    for reason, title in _TITLES.items():
        held = tuple(item for item in ready if item.held_for == reason)
        if len(held) > 1 or (held and reason == DeliveryReason.DIGESTED):
            return Fold(held, title, reason in _FLOODS)
    calm = [item for item in ready if item.alert and item.alert.urgency != "critical"]
    if crowd := _crowd(calm, overflow):
        return Fold(crowd, "Catching up", flood=True)
    urgent = [item for item in ready if item.alert and item.alert.urgency == "critical"]
    first = {item.alert.topic: item for item in reversed(urgent) if item.alert}
    crowd = tuple(item for item in _crowd(urgent, overflow) if item not in first.values())
    return Fold(crowd, "Many at once", flood=True) if len(crowd) > 1 else None


_FLOODS = frozenset({SuppressionReason.RATE_CEILING.value, SuppressionReason.FLOOD.value})


def _crowd(items: Sequence[Notification], overflow: int) -> tuple[Notification, ...]:
    """Return the items of the topics that have more than a fair share of `overflow`.

    The share is the largest number of messages that every topic can have by itself (max-min
    fairness), so that a topic's flood does not take the room of the others.
    """
    if not overflow or len(items) <= overflow:
        return ()
    counts = Counter(item.alert.topic for item in items if item.alert)
    share = max(
        n
        for n in range(overflow + 1)
        if sum(min(count, n) for count in counts.values()) <= overflow
    )
    return tuple(item for item in items if item.alert and counts[item.alert.topic] > share)


def alike(ready: Sequence[Notification]) -> list[list[Notification]]:
    """Return the groups of alerts that one message each can tell.

    These are alerts of several topics: first alerts on one event, or what one story adds to it.
    """
    groups: dict[tuple[str, ...], list[Notification]] = {}
    for item in ready:
        alert = item.alert
        if alert is None or item.alerts or item.held_for == DeliveryReason.SPLIT:
            continue
        story = alert.story.id if alert.is_update else ""
        group = groups.setdefault((item.kind, alert.event, story), [])
        if all(one.alert and one.alert.topic != alert.topic for one in group):
            group.append(item)
    return [group for group in groups.values() if len(group) > 1]


def joined(members: Sequence[Notification]) -> Notification:
    """Return one notification for alerts of several topics: that of the gravest names the others.

    Its mentions are those of all.
    """
    ranked = sorted(members, key=lambda item: rank(item.alert) if item.alert else ())
    first, *others = ranked
    assert first.alert is not None
    alerts = tuple(item.alert for item in others if item.alert)
    names = tuple(alert.topic_name or alert.topic for alert in alerts)
    mention = tuple(dict.fromkeys(name for item in ranked for name in item.mention))
    return replace(first, alert=replace(first.alert, also=names), alerts=alerts, mention=mention)


def in_turn(due: Sequence[Due]) -> list[Due]:
    """Return what is due in the order to send it: critical first, then topic by topic in turn.

    Within a topic the order stays.
    """
    taken: Counter[str] = Counter()
    keyed = []
    for place, item in enumerate(due):
        alert = item.notification.alert
        turn = taken[alert.topic] if alert else 0
        if alert:
            taken[alert.topic] += 1
        keyed.append((alert is None or alert.urgency != "critical", turn, place, item))
    return [item for *_, item in sorted(keyed, key=lambda row: row[:3])]


def fold(what: Fold, now: float) -> list[Notification]:
    """Return the digest that stands for `what`: one notification for each page.

    Its id follows from the members alone, so folding twice makes one digest. Page 2 and later go
    under the first. Up to `PAGES` pages list every alert; of a flood that needs more, one page
    lists the best. What is not listed is counted in `more`.
    """
    channel = what.members[0].channel
    alerts = sorted(
        (
            replace(alert, also=())
            for member in what.members
            for alert in (member.alert, *member.alerts)
            if alert
        ),
        key=rank,
    )
    digest = _short("\n".join(sorted(member.id for member in what.members)))
    most = PAGE if what.flood and len(alerts) > PAGE * PAGES else PAGE * PAGES
    listed, rest = alerts[:most], alerts[most:]
    pages = [tuple(listed[start : start + PAGE]) for start in range(0, len(listed), PAGE)]
    first = f"digest-{digest}@{channel}"
    return [
        Notification(
            id=first if number == 0 else f"digest-{digest}-{number + 1}@{channel}",
            channel=channel,
            kind="digest",
            alerts=page,
            notice=what.title
            if len(pages) == 1
            else f"{what.title} ({number + 1} of {len(pages)})",
            more=_more(rest) if number == len(pages) - 1 else "",
            follows=first if number else "",
            created_at=now,
            due=now + number * 0.001,
        )
        for number, page in enumerate(pages)
    ]


def halves(digest: Notification, now: float) -> list[Notification]:
    """Return a digest that was refused as two smaller messages, so that only one part is at fault.

    A half of one alert is that alert again, by itself.
    """
    middle = len(digest.alerts) // 2
    parts = []
    for number, alerts in enumerate((digest.alerts[:middle], digest.alerts[middle:])):
        name, _, channel = digest.id.rpartition("@")
        part = replace(
            digest,
            id=f"{name}.{number}@{channel}",
            alerts=alerts,
            more=digest.more if number else "",
            created_at=now,
            due=now + number * 0.001,
            attempts=0,
            last_error="",
        )
        if len(alerts) == 1 and not part.more:
            (alert,) = alerts
            threaded = alert.is_update and alert.updates == "thread"
            part = replace(
                part,
                id=f"{alert.id}@{channel}",
                kind="update" if threaded else "alert",
                alert=alert,
                alerts=(),
                notice="",
                follows="",
                trace=alert.story.trace,
                held_for=DeliveryReason.SPLIT.value,
            )
        parts.append(part)
    return parts


def _more(rest: Sequence[Alert]) -> str:
    """Return "and 1,980 more: Energy strikes 1,400, Shipping 580", or "" for nothing."""
    if not rest:
        return ""
    counts = Counter(alert.topic_name or alert.topic for alert in rest).most_common()
    named = ", ".join(f"{name} {count:,}" for name, count in counts[:5])
    others = f" and {len(counts) - 5} other topics" if len(counts) > 5 else ""
    return f"and {len(rest):,} more: {named}{others}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
