"""What became of a notification: sent, silenced, held, waiting, or a dead letter, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor.delivery.due import Due
from monitor.delivery.outbox import OutboxStore
from monitor.model import Receipt
from monitor.reasons import DeliveryReason, SuppressionReason

_MAX_STEPS = 8  # a digest that was split lies in a digest that was split ...
_HELD = {
    SuppressionReason.QUIET_HOURS.value: "held by quiet hours",
    SuppressionReason.PAUSED.value: "held while its reader pauses",
    SuppressionReason.RATE_CEILING.value: "held by the topic's hourly limit",
    DeliveryReason.DIGESTED.value: "held for the next digest",
}


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Where a notification stands.

    `state` is "sent", "silenced", "held", "waiting" or "dead". `why` says who or what decided it,
    `until` until when it is held or silenced, `at` since when it stands so (Unix seconds, 0 where
    that is not known). `digest` is the digest, or the message of another topic, that it went into,
    or "".
    """

    id: str
    channel: str
    state: str
    why: str = ""
    at: float = 0.0
    until: float = 0.0
    ref: str = ""
    digest: str = ""
    attempts: int = 0


async def delivery_status(outbox: OutboxStore, notification_id: str) -> DeliveryStatus | None:
    """Return where a notification stands, or None where there never was one of this id."""
    name, digest = notification_id, ""
    for _ in range(_MAX_STEPS):
        receipt = await outbox.receipt(name)
        if receipt is None:
            found = await outbox.pending(name)
            if found is None:
                return None
            trouble = await outbox.state(found.notification.channel)
            status = _waiting(found, trouble.get("state", "ok"), trouble.get("detail", ""))
            return replace(status, id=notification_id, digest=digest)
        state, inside = receipt_state(receipt), receipt.note.removeprefix("waits ")
        inside = inside.removeprefix("in ") if inside.startswith("in ") else ""
        if state != "folded" or not inside:
            status = _ended(receipt, state)
            return replace(status, id=notification_id, digest=inside or digest)
        name = digest = inside
    return None


def receipt_state(receipt: Receipt) -> str:
    """Return "sent", "dropped", "folded" or "dead"; older records have it in words."""
    if receipt.state:
        return receipt.state
    for start, state in (("waits in ", "folded"), ("dead letter: ", "dead")):
        if receipt.note.startswith(start):
            return state
    silenced = receipt.note.startswith(("silenced: ", "muted: ", "snoozed: "))
    return "dropped" if silenced else "sent"


def sentence(status: DeliveryStatus, moment: Callable[[float], str]) -> str:
    """Return the status as people read it; `moment` writes an instant."""
    kind = "digest" if status.digest.startswith("digest-") else "message"
    where = f" in the {kind} {status.digest}" if status.digest else ""
    when = f" at {moment(status.at)}" if status.at else ""
    until = f" until {moment(status.until)}" if status.until else ""
    tries = f", try {status.attempts}" if status.attempts > 1 else ""
    match status.state:
        case "sent":
            return f"sent{when}{where}{tries}" + (f" ({status.why})" if status.why else "")
        case "silenced":
            return f"not sent: {status.why}{until}; silenced{when}"
        case "held":
            return f"{status.why}{until}{where}"
        case "dead":
            return f"not sent: {status.why}{when}; see `wirewatch dead list`"
        case _:
            return f"waits to be sent{where}" + (f": {status.why}" if status.why else "") + until


def _ended(receipt: Receipt, state: str) -> DeliveryStatus:
    """Return the status that a receipt proves."""
    why = receipt.note
    if state == "sent" and (why.startswith("in ") or why == receipt.ref):
        why = ""
    return DeliveryStatus(
        id=receipt.notification,
        channel=receipt.channel,
        state={"dropped": "silenced"}.get(state, state),
        why=why.removeprefix("silenced: ").removeprefix("muted: ").removeprefix("snoozed: "),
        at=receipt.at,
        until=receipt.until,
        ref=receipt.ref,
        attempts=receipt.attempts,
    )


def _waiting(item: Due, channel: str, detail: str) -> DeliveryStatus:
    """Return the status of what is still in the outbox."""
    notification = item.notification
    held = _HELD.get(notification.held_for, "")
    why = notification.last_error
    if channel not in ("ok", ""):
        why = f"the channel is {channel}: {detail}"
    return DeliveryStatus(
        id=notification.id,
        channel=notification.channel,
        state="held" if held else "waiting",
        why=held or why,
        until=notification.due if held or notification.attempts else 0.0,
        attempts=notification.attempts,
    )
