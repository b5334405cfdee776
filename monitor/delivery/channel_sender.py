"""One channel's share of the outbox: decide, send, record.

Each notification is marked before its send and recorded after it, in atomic steps under the
channel's lease. Found marked without a record, its outcome is unknown: the channel's history is
asked, and what cannot be found out is sent again, marked and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from monitor.alerting import digest_schedule, send_gate
from monitor.alerting.silence_store import SilenceStore
from monitor.clock import Clock
from monitor.config.schema import Config
from monitor.delivery.channel import Channel, Context, Lookup, SendResult
from monitor.delivery.outbox import Due, OutboxStore
from monitor.delivery.send_results import SendResultHandler
from monitor.model import Notification, Receipt, Thread
from monitor.observability import metrics
from monitor.observability.logs import get_logger, trace
from monitor.reasons import DeliveryReason, SuppressionReason
from monitor.store.lease import Lease

log = get_logger(__name__)

BATCH = 400
PARENT_WAIT = 2.0
LOOK_SECONDS = 60.0
_TITLES = {
    SuppressionReason.QUIET_HOURS.value: "Held during quiet hours",
    SuppressionReason.RATE_CEILING.value: "Held back by the hourly limit of a topic",
    DeliveryReason.DIGESTED.value: "Digest",
}
_CATCH_UP = "Catching up"


class ChannelSender:
    """Sends what is due on one channel, one step at a time.

    Args:
        name: the channel's name in the configuration.
        channel: where to send.
        outbox: what to send.
        silences: what not to send.
        lease: the right to be the channel's only sender; the caller keeps it renewed.
        clock: time.
        config: returns the configuration in force.
        stopping: returns whether to begin nothing more.
    """

    def __init__(
        self,
        name: str,
        channel: Channel,
        outbox: OutboxStore,
        silences: SilenceStore,
        lease: Lease,
        clock: Clock,
        config: Callable[[], Config],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self._channel = channel
        self._outbox = outbox
        self._silences = silences
        self._lease = lease
        self._clock = clock
        self._config = config
        self._stopping = stopping
        self._next_send = 0.0
        self._results = SendResultHandler(name, outbox, lease, clock, config)

    async def start(self) -> None:
        """Take over what the last holder of the channel knew."""
        await self._results.start()

    async def step(self) -> float:
        """Do what can be done at once. Return the seconds until there may be more to do.

        Raises:
            LeaseLost: another notifier has the channel.
            RedisError: the store cannot be reached.
        """
        now = self._clock.now()
        if self._results.paused_until > now:
            return self._results.paused_until - now
        due = await self._outbox.read(self.name, now, BATCH)
        if not due:
            return 1.0
        unknown = next((item for item in due if item.began), None)
        if unknown is not None:
            with trace(unknown.notification.trace):
                return await self._settle_unknown(unknown)
        ready = await self._ready(due, now)
        if await self._fold(ready, now):
            return 0.0
        for item in ready:
            now = self._clock.now()
            if max(self._next_send, self._results.paused_until) > now:
                return max(self._next_send, self._results.paused_until) - now
            if self._stopping():
                return 0.0
            if not await self._parent_is_waiting(item, now):
                await self._send(item)
        return 0.0

    # --- before the send

    async def _ready(self, due: Sequence[Due], now: float) -> list[Due]:
        """Drop and hold what must be; return the rest in order."""
        config = self._config()
        silences = await self._silences.active(now)
        limited = {topic.id for topic in config.topics if topic.alert.max_per_hour}
        topics = {d.notification.alert.topic for d in due if d.notification.alert}
        counted = await self._outbox.ceilings(self.name, sorted(topics & limited))
        sent = {topic: send_gate.Ceiling(n, now + left) for topic, (n, left) in counted.items()}
        ready = []
        for item in due:
            notification = item.notification
            topic = notification.alert.topic if notification.alert else ""
            ceiling = sent.get(topic, send_gate.Ceiling())
            decision = send_gate.decide(config, notification, silences, ceiling, now)
            if isinstance(decision, send_gate.Drop):
                with trace(notification.trace):
                    await self._drop(notification, decision, now)
            elif isinstance(decision, send_gate.Hold):
                with trace(notification.trace):
                    await self._hold(notification, decision)
            else:
                ready.append(item)
                if topic in limited and notification.kind == "alert":
                    resets = ceiling.resets if ceiling.resets > now else now + 3600.0
                    sent[topic] = send_gate.Ceiling(ceiling.sent + 1, resets)
        return ready

    async def _drop(self, notification: Notification, drop: send_gate.Drop, now: float) -> None:
        receipt = Receipt(notification.id, self.name, now, note=f"{drop.reason}: {drop.detail}")
        await self._outbox.done(self._lease, notification, receipt, {}, drop.reason.value, {})
        metrics.SUPPRESSIONS.labels(reason=drop.reason).inc()
        log.info("dropped", notification=notification.id, reason=drop.reason, by=drop.detail)

    async def _hold(self, notification: Notification, hold: send_gate.Hold) -> None:
        digested = hold.reason is DeliveryReason.DIGESTED  # counted as such once it is folded
        reason = DeliveryReason.HELD.value if digested else hold.reason.value
        marks = {"held_for": hold.reason.value}
        await self._outbox.later(self._lease, notification, hold.until, reason, marks, {})
        if isinstance(hold.reason, SuppressionReason):
            metrics.SUPPRESSIONS.labels(reason=hold.reason).inc()
        self._count(reason)
        log.info("held", notification=notification.id, reason=hold.reason, until=hold.until)

    async def _fold(self, ready: Sequence[Due], now: float) -> bool:
        """Turn what was held, or what floods the channel, into a digest. Return whether it did."""
        foldable = [item.notification for item in ready if item.notification.alert is not None]
        for reason, title in _TITLES.items():
            held = [item for item in foldable if item.held_for == reason]
            if len(held) > 1 or (held and reason == DeliveryReason.DIGESTED):
                await self._fold_into(held, title, now)
                return True
        calm = [n for n in foldable if n.alert is not None and n.alert.urgency != "critical"]
        if self._channel.traits.overflow and len(calm) > self._channel.traits.overflow:
            await self._fold_into(calm, f"{_CATCH_UP}: {len(calm)} alerts", now)
            return True
        return False

    async def _fold_into(self, members: Sequence[Notification], title: str, now: float) -> None:
        digests = digest_schedule.fold(members, title, now)
        reason = DeliveryReason.DIGESTED.value
        await self._outbox.fold(self._lease, members, digests, reason, now)
        self._count(reason, len(members))
        log.info("folded", channel=self.name, alerts=len(members), title=title)

    async def _parent_is_waiting(self, item: Due, now: float) -> bool:
        """Put an update off while the message it belongs under is still to be told."""
        notification = item.notification
        parent = notification.follows
        if notification.kind == "update" and notification.alert is not None:
            parent = f"{notification.alert.parent}@{self.name}"
        if not parent or not await self._outbox.is_waiting(parent):
            return False
        await self._outbox.later(self._lease, notification, now + PARENT_WAIT, "", {}, {})
        return True

    # --- the send

    async def _send(self, item: Due, *, resend: bool = False) -> None:
        notification = item.notification
        now = self._clock.now()
        await self._outbox.begin(self._lease, notification, now)
        context = Context(
            now=now,
            thread=await self._thread(notification),
            attempt=notification.attempts + 1,
            resend=resend,
            began=now,
        )
        with trace(notification.trace):
            outcome = await self._attempt(notification, context)
            self._next_send = now + self._channel.traits.spacing
            await self._results.apply_result(item, context, outcome)

    async def _attempt(self, notification: Notification, context: Context) -> SendResult:
        try:
            with metrics.SEND_SECONDS.labels(channel=self.name).time():
                async with asyncio.timeout(self._channel.traits.timeout + 1.0):
                    return await self._channel.send(notification, context)
        except TimeoutError:
            return SendResult("unknown", DeliveryReason.TIMEOUT, "no answer in time")
        except Exception as error:  # a bug or a hostile message must not stop the channel
            log.exception("send_failed", notification=notification.id, channel=self.name)
            return SendResult("unknown", DeliveryReason.INTERNAL, type(error).__name__)

    async def _settle_unknown(self, item: Due) -> float:
        """Find out what became of a send that left no record, then act on it."""
        notification = item.notification
        now = self._clock.now()
        thread = await self._thread(notification)
        context = Context(now=now, thread=thread, attempt=notification.attempts, began=item.began)
        found = await self._look(notification, context)
        if found.kind == "later":
            wait = found.after or self._results.next_pause()
            reason, marks = DeliveryReason.UNREACHABLE, {"last_error": found.detail}
            await self._results.pause(notification, wait, reason, found.detail, marks)
            return wait
        if found.kind == "found":
            outcome = SendResult("sent", DeliveryReason.ALREADY_SENT, ref=found.ref)
            await self._results.apply_result(item, context, outcome)
            return 0.0
        if self._next_send > now:
            return self._next_send - now
        await self._send(item, resend=found.kind == "cannot_tell")
        return 0.0

    async def _look(self, notification: Notification, context: Context) -> Lookup:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._channel.find(notification, context)
        except TimeoutError:
            return Lookup("later", detail="the history does not answer in time")
        except Exception as error:  # a bug must not stop the channel
            log.exception("look_failed", notification=notification.id, channel=self.name)
            return Lookup("later", detail=type(error).__name__)

    async def _thread(self, notification: Notification) -> Thread | None:
        if notification.follows:
            receipt = await self._outbox.receipt(notification.follows)
            return Thread(receipt.ref, digest=True) if receipt and receipt.ref else None
        if notification.kind == "update" and notification.alert is not None:
            return await self._outbox.thread(self.name, notification.alert.parent)
        return None

    def _count(self, reason: str, times: int = 1) -> None:
        metrics.NOTIFICATIONS.labels(channel=self.name, outcome=reason).inc(times)
