"""What follows the result of one send: a receipt, a retry, a rest, or a dead letter. Pure.

| result | and | next step |
|---|---|---|
| sent | | record a receipt |
| retry, refused | concerns the whole channel | rest the channel, keep the message's turn |
| retry | | try this message again later |
| unknown | | leave the mark: the next try looks the message up first |
| refused | | dead letter |
| refused | a digest of several alerts | send its halves by themselves |
| retry, unknown | too often, while others go through | dead letter |
| unknown | more often than a service may get copies | dead letter |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from monitor.clock import CLOCK_ERROR
from monitor.config.schema import Config
from monitor.delivery.channel import SendResult
from monitor.delivery.retry_policy import backoff, is_poison
from monitor.model import Notification
from monitor.reasons import DeliveryReason

BROKEN_PAUSE = 60.0  # seconds a channel rests at least, once somebody has to mend it


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How a channel has been of late.

    `status` is "ok", "retrying" or "broken:REASON". `failures` counts those since the last
    success, `last_ok` is when that was, `paused_until` when the channel may be used again, and
    `rests_since` when that was decided.
    """

    status: str = "ok"
    failures: int = 0
    last_ok: float = 0.0
    paused_until: float = 0.0
    rests_since: float = 0.0

    @classmethod
    def from_state(cls, state: Mapping[str, str]) -> Self:
        """Read what the last sender of the channel stored."""
        return cls(
            state.get("state", "ok"),
            int(state.get("failures") or 0),
            float(state.get("last_ok") or 0.0),
            float(state.get("paused_until") or 0.0),
            float(state.get("since") or 0.0),
        )

    def well(self, now: float) -> ChannelHealth:
        """Return the health after a message was taken."""
        return ChannelHealth(last_ok=now)

    def one_more_failure(self) -> ChannelHealth:
        """Return the health after one more failure of the channel itself."""
        return replace(self, failures=self.failures + 1)

    def to_state(self, result: SendResult, now: float) -> dict[str, Any]:
        """Return what to store of a channel in trouble."""
        return {
            "state": self.status,
            "reason": result.reason.value,
            "detail": result.detail,
            "since": now,
            "paused_until": self.paused_until,
            "failures": self.failures,
        }

    def resting(self, until: float, status: str, now: float) -> ChannelHealth:
        """Return the health of a channel that rests until `until`."""
        return replace(self, paused_until=until, status=status, rests_since=now)

    def put_right(self, now: float) -> ChannelHealth:
        """Return the health without a rest that a clock ahead of `now` began."""
        return replace(self, paused_until=0.0) if self.rests_since > now + CLOCK_ERROR else self


@dataclass(frozen=True, slots=True)
class Sent:
    """Record a receipt."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Try this message again after `wait` seconds; `marks` are noted with it."""

    wait: float
    marks: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RestChannel:
    """Rest the whole channel for `wait` seconds. `broken`: somebody has to mend it first."""

    wait: float
    health: ChannelHealth
    marks: Mapping[str, Any]
    broken: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Set the message aside as a dead letter."""

    reason: DeliveryReason
    detail: str


@dataclass(frozen=True, slots=True)
class Split:
    """Send the halves of a digest by themselves: only one part of it is at fault."""


NextStep = Sent | TryAgain | RestChannel | Split | GiveUp


def next_step(
    result: SendResult,
    *,
    notification: str,
    channel: str,
    attempts: int,
    failing_since: float,
    resend: bool,
    unknown: int,
    resend_after: tuple[float, ...],
    parts: int,
    health: ChannelHealth,
    now: float,
) -> NextStep:
    """Return what follows `result`.

    Args:
        result: what became of the send.
        notification: the message's id; spreads its retries.
        channel: the channel's name; spreads its rests.
        attempts: sends begun so far, this one included.
        failing_since: when the message failed first (Unix seconds), or 0.
        resend: an earlier try may have arrived.
        unknown: earlier sends whose outcome is not known.
        resend_after: the channel's waits before each resend; empty for the usual back-off.
        parts: alerts that the message is made of.
        health: how the channel was before.
        now: the present instant, Unix seconds.
    """
    marks: dict[str, Any] = {"last_error": result.detail}
    if result.kind != "unknown" and not resend:
        marks["in_flight"] = ""  # it surely did not arrive, and no earlier try may have
    if result.kind != "unknown":
        marks["unknown"] = unknown
    if result.kind == "sent":
        return Sent()
    if result.whole_channel and result.kind != "unknown":
        return _rest(result, channel, health, marks)
    if result.kind == "refused":
        return Split() if parts > 1 else GiveUp(result.reason, result.detail)
    if result.kind == "unknown" and resend_after and unknown >= len(resend_after):
        return GiveUp(DeliveryReason.TOO_MANY_ATTEMPTS, _copies(unknown + 1, result.detail))
    if is_poison(attempts, failing_since, health.last_ok, now):
        return GiveUp(DeliveryReason.TOO_MANY_ATTEMPTS, result.detail)
    marks["failing_since"] = failing_since or now
    if result.remaining:
        marks["remaining"] = json.dumps(list(result.remaining))
    if result.kind == "unknown" and resend_after:
        return TryAgain(resend_after[unknown], marks)
    return TryAgain(result.after or backoff(attempts, notification), marks)


def _copies(times: int, detail: str) -> str:
    return f"sent {times} times without an answer, it may well have arrived: {detail}"


def _rest(
    result: SendResult, channel: str, health: ChannelHealth, marks: Mapping[str, Any]
) -> RestChannel:
    """Rest the channel: the next message would fare no better. Nothing loses its turn."""
    broken = result.kind == "refused"
    if result.reason is not DeliveryReason.RATE_LIMITED:
        health = health.one_more_failure()
    wait = result.after or backoff(health.failures, channel)
    return RestChannel(max(wait, BROKEN_PAUSE) if broken else wait, health, marks, broken)


_REMEDY = {
    DeliveryReason.AUTH_REVOKED: "Renew its token or password, then reload.",
    DeliveryReason.CHANNEL_GONE: "Invite the bot, unarchive the channel or mend its address; for "
    "somebody who has left, end the subscription.",
    DeliveryReason.RECIPIENT_REFUSED: "Mend its recipients.",
    DeliveryReason.MISCONFIGURED: "Mend its settings; `wirewatch test-alert` tries them.",
}


def broken_notice(channel: str, result: SendResult, waiting: int) -> str:
    """Return what the fallback channels are told of a channel that somebody has to mend."""
    told = f"Channel {channel} does not deliver: {result.reason}: {result.detail}. "
    told += f"{waiting} waiting; nothing is lost. {_REMEDY.get(result.reason, '')}"
    return told.strip()


def dead_letter_notice(channel: str, notification: str, step: GiveUp) -> str:
    """Return what the fallback channels are told of a dead letter."""
    return (
        f"Channel {channel} will not take a message ({step.reason}: {step.detail}). "
        f"It is kept: wirewatch dead show notifier:{notification}"
    )


def trouble_notices(
    config: Config, broken: str, notice_id: str, text: str, now: float
) -> list[Notification]:
    """Return the notices of a channel's trouble: to `notices_to`, else another channel, else the
    terminal."""
    told = [name for name in config.ops.notices_to if name != broken]
    others = [name for name in config.channels if name != broken]
    return [
        Notification(
            id=f"{notice_id}@{name}",
            channel=name,
            kind="notice",
            notice=text,
            created_at=now,
            due=now,
        )
        for name in told or others[:1] or (["terminal"] if broken != "terminal" else [])
    ]
