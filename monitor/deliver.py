"""One channel's share of the outbox: decide, send, record.

Each notification is marked before its send and recorded after it, in atomic steps under the
channel's lease. Found marked without a record, its outcome is unknown: the channel's history is
asked, and what cannot be found out is sent again, marked and counted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from monitor import metrics
from monitor.alerts import digest, gate
from monitor.clock import Clock
from monitor.config.schema import Config
from monitor.delivery.channel import Channel, Context, Outcome
from monitor.delivery.policy import backoff, is_poison
from monitor.delivery.thread import merged
from monitor.logs import get_logger, redact, trace
from monitor.model import Notification, Receipt, Thread
from monitor.reasons import DeliveryReason, SuppressionReason
from monitor.store.lease import Lease
from monitor.store.outbox import Due, OutboxStore
from monitor.store.silences import SilenceStore

log = get_logger(__name__)

BATCH = 400
PARENT_WAIT = 2.0
BROKEN_PAUSE = 60.0
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
        self._paused_until = 0.0
        self._next_send = 0.0
        self._failures = 0
        self._last_ok = 0.0
        self._status = "ok"

    async def start(self) -> None:
        """Remember what the last holder knew: a pause asked for, a fault already told."""
        state = await self._outbox.state(self.name)
        self._paused_until = float(state.get("paused_until") or 0.0)
        self._failures = int(state.get("failures") or 0)
        self._last_ok = float(state.get("last_ok") or 0.0)
        self._status = state.get("state", "ok")

    async def step(self) -> float:
        """Do what can be done at once. Return the seconds until there may be more to do.

        Raises:
            LeaseLost: another notifier has the channel.
            RedisError: the store cannot be reached.
        """
        now = self._clock.now()
        if self._paused_until > now:
            return self._paused_until - now
        due = await self._outbox.read(self.name, now, BATCH)
        if not due:
            return 1.0
        unknown = next((item for item in due if item.began), None)
        if unknown is not None:
            return await self._settle_unknown(unknown)
        ready = await self._ready(due, now)
        if await self._fold(ready, now):
            return 0.0
        for item in ready:
            now = self._clock.now()
            if max(self._next_send, self._paused_until) > now:
                return max(self._next_send, self._paused_until) - now
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
        sent = {topic: gate.Ceiling(n, now + left) for topic, (n, left) in counted.items()}
        ready = []
        for item in due:
            notification = item.notification
            topic = notification.alert.topic if notification.alert else ""
            ceiling = sent.get(topic, gate.Ceiling())
            decision = gate.decide(config, notification, silences, ceiling, now)
            if isinstance(decision, gate.Drop):
                await self._drop(notification, decision, now)
            elif isinstance(decision, gate.Hold):
                await self._hold(notification, decision)
            else:
                ready.append(item)
                if topic in limited and notification.kind == "alert":
                    resets = ceiling.resets if ceiling.resets > now else now + 3600.0
                    sent[topic] = gate.Ceiling(ceiling.sent + 1, resets)
        return ready

    async def _drop(self, notification: Notification, drop: gate.Drop, now: float) -> None:
        receipt = Receipt(notification.id, self.name, now, note=f"{drop.reason}: {drop.detail}")
        await self._outbox.done(self._lease, notification, receipt, {}, drop.reason.value, {})
        metrics.SUPPRESSIONS.labels(reason=drop.reason).inc()
        log.info("dropped", notification=notification.id, reason=drop.reason, by=drop.detail)

    async def _hold(self, notification: Notification, hold: gate.Hold) -> None:
        marks = {"held_for": hold.reason.value}
        await self._outbox.later(
            self._lease, notification, hold.until, hold.reason.value, marks, {}
        )
        if isinstance(hold.reason, SuppressionReason):
            metrics.SUPPRESSIONS.labels(reason=hold.reason).inc()
        self._count(hold.reason.value)
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
        digests = digest.fold(members, title, now)
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
        await self._outbox.later(
            self._lease, notification, now + PARENT_WAIT, DeliveryReason.HELD.value, {}, {}
        )
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
            self._next_send = self._clock.now() + self._channel.traits.spacing
            await self._settle(item, context, outcome)

    async def _attempt(self, notification: Notification, context: Context) -> Outcome:
        try:
            with metrics.SEND_SECONDS.labels(channel=self.name).time():
                async with asyncio.timeout(self._channel.traits.timeout + 1.0):
                    return await self._channel.send(notification, context)
        except TimeoutError:
            return Outcome("unknown", DeliveryReason.TIMEOUT, "no answer in time")
        except Exception as error:  # a bug or a hostile message must not stop the channel
            log.exception("send_failed", notification=notification.id, channel=self.name)
            return Outcome("unknown", DeliveryReason.INTERNAL, type(error).__name__)

    async def _settle_unknown(self, item: Due) -> float:
        """Find out what became of a send that left no record, then act on it."""
        notification = item.notification
        now = self._clock.now()
        thread = await self._thread(notification)
        context = Context(now=now, thread=thread, attempt=notification.attempts, began=item.began)
        async with asyncio.timeout(60.0):
            found = await self._channel.find(notification, context)
        if found.kind == "later":
            wait = found.after or backoff(self._failures + 1, self.name)
            reason, marks = DeliveryReason.UNREACHABLE, {"last_error": found.detail}
            self._failures += 1
            await self._pause(notification, wait, reason, found.detail, marks)
            return wait
        if found.kind == "found":
            outcome = Outcome("sent", DeliveryReason.ALREADY_SENT, ref=found.ref)
            await self._settle(item, context, outcome)
            return 0.0
        if self._next_send > now:
            return self._next_send - now
        await self._send(item, resend=found.kind == "cannot_tell")
        return 0.0

    async def _thread(self, notification: Notification) -> Thread | None:
        if notification.follows:
            receipt = await self._outbox.receipt(notification.follows)
            return Thread(receipt.ref, digest=True) if receipt and receipt.ref else None
        if notification.kind == "update" and notification.alert is not None:
            return await self._outbox.thread(self.name, notification.alert.parent)
        return None

    # --- after the send

    async def _settle(self, item: Due, context: Context, outcome: Outcome) -> None:
        outcome = replace(outcome, detail=redact(outcome.detail), note=redact(outcome.note))
        if outcome.partial is not None:
            await self._tell(
                f"partly-{item.notification.id}",
                f"Channel {self.name}: {outcome.partial}: {outcome.note}",
            )
        if outcome.kind == "sent":
            await self._record(item.notification, context, outcome)
        elif outcome.kind == "unknown":
            await self._leave_unknown(item, outcome)
        elif outcome.whole_channel:
            await self._channel_trouble(item.notification, context, outcome)
        elif outcome.kind == "retry":
            await self._retry(item, context, outcome)
        else:
            await self._bury(item.notification, outcome.reason, outcome.detail)

    async def _record(self, notification: Notification, context: Context, outcome: Outcome) -> None:
        now = self._clock.now()
        reason = outcome.reason
        if context.resend and reason is DeliveryReason.SENT:
            reason = DeliveryReason.RESENT
        receipt = Receipt(
            notification=notification.id,
            channel=self.name,
            at=now,
            ref=outcome.ref,
            thread=context.thread.ref if context.thread else outcome.ref,
            attempts=context.attempt,
            note=outcome.note or ("sent again, outcome of an earlier try unknown" * context.resend),
        )
        limited = notification.alert is not None and notification.kind == "alert"
        await self._outbox.done(
            self._lease,
            notification,
            receipt,
            await self._threads(notification, context, outcome),
            reason.value,
            {"state": "ok", "reason": reason.value, "detail": "", "last_ok": now, "failures": 0},
            ceiling=notification.alert.topic if limited and notification.alert else "",
        )
        self._failures, self._last_ok, self._status = 0, now, "ok"
        self._count(reason.value)
        for alert in (notification.alert, *notification.alerts):
            if alert is not None:
                metrics.DELIVERED_AFTER.observe(max(0.0, now - alert.decided_at))
                if alert.story.published > 0:
                    metrics.END_TO_END.observe(max(0.0, now - alert.story.published))
        log.info("delivered", notification=notification.id, reason=reason, note=receipt.note)

    async def _threads(
        self, notification: Notification, context: Context, outcome: Outcome
    ) -> dict[str, Thread]:
        """Return what later updates attach to, by the id of the topic's first alert."""
        alert = notification.alert
        if alert is not None:
            parent = alert.parent or alert.id
            if context.thread is not None and context.thread.alert is not None:
                now = merged(context.thread.alert, alert)
                return {parent: replace(context.thread, alert=now)}
            if context.thread is not None:
                return {}
            return {parent: Thread(outcome.ref, alert, outcome.subject)}
        ref = context.thread.ref if context.thread else outcome.ref
        found: dict[str, Thread] = {}
        for member in notification.alerts:
            parent = member.parent or member.id
            if await self._outbox.thread(self.name, parent) is None:
                found[parent] = Thread(ref, subject=outcome.subject, digest=True)
        return found

    async def _leave_unknown(self, item: Due, outcome: Outcome) -> None:
        """Leave the mark standing: the next look asks the channel's history first."""
        notification = item.notification
        now = self._clock.now()
        if is_poison(notification.attempts + 1, item.failing_since, self._last_ok, now):
            await self._bury(notification, DeliveryReason.TOO_MANY_ATTEMPTS, outcome.detail)
            return
        marks: dict[str, Any] = {"unknown": "1", "last_error": outcome.detail}
        marks["failing_since"] = item.failing_since or now
        wait = backoff(notification.attempts + 1, notification.id)
        reason = outcome.reason.value
        await self._outbox.later(
            self._lease, notification, now + wait, reason, marks, self._trouble(outcome, 0.0)
        )
        self._count(reason)
        log.warning("outcome_unknown", notification=notification.id, reason=reason,
                    detail=outcome.detail)  # fmt: skip

    async def _retry(self, item: Due, context: Context, outcome: Outcome) -> None:
        notification = item.notification
        now = self._clock.now()
        if is_poison(notification.attempts + 1, item.failing_since, self._last_ok, now):
            await self._bury(notification, DeliveryReason.TOO_MANY_ATTEMPTS, outcome.detail)
            return
        marks = _marks(context, outcome.detail) | {"failing_since": item.failing_since or now}
        if outcome.remaining:
            marks["remaining"] = json.dumps(list(outcome.remaining))
        wait = outcome.after or backoff(notification.attempts + 1, notification.id)
        reason = outcome.reason.value
        state = self._trouble(outcome, 0.0)
        await self._outbox.later(self._lease, notification, now + wait, reason, marks, state)
        self._count(reason)
        log.warning("send_postponed", notification=notification.id, reason=reason, wait=wait,
                    detail=outcome.detail)  # fmt: skip

    async def _channel_trouble(
        self, notification: Notification, context: Context, outcome: Outcome
    ) -> None:
        """Rest the whole channel: the next message would fare no better. Nothing loses its turn."""
        broken = outcome.kind == "refused"
        self._failures += 0 if outcome.reason is DeliveryReason.RATE_LIMITED else 1
        wait = outcome.after or backoff(self._failures, self.name)
        wait = max(wait, BROKEN_PAUSE) if broken else wait
        if broken and self._status != f"broken:{outcome.reason}":
            waiting = await self._outbox.waiting(self.name)
            await self._tell(
                f"broken-{self.name}-{outcome.reason}-{int(self._clock.now())}",
                f"Channel {self.name} does not deliver: {outcome.reason}: {outcome.detail}. "
                f"{waiting} waiting; nothing is lost. {_REMEDY.get(outcome.reason, '')}".strip(),
            )
        marks = _marks(context, outcome.detail)
        await self._pause(notification, wait, outcome.reason, outcome.detail, marks, broken=broken)

    async def _pause(
        self,
        notification: Notification,
        wait: float,
        reason: DeliveryReason,
        detail: str,
        marks: dict[str, Any],
        *,
        broken: bool = False,
    ) -> None:
        now = self._clock.now()
        self._paused_until = now + wait
        self._status = f"broken:{reason}" if broken else "retrying"
        state = self._trouble(
            Outcome("retry", reason, detail), self._paused_until, status=self._status
        )
        await self._outbox.later(
            self._lease, notification, notification.due, reason.value, marks, state
        )
        self._count(reason.value)
        log.warning("channel_paused", channel=self.name, reason=reason, wait=wait, detail=detail)

    async def _bury(self, notification: Notification, reason: DeliveryReason, detail: str) -> None:
        now = self._clock.now()
        await self._outbox.bury(self._lease, notification, reason.value, detail, now)
        self._count(reason.value)
        log.error("dead_letter", notification=notification.id, reason=reason, detail=detail)
        await self._tell(
            f"dead-{notification.id}",
            f"Channel {self.name} will not take a message ({reason}: {detail}). "
            f"It is kept: wirewatch dead show notifier:{notification.id}",
        )

    async def _tell(self, notice_id: str, text: str) -> None:
        """Tell the fallback channels that this one is in trouble."""
        config = self._config()
        others = [name for name in config.ops.notices_to if name != self.name]
        now = self._clock.now()
        for name in others or (["terminal"] if self.name != "terminal" else []):
            await self._outbox.put(
                [
                    Notification(
                        id=f"{notice_id}@{name}",
                        channel=name,
                        kind="notice",
                        notice=text,
                        created_at=now,
                        due=now,
                    )
                ]
            )

    def _trouble(
        self, outcome: Outcome, paused_until: float, status: str = "retrying"
    ) -> dict[str, Any]:
        self._status = status
        return {
            "state": status,
            "reason": outcome.reason.value,
            "detail": outcome.detail,
            "since": self._clock.now(),
            "paused_until": paused_until,
            "failures": self._failures,
        }

    def _count(self, reason: str, times: int = 1) -> None:
        metrics.NOTIFICATIONS.labels(channel=self.name, outcome=reason).inc(times)


_REMEDY = {
    DeliveryReason.AUTH_REVOKED: "Renew its token or password, then reload.",
    DeliveryReason.CHANNEL_GONE: "Invite the bot, unarchive the channel or mend its address.",
    DeliveryReason.RECIPIENT_REFUSED: "Mend its recipients.",
    DeliveryReason.MISCONFIGURED: "Mend its settings; wirewatch test-alert tries them.",
}


def _marks(context: Context, detail: str) -> dict[str, Any]:
    """What to note of a send that surely did not arrive.

    If an earlier one may have, the mark of that one stays.
    """
    return {"last_error": detail} if context.resend else {"last_error": detail, "in_flight": ""}
