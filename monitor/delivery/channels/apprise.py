"""Anything Apprise knows: Teams, Discord, Telegram, PagerDuty and a hundred more.

Apprise answers yes or no. A "no" is tried again; a call that never came back is unknown.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from monitor.config.schema import AppriseChannel
from monitor.delivery import formatting
from monitor.delivery.channel import (
    RESEND_AFTER,
    ChannelUnusable,
    Lookup,
    SendContext,
    SendResult,
    Traits,
    sent,
)
from monitor.model import Notification
from monitor.reasons import AlertReason, DeliveryReason
from monitor.text import one_line


class Apprise:
    """Sends through one Apprise URL.

    Raises:
        ChannelUnusable: Apprise does not know the URL.
    """

    traits = Traits(resend_after=RESEND_AFTER, spacing=1.0, overflow=10, timeout=20.0)

    def __init__(self, settings: AppriseChannel) -> None:
        import apprise  # slow to import, and rarely needed

        self._apprise: Any = apprise.Apprise()
        self._type = apprise.NotifyType
        self._format = apprise.NotifyFormat.TEXT
        if not self._apprise.add(settings.url.get_secret_value()):
            raise ChannelUnusable(
                "Apprise does not know this address; see its list of services for how to write it"
            )

    def render(self, notification: Notification, context: SendContext) -> tuple[str, str]:
        """Return title and body."""
        return _inert(formatting.subject(notification), 180), text(notification)

    async def send(
        self, message: tuple[str, str], notification: Notification, context: SendContext
    ) -> SendResult:
        """Hand one notification to the service."""
        title, body = message
        said = _Said()
        logger = logging.getLogger("apprise")
        logger.propagate = False  # what it says is the detail of the result
        logger.addHandler(said)
        level = self._type.INFO
        if notification.alert and notification.alert.reason is AlertReason.CORRECTION:
            level = self._type.WARNING
        try:
            done = await asyncio.wait_for(
                self._apprise.async_notify(
                    title=title,
                    body=body,
                    notify_type=level,
                    body_format=self._format,
                ),
                self.traits.timeout,
            )
        except TimeoutError:
            return SendResult("unknown", DeliveryReason.TIMEOUT, "no answer in time")
        except Exception as error:  # any of a hundred plug-ins may raise anything
            return SendResult("unknown", DeliveryReason.INTERNAL, type(error).__name__)
        finally:
            logger.removeHandler(said)
        if done:
            return sent()
        detail = one_line(said.last or "the service did not take it", 200)
        return SendResult("retry", DeliveryReason.SERVER_ERROR, detail)

    async def find(self, notification: Notification, context: SendContext) -> Lookup:
        """Apprise cannot look back."""
        return Lookup("cannot_tell", detail="Apprise cannot look back")

    async def aclose(self) -> None:
        """Nothing stays open."""


class _Said(logging.Handler):
    """Keeps the last warning of Apprise: why it said no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def text(notification: Notification) -> str:
    """Return the message as plain text; only our own link lines are links."""
    if notification.listed:
        lines: list[str] = []
        for name, happenings in formatting.by_topic(notification.listed):
            lines.append(_inert(name))
            lines += [_line(listed) for listed in happenings]
        return "\n".join([*lines, *([_inert(notification.more)] if notification.more else [])])
    alert = notification.alert
    if alert is None:
        return formatting.inert(notification.notice)
    update = notification.kind == "update"
    runs = "".join(run for run, _ in formatting.quote(alert, update=update))
    source = f"{formatting.outlet(alert)} · {formatting.status_line(alert)}"
    parts = [_inert(formatting.headline(alert)), _inert(source), formatting.link(alert.story.url)]
    parts += [_inert(f"“{runs}”") if runs else "", _inert(formatting.sources_line(alert))]
    parts.append(_inert(f"Why: {formatting.why_line(alert)}"))
    return "\n".join(part for part in parts if part)


def _line(listed: formatting.Listed) -> str:
    alert = listed.alert
    url = formatting.link(alert.story.url)
    told = f"{formatting.headline(alert)} ({formatting.outlet(alert)}) · {listed.status}"
    return f"• {_inert(told)}" + (f"\n  {url}" if url else "")


def _inert(text: str, limit: int = 0) -> str:
    return formatting.inert(one_line(text, limit))
