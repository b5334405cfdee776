"""What follows a send: a receipt, a retry, a rest for the channel, or a dead letter.

Every step is one atomic write under the channel's lease.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from monitor.clock import Clock
from monitor.config.schema import Config
from monitor.delivery.channel import Context, SendResult
from monitor.delivery.outbox import Due, OutboxStore
from monitor.delivery.retry_policy import backoff, is_poison
from monitor.delivery.thread import merged
from monitor.model import Notification, Receipt, Thread
from monitor.observability import metrics, traces
from monitor.observability.logs import get_logger, redact
from monitor.reasons import DeadLetterReason, DeliveryReason
from monitor.store.lease import Lease

log = get_logger(__name__)

BROKEN_PAUSE = 60.0


class SendResultHandler:
    """Acts on the outcomes of one channel, and remembers how the channel is.

    Args:
        name: the channel's name in the configuration.
        outbox: where outcomes are recorded.
        lease: the right to be the channel's only sender.
        clock: time.
        config: returns the configuration in force.
    """

    def __init__(
        self,
        name: str,
        outbox: OutboxStore,
        lease: Lease,
        clock: Clock,
        config: Callable[[], Config],
    ) -> None:
        self.name = name
        self.paused_until = 0.0
        self._outbox = outbox
        self._lease = lease
        self._clock = clock
        self._config = config
        self._failures = 0
        self._last_ok = 0.0
        self._status = "ok"

    async def start(self) -> None:
        """Remember what the last holder knew: a pause asked for, a fault already told."""
        state = await self._outbox.state(self.name)
        self.paused_until = float(state.get("paused_until") or 0.0)
        self._failures = int(state.get("failures") or 0)
        self._last_ok = float(state.get("last_ok") or 0.0)
        self._status = state.get("state", "ok")

    def next_pause(self) -> float:
        """Return how long to rest after one more failure of the channel, in seconds."""
        self._failures += 1
        return backoff(self._failures, self.name)

    async def apply_result(self, item: Due, context: Context, outcome: SendResult) -> None:
        """Write down what became of one send.

        Raises:
            LeaseLost: another notifier has the channel; it will find the send's mark.
        """
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

    async def _record(
        self, notification: Notification, context: Context, outcome: SendResult
    ) -> None:
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
        traces.record(
            "deliver", notification.trace, context.now, now, channel=self.name, reason=reason.value
        )
        for alert in (notification.alert, *notification.alerts):
            if alert is not None:
                metrics.DELIVERED_AFTER.observe(max(0.0, now - alert.decided_at))
                if alert.story.published > 0:
                    metrics.END_TO_END.observe(max(0.0, now - alert.story.published))
        say = log.debug if self.name.startswith("_") else log.info  # a canary is no news
        say("delivered", notification=notification.id, reason=reason, note=receipt.note)

    async def _threads(
        self, notification: Notification, context: Context, outcome: SendResult
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

    async def _leave_unknown(self, item: Due, outcome: SendResult) -> None:
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

    async def _retry(self, item: Due, context: Context, outcome: SendResult) -> None:
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
        self, notification: Notification, context: Context, outcome: SendResult
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
        await self.pause(notification, wait, outcome.reason, outcome.detail, marks, broken=broken)

    async def pause(
        self,
        notification: Notification,
        wait: float,
        reason: DeliveryReason,
        detail: str,
        marks: dict[str, Any],
        *,
        broken: bool = False,
    ) -> None:
        """Rest the whole channel for `wait` seconds; the notification keeps its turn."""
        now = self._clock.now()
        self.paused_until = now + wait
        self._status = f"broken:{reason}" if broken else "retrying"
        state = self._trouble(
            SendResult("retry", reason, detail), self.paused_until, status=self._status
        )
        await self._outbox.later(
            self._lease, notification, notification.due, reason.value, marks, state
        )
        self._count(reason.value)
        log.warning("channel_paused", channel=self.name, reason=reason, wait=wait, detail=detail)

    async def _bury(self, notification: Notification, reason: DeliveryReason, detail: str) -> None:
        now = self._clock.now()
        await self._outbox.dead_letter(self._lease, notification, reason.value, detail, now)
        self._count(reason.value)
        dead = DeadLetterReason.UNDELIVERABLE
        metrics.DEAD_LETTERS.labels(queue="notifier", reason=dead).inc()
        log.error("dead_letter", notification=notification.id, reason=reason, detail=detail)
        await self._tell(
            f"dead-{notification.id}",
            f"Channel {self.name} will not take a message ({reason}: {detail}). "
            f"It is kept: wirewatch dead show notifier:{notification.id}",
        )

    async def _tell(self, notice_id: str, text: str) -> None:
        """Tell the fallback channels that this one is in trouble."""
        config = self._config()
        now = self._clock.now()
        for name in _fallbacks(config, self.name):
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
        self, outcome: SendResult, paused_until: float, status: str = "retrying"
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
    DeliveryReason.MISCONFIGURED: "Mend its settings; `wirewatch test-alert` tries them.",
}


def _fallbacks(config: Config, broken: str) -> list[str]:
    """Return who hears of it: `notices_to`, else another channel, else the terminal."""
    told = [name for name in config.ops.notices_to if name != broken]
    others = [name for name in config.channels if name != broken]
    return told or others[:1] or (["terminal"] if broken != "terminal" else [])


def _marks(context: Context, detail: str) -> dict[str, Any]:
    """What to note of a send that surely did not arrive.

    If an earlier one may have, the mark of that one stays.
    """
    return {"last_error": detail} if context.resend else {"last_error": detail, "in_flight": ""}
