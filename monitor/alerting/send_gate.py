"""Whether a notification may go now: send, hold until later, or drop. Pure.

Asked at the moment of sending, of the configuration and the silences as they are then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.alerting.digest_schedule import next_digest
from monitor.alerting.hourly_limit import Ceiling
from monitor.alerting.quiet_hours import quiet_until
from monitor.alerting.routing import RoutedTo, route
from monitor.alerting.silences import Silence, silenced_by
from monitor.config.schema import Config
from monitor.model import Notification
from monitor.reasons import DeliveryReason, Severity, SuppressionReason


@dataclass(frozen=True, slots=True)
class Send:
    """It goes now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It waits until `until` (Unix seconds) and is looked at again then."""

    until: float
    reason: SuppressionReason | DeliveryReason


@dataclass(frozen=True, slots=True)
class Drop:
    """It never goes; `detail` says who decided that, `until` for how long (Unix seconds)."""

    reason: SuppressionReason
    detail: str = ""
    until: float = 0.0


PATIENCE = 14 * 86400.0  # where it is quiet round the clock, an alert waits no longer than this

GateVerdict = Send | Hold | Drop

_GATHERED = frozenset({SuppressionReason.RATE_CEILING.value, SuppressionReason.FLOOD.value})
_HELD = frozenset(
    {
        DeliveryReason.DIGESTED.value,
        SuppressionReason.QUIET_HOURS.value,
        SuppressionReason.PAUSED.value,
    }
)


def decide(
    config: Config,
    notification: Notification,
    silences: Sequence[Silence],
    ceiling: Ceiling,
    now: float,
    flood_until: float = 0.0,
) -> GateVerdict:
    """Decide about one notification that is due.

    Silences come first and drop. Quiet hours, scheduled digests, pauses, ceilings and floods hold;
    what they held goes as part of one digest. Where a person has several subscriptions that take
    an alert, the soonest of them counts. `urgency: critical` passes quiet hours and scheduled
    digests, and so does severity flash where the topic says `flash_passes_quiet_hours`; critical
    over a ceiling gathers for minutes, not for the rest of the hour. What a digest is made of was
    judged alert by alert, so digests pass; words from operations (notices) pass everything.

    Args:
        config: the settings in force.
        notification: what is due.
        silences: those that have not ended.
        ceiling: what the channel took of the topic in this hour.
        now: the present instant, Unix seconds.
        flood_until: until when a flood of the topic gathers (`flood_guard`), or 0.
    """
    alert = notification.alert
    if alert is None:
        return Send()
    found = silenced_by(silences, alert, notification.channel, now)
    if found is not None:
        silence, reason = found
        return Drop(reason, f"{silence.kind} {silence.id} by {silence.author}", silence.ends)
    if notification.held_for == DeliveryReason.SPLIT:  # a digest it was part of has passed
        return Send()
    topic = config.topic(alert.topic)
    flash = alert.severity == Severity.FLASH and topic and topic.alert.flash_passes_quiet_hours
    urgent = alert.urgency == "critical" or bool(flash)
    holds = [_hold(config, notification, to, urgent, now) for to in _routed(config, notification)]
    if all(holds):
        return min((hold for hold in holds if hold), key=lambda hold: hold.until)
    limit = topic.alert.max_per_hour if topic else 0
    if notification.held_for in _GATHERED:
        return Send()
    if until := ceiling.held_until(limit, now, critical=alert.urgency == "critical"):
        return Hold(until, SuppressionReason.RATE_CEILING)
    if flood_until > now:
        return Hold(flood_until, SuppressionReason.FLOOD)
    return Send()


def _hold(
    config: Config, notification: Notification, where: RoutedTo, urgent: bool, now: float
) -> Hold | None:
    """Return how long a branch or a subscription holds an alert, or None."""
    away = [end for start, end in where.away if start <= now < end]
    if away:
        return Hold(max(away), SuppressionReason.PAUSED)
    if urgent or now - notification.created_at >= PATIENCE:
        return None
    # What was held once goes at the next chance, or it would wait from digest to digest.
    if where.digest is not None and notification.held_for not in _HELD:
        return Hold(next_digest(where.digest, now), DeliveryReason.DIGESTED)
    named = (span for name in where.quiet_hours for span in config.time_intervals.get(name, ()))
    quiet = quiet_until((*named, *where.hours), now)
    return Hold(quiet, SuppressionReason.QUIET_HOURS) if quiet is not None else None


def _routed(config: Config, notification: Notification) -> list[RoutedTo]:
    """Return the branch by which it goes; of a person, every subscription that takes it."""
    assert notification.alert is not None
    found = [t for t in route(config, notification.alert) if t.channel == notification.channel]
    return found or [RoutedTo(notification.channel)]
