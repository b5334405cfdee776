"""Where an alert goes: a tree of routes, as in Alertmanager. Pure.

A branch that matches hands the alert to its own branches first; the first of them that matches
takes it (with `continue`, the following ones are looked at as well). Where none does, the branch
itself takes it. What a branch does not set, it inherits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from monitor.alerting.subscriptions import wants
from monitor.config.languages import speaks
from monitor.config.names import fits
from monitor.config.schema import Config, DigestPlan, Route, RouteMatch, Subscription, TimeInterval
from monitor.model import Alert, Notification

TERMINAL = "terminal"  # the channel that always exists


@dataclass(frozen=True, slots=True)
class RoutedTo:
    """One channel an alert goes to, and when it may. `branch` names the route, for people.

    A subscription has quiet hours of its own (`hours`), and days on which its person is `away`
    (from, to; Unix seconds).
    """

    channel: str
    quiet_hours: tuple[str, ...] = ()
    digest: DigestPlan | None = None
    branch: str = "route"
    mention: tuple[str, ...] = ()
    hours: tuple[TimeInterval, ...] = ()
    away: tuple[tuple[float, float], ...] = ()


def default_channels(config: Config) -> tuple[str, ...]:
    """Return every configured channel, or the terminal where there is none."""
    return tuple(config.channels) or (TERMINAL,)


def route(config: Config, alert: Alert) -> list[RoutedTo]:
    """Return the channels of `alert`, each once, in the order of the tree; then the people.

    Each subscription that takes it has a row, so that a person may have several.

    `alert.to` of the topic replaces the channels of the tree; quiet hours and digests stay those
    of the branch. A channel that is named but cannot be used just now keeps its alerts waiting:
    they must not go astray.
    """
    taken = list(_walk(config.route, alert, RoutedTo("", branch="route"), ()))
    topic = config.topic(alert.topic)
    wanted = topic.alert.to if topic else ()
    found: dict[str, RoutedTo] = {}
    for branch, channels in taken:
        for channel in wanted or channels or default_channels(config):
            here = replace(branch, channel=channel)
            found.setdefault(channel, here)
    personal = [
        _to_person(config, name, one)
        for name, one in config.subscribers().items()
        if wants(one, alert)
    ]
    return [*found.values(), *personal]


def _to_person(config: Config, name: str, one: Subscription) -> RoutedTo:
    zone = one.timezone or config.ops.timezone
    daily = [pause for pause in one.pauses if pause.daily]
    return RoutedTo(
        one.recipient,
        digest=DigestPlan(at=one.digest, timezone=zone) if one.digest else None,
        branch=f"subscription {name}",
        hours=tuple(TimeInterval(start=p.start, end=p.end, timezone=zone) for p in daily),
        away=tuple(pause.between(zone) for pause in one.pauses if not pause.daily),
    )


def notifications_for(config: Config, alert: Alert, now: float) -> list[Notification]:
    """Return what `alert` puts into the outbox, one notification for each channel and person.

    An update is a reply in the thread of the first alert, a fresh alert, or nothing at all, as
    its topic's `updates` says.
    """
    if alert.is_update and alert.updates == "none":
        return []
    kind = "update" if alert.is_update and alert.updates == "thread" else "alert"
    once: dict[str, RoutedTo] = {}
    for to in route(config, alert):
        once.setdefault(to.channel, to)
    return [
        Notification(
            id=f"{alert.id}@{to.channel}",
            channel=to.channel,
            kind=kind,
            alert=alert,
            created_at=now,
            due=now,
            trace=alert.story.trace,
            mention=to.mention if alert.urgency == "critical" else (),
        )
        for to in once.values()
    ]


def matches(match: RouteMatch, alert: Alert) -> bool:
    """Whether every key that is given holds; within a key any value, wildcards too, will do."""
    story = alert.story
    return all(
        not wanted or any(fits(pattern, name) for pattern in wanted for name in has)
        for wanted, has in (
            (match.topics, (alert.topic,)),
            (match.labels, alert.topic_tags),
            (match.urgency, (alert.urgency,)),
            (match.severity, (alert.gravest or alert.severity,)),
            (match.trust, (story.trust,)),
            (match.feeds, (story.feed_id,)),
            (match.tags, story.tags),
        )
    ) and (not match.languages or speaks(story.language, match.languages))


def _walk(
    node: Route, alert: Alert, parent: RoutedTo, channels: tuple[str, ...]
) -> Iterator[tuple[RoutedTo, tuple[str, ...]]]:
    here = RoutedTo(
        "",
        node.quiet_hours or parent.quiet_hours,
        node.digest or parent.digest,
        parent.branch,
        node.mention or parent.mention,
    )
    channels = node.to or channels
    deeper = False
    for number, child in enumerate(node.routes):
        if not matches(child.match, alert):
            continue
        deeper = True
        name = replace(here, branch=f"{here.branch}.routes[{number}]")
        yield from _walk(child, alert, name, channels)
        if not child.go_on:
            return
    if not deeper:
        yield here, channels
