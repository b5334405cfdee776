"""What a channel is: something that takes a notification and says what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from monitor.errors import DeliveryError
from monitor.model import Notification, Thread
from monitor.reasons import DeliveryReason


@dataclass(frozen=True, slots=True)
class SendContext:
    """What a channel is told besides the notification.

    `attempt` counts from 1. `resend` is true when an earlier try may have arrived. `began` is
    when the first try began (Unix seconds), `now` the present instant. `zone` is the time zone of
    the channel's readers (IANA), `desk` the address of the desk, where one is given.
    """

    now: float
    thread: Thread | None = None
    attempt: int = 1
    resend: bool = False
    began: float = 0.0
    zone: str = "UTC"
    desk: str = ""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one send.

    - `sent`: the channel has it; `ref` and `thread` are its handles. `note` names what was not
      perfect (a refused recipient), `partial` says why somebody should be told.
      `new_thread` says that an update found its first message gone and stands by itself.
    - `retry`: it surely does not have it; try again after `after` seconds (0: the usual back-off).
      `whole_channel` says that other messages would fare no better.
    - `refused`: it will never take this message, or (`whole_channel`) any message until somebody
      mends it.
    - `unknown`: nobody can tell whether it has it.
    """

    kind: Literal["sent", "retry", "refused", "unknown"]
    reason: DeliveryReason
    detail: str = ""
    ref: str = ""
    note: str = ""
    after: float = 0.0
    whole_channel: bool = False
    partial: DeliveryReason | None = None
    remaining: tuple[str, ...] = ()
    subject: str = ""
    new_thread: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a channel's own history says about a notification whose send has no known outcome."""

    kind: Literal["found", "absent", "cannot_tell", "later"]
    ref: str = ""
    detail: str = ""
    after: float = 0.0


def sent(ref: str = "", **more: object) -> SendResult:
    """Return the outcome of a send that arrived."""
    return SendResult("sent", DeliveryReason.SENT, ref=ref, **more)  # type: ignore[arg-type]


RESEND_AFTER = (600.0, 3600.0)  # seconds: at most three copies, rarely


@dataclass(frozen=True, slots=True)
class Traits:
    """How the notifier treats a channel.

    `spacing` is the least time between two sends in seconds; `overflow` is how many may wait
    before what waits becomes one catch-up digest (0: never); `timeout` bounds one send.
    `resend_after` is for services that cannot be asked what they took and whose readers would see
    a second copy: the waits before each resend; after the last one the message is set aside.
    """

    spacing: float = 0.0
    overflow: int = 0
    timeout: float = 10.0
    resend_after: tuple[float, ...] = ()


class Channel(Protocol):
    """One place alerts go to. Implementations never raise for what the far side does."""

    traits: Traits

    def render(self, notification: Notification, context: SendContext) -> Any:
        """Return the message as the service takes it. No I/O."""
        ...

    async def send(
        self, message: Any, notification: Notification, context: SendContext
    ) -> SendResult:
        """Deliver what `render` made of the notification; return what became of it."""
        ...

    async def find(self, notification: Notification, context: SendContext) -> Lookup:
        """Look in the channel's history for a send whose outcome is unknown."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class ChannelUnusable(DeliveryError):
    """The channel's settings cannot work; the message says what to mend."""
