"""One channel's sender. Every notification takes these steps, in this order:

    wait      while the channel rests, and between two sends
    gate      drop what is silenced; hold it for quiet hours, a digest or a ceiling (gate_step)
    fold      turn what was held, or a flood, into one ranked digest (gate_step), and alerts of
              several topics on one event into one message
    dedup     a send that left no record is looked up in the channel's history first
    render    make the message as the service takes it, with headlines in the newsroom's language
    send      mark, then hand it over
    record    a receipt, a retry, a rest for the channel, or a dead letter

Every write is one atomic step under the channel's lease. A notification is marked before its send
and recorded after it. Found marked without a record, the outcome of that send is unknown: where
the channel's history cannot tell, it is sent again, marked and counted as such.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from monitor.alerting.silence_store import SilenceStore
from monitor.clock import CLOCK_ERROR, Clock
from monitor.config.schema import Config
from monitor.delivery import digest
from monitor.delivery.channel import Channel, SendContext, SendResult
from monitor.delivery.due import Due
from monitor.delivery.gate_step import GateStep
from monitor.delivery.history_lookup import look_up
from monitor.delivery.outbox import OutboxStore
from monitor.delivery.send_decision import (
    ChannelHealth,
    GiveUp,
    RestChannel,
    Sent,
    Split,
    TryAgain,
    broken_notice,
    dead_letter_notice,
    next_step,
    trouble_notices,
)
from monitor.delivery.thread import as_told, threads_after
from monitor.model import Notification, Receipt, Thread
from monitor.observability import metrics, traces
from monitor.observability.logs import get_logger, trace
from monitor.observability.redact import redact
from monitor.reasons import DeadLetterReason, DeliveryReason
from monitor.store.lease import Lease

log = get_logger(__name__)

BATCH = 2_000  # a flood is read whole, so that it becomes one message
PARENT_WAIT = 2.0
CHECK_EVERY = 60.0  # seconds between two looks for what another machine's clock put off
RESENT_NOTE = "sent again, outcome of an earlier try unknown"


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
        readable: adds headlines in the newsroom's language; never raises, never takes long.
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
        readable: Callable[[Notification], Awaitable[Notification]] | None = None,
    ) -> None:
        self.name = name
        self._channel = channel
        self._outbox = outbox
        self._lease = lease
        self._clock = clock
        self._config = config
        self._stopping = stopping
        self._readable = readable
        self._next_send = 0.0
        self._looked_at = 0.0  # the clock, at the last step
        self._check_at = 0.0  # when what waits is held against the clock again
        self._health = ChannelHealth()
        self._gate = GateStep(
            name, channel.traits.overflow, outbox, silences, lease, clock, config, stopping
        )

    async def start(self) -> None:
        """Take over what the last sender knew: a pause asked for, a fault already told."""
        self._health = ChannelHealth.from_state(await self._outbox.state(self.name))

    async def step(self) -> float:
        """Do what can be done at once. Return the seconds until there may be more to do.

        Raises:
            LeaseLost: another notifier has the channel.
            RedisError: the store cannot be reached.
        """
        now = self._clock.now()
        if now < self._looked_at - CLOCK_ERROR:
            self._next_send = self._check_at = 0.0
            self._gate.forget_floods()
        self._looked_at = now
        if now >= self._check_at:
            self._check_at = now + CHECK_EVERY
            await self._put_right(now)
        if (pause := self._health.paused_until - now) > 0:
            return pause
        due = await self._outbox.read(self.name, self._clock.now(), BATCH)
        if not due:
            return 1.0
        ready = [item for item in due if item.began][:1]  # what was begun was let through before
        if not ready:
            ready = await self._gate.admit(digest.in_turn(due))
            if await self._gate.fold(ready) or await self._gate.join(ready):
                return 0.0
        for item in ready:
            if (pause := self._wait()) > 0 or self._stopping():
                return max(0.0, pause)
            if await self._parent_is_waiting(item.notification):
                continue
            with trace(item.notification.trace):
                await self._deliver(item)
        return 0.0

    async def _put_right(self, now: float) -> None:
        """Undo what was decided while the clock ran ahead: it would wait for that far instant."""
        self._health = self._health.put_right(now)
        if many := await self._outbox.put_right(self._lease, self.name, now):
            note = "a clock that ran ahead had put them off"
            log.warning("due_times_put_right", channel=self.name, notifications=many, note=note)

    async def _deliver(self, item: Due) -> None:
        """Take one notification through dedup, render, send and record."""
        context, known = await self._dedup(item)
        if known is None and self._readable is not None:
            item = replace(item, notification=await self._readable(item.notification))
        if known is None:
            await self._outbox.begin(self._lease, item.notification, context.began)
            known = self._render(item.notification, context)
        if not isinstance(known, SendResult):
            known = await self._send(known, item.notification, context)
        await self._record(item, context, known)

    # --- wait

    def _wait(self) -> float:
        """Return how long to wait before the next send, in seconds."""
        return max(self._next_send, self._health.paused_until) - self._clock.now()

    async def _parent_is_waiting(self, notification: Notification) -> bool:
        """Put an update off while the message it belongs under is still to be told."""
        parent = notification.follows
        if notification.kind == "update" and notification.alert is not None:
            parent = f"{notification.alert.parent}@{self.name}"
        if not parent or not await self._outbox.is_waiting(parent):
            return False
        now = self._clock.now()
        await self._outbox.later(self._lease, notification, now + PARENT_WAIT, "", {}, {}, now)
        return True

    # --- dedup

    async def _dedup(self, item: Due) -> tuple[SendContext, SendResult | None]:
        """Look up a send that left no record; return the context of the next try, or its result."""
        notification, now = item.notification, self._clock.now()
        context = SendContext(
            now=now,
            thread=await self._outbox.thread_of(notification),
            attempt=notification.attempts + 1,
            began=now,
            zone=self._config().zone(self.name),
            desk=self._config().desk.public_url,
        )
        if not item.began:
            return context, None
        earlier = replace(context, attempt=notification.attempts, began=item.began)
        found = await look_up(self._channel, notification, earlier)
        if found.kind == "later":
            again = SendResult("retry", DeliveryReason.UNREACHABLE, found.detail, after=found.after)
            return replace(earlier, resend=True), replace(again, whole_channel=True)
        if found.kind == "found":
            return earlier, SendResult("sent", DeliveryReason.ALREADY_SENT, ref=found.ref)
        context = replace(context, resend=found.kind == "cannot_tell")
        copies = len(self._channel.traits.resend_after) + 1
        if context.resend and copies > 1 and item.unknown >= copies:
            detail = f"sent {item.unknown} times without an answer; it may well have arrived"
            return context, SendResult("refused", DeliveryReason.TOO_MANY_ATTEMPTS, detail)
        return context, None

    # --- render, send

    def _render(self, notification: Notification, context: SendContext) -> Any:
        """Return the message, or the result that says why there is none."""
        try:
            return self._channel.render(as_told(notification, context.thread), context)
        except Exception as error:  # a bug, or a hostile message: it must not stop the channel
            log.exception("render_failed", notification=notification.id, channel=self.name)
            detail = f"{type(error).__name__}: {error}"
            return SendResult("refused", DeliveryReason.RENDER_FAILED, detail)

    async def _send(
        self, message: Any, notification: Notification, context: SendContext
    ) -> SendResult:
        self._next_send = self._clock.now() + self._channel.traits.spacing
        try:
            with metrics.SEND_SECONDS.labels(channel=self.name).time():
                async with asyncio.timeout(self._channel.traits.timeout + 1.0):
                    return await self._channel.send(message, notification, context)
        except TimeoutError:
            return SendResult("unknown", DeliveryReason.TIMEOUT, "no answer in time")
        except Exception as error:  # a bug must not stop the channel
            log.exception("send_failed", notification=notification.id, channel=self.name)
            return SendResult("unknown", DeliveryReason.INTERNAL, type(error).__name__)

    # --- record

    async def _record(self, item: Due, context: SendContext, result: SendResult) -> None:
        """Write down what became of one send.

        Raises:
            LeaseLost: another notifier has the channel; it will find the send's mark.
        """
        result = replace(result, detail=redact(result.detail), note=redact(result.note))
        notification = item.notification
        if result.partial is not None:
            text = f"Channel {self.name}: {result.partial}: {result.note}"
            await self._tell(f"partly-{notification.id}", text)
        step = next_step(
            result,
            notification=notification.id,
            channel=self.name,
            attempts=context.attempt,
            failing_since=item.failing_since,
            resend=context.resend,
            unknown=item.unknown,
            resend_after=self._channel.traits.resend_after,
            parts=1 if notification.alert else max(1, len(notification.alerts)),
            health=self._health,
            now=self._clock.now(),
        )
        match step:
            case Sent():
                await self._record_sent(notification, context, result)
            case TryAgain():
                await self._try_again(notification, result, step)
            case RestChannel():
                await self._rest_channel(notification, result, step)
            case Split():
                await self._split(notification, result)
            case GiveUp():
                await self._give_up(notification, step)

    async def _record_sent(
        self, notification: Notification, context: SendContext, result: SendResult
    ) -> None:
        now = self._clock.now()
        reason = result.reason
        if result.new_thread:
            context = replace(context, thread=None)
        if context.resend and reason is DeliveryReason.SENT:
            reason = DeliveryReason.RESENT
        receipt = Receipt(
            notification=notification.id,
            channel=self.name,
            at=now,
            ref=result.ref,
            thread=context.thread.ref if context.thread else result.ref,
            attempts=context.attempt,
            note=result.note or RESENT_NOTE * context.resend,
            state="sent",
        )
        alert = notification.alert
        self._health = self._health.well(now)
        await self._outbox.done(
            self._lease,
            notification,
            receipt,
            await self._threads(notification, context, result),
            reason.value,
            {"state": "ok", "reason": reason.value, "detail": "", "last_ok": now, "failures": 0},
            ceilings={told.topic for told in (alert, *notification.alerts) if told is not None},
        )
        self._gate.floods.sent(notification, now)
        self._count(reason.value)
        for told in (alert, *notification.alerts):
            if told is not None:
                metrics.DELIVERED_AFTER.observe(max(0.0, now - told.decided_at))
                if told.story.published > 0:
                    metrics.END_TO_END.observe(max(0.0, now - told.story.published))
        traces.record(
            "deliver", notification.trace, context.now, now, channel=self.name, reason=reason.value
        )
        say = log.debug if self.name.startswith("_") else log.info  # a canary is no news
        say("delivered", notification=notification.id, reason=reason, note=receipt.note)

    async def _threads(
        self, notification: Notification, context: SendContext, result: SendResult
    ) -> dict[str, Thread]:
        """Return what later updates attach to; a digest leaves threads that are there alone."""
        threads = threads_after(notification, context.thread, result.ref, result.subject)
        if notification.alert is not None:
            return threads
        return {
            parent: thread
            for parent, thread in threads.items()
            if await self._outbox.thread(self.name, parent) is None
        }

    async def _try_again(
        self, notification: Notification, result: SendResult, step: TryAgain
    ) -> None:
        now, reason = self._clock.now(), result.reason.value
        self._health = self._health.resting(0.0, "retrying", now)
        state = self._health.to_state(result, now)
        await self._outbox.later(
            self._lease, notification, now + step.wait, reason, step.marks, state, now
        )
        self._count(reason)
        event = "outcome_unknown" if result.kind == "unknown" else "send_postponed"
        why = {"reason": reason, "detail": result.detail}
        log.warning(event, notification=notification.id, wait=step.wait, **why)

    async def _rest_channel(
        self, notification: Notification, result: SendResult, step: RestChannel
    ) -> None:
        now, reason = self._clock.now(), result.reason.value
        status = f"broken:{reason}" if step.broken else "retrying"
        if step.broken and self._health.status != status:
            text = broken_notice(self.name, result, await self._outbox.waiting(self.name))
            await self._tell(f"broken-{self.name}-{reason}-{int(now)}", text)
        self._health = step.health.resting(now + step.wait, status, now)
        state = self._health.to_state(result, now)
        await self._outbox.later(
            self._lease, notification, notification.due, reason, step.marks, state, now
        )
        self._count(reason)
        why = {"reason": reason, "detail": result.detail}
        log.warning("channel_paused", channel=self.name, wait=step.wait, **why)

    async def _split(self, notification: Notification, result: SendResult) -> None:
        """Send the halves of a refused digest: only the part at fault is to be set aside."""
        now, reason = self._clock.now(), DeliveryReason.SPLIT.value
        parts = digest.halves(notification, now)
        await self._outbox.fold(self._lease, [notification], parts, reason, now)
        self._count(reason)
        log.warning("digest_split", notification=notification.id, detail=result.detail)

    async def _give_up(self, notification: Notification, step: GiveUp) -> None:
        reason, now = step.reason, self._clock.now()
        await self._outbox.dead_letter(self._lease, notification, reason.value, step.detail, now)
        self._count(reason.value)
        dead = DeadLetterReason.UNDELIVERABLE
        metrics.DEAD_LETTERS.labels(queue="notifier", reason=dead).inc()
        log.error("dead_letter", notification=notification.id, reason=reason, detail=step.detail)
        text = dead_letter_notice(self.name, notification.id, step)
        await self._tell(f"dead-{notification.id}", text)

    async def _tell(self, notice_id: str, text: str) -> None:
        """Tell the fallback channels that this one is in trouble."""
        now = self._clock.now()
        await self._outbox.put(trouble_notices(self._config(), self.name, notice_id, text, now))

    def _count(self, reason: str, times: int = 1) -> None:
        metrics.NOTIFICATIONS.labels(channel=self.name, outcome=reason).inc(times)
