"""The terminal channel: it always exists, and it prints."""

from __future__ import annotations

from rich.console import Console

from monitor.config.schema import TerminalChannel
from monitor.delivery.channel import Lookup, SendContext, SendResult, Traits, sent
from monitor.delivery.channels.terminal_text import alert_lines
from monitor.model import Notification
from monitor.reasons import DeliveryReason
from monitor.terminal import CleanConsole


class Terminal:
    """Prints to standard output. A closed pipe is an unreachable channel, not a crash."""

    traits = Traits(timeout=5.0)

    def __init__(self, settings: TerminalChannel, console: Console | None = None) -> None:
        plain = None if settings.colour else True  # None: as NO_COLOR says
        self._console = console or CleanConsole(no_color=plain, highlight=False)

    def render(self, notification: Notification, context: SendContext) -> str:
        """Return the lines to print, as wide as the terminal."""
        with self._console.capture() as lines:
            self._console.print(alert_lines(notification, context.now, context.zone))
        return lines.get()

    async def send(
        self, message: str, notification: Notification, context: SendContext
    ) -> SendResult:
        """Print one notification."""
        # rich leaves the process when a pipe is closed, so it only formats and we write.
        try:
            self._console.file.write(message)
            self._console.file.flush()
        except (OSError, ValueError) as error:
            detail = type(error).__name__
            return SendResult("retry", DeliveryReason.UNREACHABLE, detail, whole_channel=True)
        return sent(notification.id)

    async def find(self, notification: Notification, context: SendContext) -> Lookup:
        """Nobody can tell what a terminal has shown."""
        return Lookup("cannot_tell", detail="a terminal keeps no history")

    async def aclose(self) -> None:
        """Nothing to close."""
