"""The sender's first steps: what may go out now, what waits, and what becomes one message.

The verdicts are pure (`monitor.alerting.send_gate`, `monitor.delivery.digest`); here they are asked
for and written down, each under the channel's lease.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.alerting import send_gate
from monitor.alerting.flood_guard import FloodGuard
from monitor.alerting.hourly_limit import Ceiling
from monitor.alerting.silence_store import SilenceStore
from monitor.clock import Clock
from monitor.config.schema import Config
from monitor.delivery import digest
from monitor.delivery.due import Due
from monitor.delivery.outbox import OutboxStore
from monitor.model import Notification, Receipt
from monitor.observability import metrics
from monitor.observability.logs import get_logger, trace
from monitor.reasons import DeliveryReason
from monitor.store.lease import Lease

log = get_logger(__name__)


class GateStep:
    """Let through, drop, hold, fold or join what is due on one channel.

    Args:
        channel: the channel's name in the configuration.
        overflow: how many alerts at once the channel takes before they are folded.
        outbox, silences, lease, clock, config, stopping: as the sender has them.
    """

    def __init__(
        self,
        channel: str,
        overflow: int,
        outbox: OutboxStore,
        silences: SilenceStore,
        lease: Lease,
        clock: Clock,
        config: Callable[[], Config],
        stopping: Callable[[], bool],
    ) -> None:
        self._channel = channel
        self._overflow = overflow
        self._outbox = outbox
        self._silences = silences
        self._lease = lease
        self._clock = clock
        self._config = config
        self._stopping = stopping
        self.floods = FloodGuard(overflow)  # the sender tells it what was sent

    async def admit(self, due: Sequence[Due]) -> list[Due]:
        """Drop and hold what must be; return the rest in order."""
        config, now = self._config(), self._clock.now()
        silences = await self._silences.active(now)
        limited = {topic.id for topic in config.topics if topic.alert.max_per_hour}
        topics = {d.notification.alert.topic for d in due if d.notification.alert}
        counted = await self._outbox.ceilings(self._channel, sorted(topics & limited))
        sent = {topic: Ceiling(n, now + left) for topic, (n, left) in counted.items()}
        ready: list[Due] = []
        holds: list[tuple[Notification, float, str]] = []
        for item in due:
            if self._stopping():
                break
            notification = item.notification
            topic = notification.alert.topic if notification.alert else ""
            ceiling = sent.get(topic, Ceiling())
            alert = notification.alert
            flood = self.floods.hold_until(alert, now) if alert is not None else 0.0
            verdict = send_gate.decide(config, notification, silences, ceiling, now, flood)
            with trace(notification.trace):
                if isinstance(verdict, send_gate.Drop):
                    await self._drop(notification, verdict)
                elif isinstance(verdict, send_gate.Hold):
                    holds.append((notification, verdict.until, verdict.reason.value))
                else:
                    ready.append(item)
                    if topic in limited:
                        sent[topic] = ceiling.one_more(now)
        await self._hold(holds, now)
        return ready

    async def _drop(self, notification: Notification, drop: send_gate.Drop) -> None:
        now = self._clock.now()
        note = f"{drop.reason}: {drop.detail}"
        receipt = Receipt(
            notification.id, self._channel, now, note=note, state="dropped", until=drop.until
        )
        await self._outbox.done(self._lease, notification, receipt, {}, drop.reason.value, {})
        metrics.SUPPRESSIONS.labels(reason=drop.reason).inc()
        log.info("dropped", notification=notification.id, reason=drop.reason, by=drop.detail)

    async def _hold(self, holds: Sequence[tuple[Notification, float, str]], now: float) -> None:
        await self._outbox.hold(self._lease, holds, now)
        for notification, until, reason in holds:
            digested = reason == DeliveryReason.DIGESTED
            if not digested:
                metrics.SUPPRESSIONS.labels(reason=reason).inc()
            self._counted(DeliveryReason.HELD if digested else reason)
            with trace(notification.trace):
                log.info("held", notification=notification.id, reason=reason, until=until)

    async def fold(self, ready: Sequence[Due]) -> bool:
        """Turn what was held, or what floods the channel, into a digest. Return whether it did."""
        alerts = [item.notification for item in ready if item.notification.alert is not None]
        what = digest.to_fold(alerts, self._overflow)
        if what is None:
            return False
        now, reason = self._clock.now(), DeliveryReason.DIGESTED.value
        await self._outbox.fold(self._lease, what.members, digest.fold(what, now), reason, now)
        if what.flood:
            self.floods.folded(what.members, now)
        self._counted(reason, len(what.members))
        log.info("folded", channel=self._channel, alerts=len(what.members), title=what.title)
        return True

    async def join(self, ready: Sequence[Due]) -> bool:
        """Make one message of alerts of several topics on one event. Return whether it did."""
        for group in digest.alike([item.notification for item in ready]):
            threads = [await self._outbox.thread_of(member) for member in group]
            under = zip(group, threads, strict=True)
            members = [member for member, thread in under if thread == threads[0]]
            if len(members) < 2:
                continue
            one, reason = digest.joined(members), DeliveryReason.JOINED.value
            await self._outbox.fold(self._lease, members, [one], reason, self._clock.now())
            self._counted(reason, len(one.alerts))
            topics = [member.alert.topic for member in members if member.alert]
            log.info("joined", notification=one.id, topics=topics)
            return True
        return False

    def forget_floods(self) -> None:
        """Count anew what each topic tells the channel."""
        self.floods = FloodGuard(self._overflow)

    def _counted(self, reason: str, times: int = 1) -> None:
        metrics.NOTIFICATIONS.labels(channel=self._channel, outcome=reason).inc(times)
