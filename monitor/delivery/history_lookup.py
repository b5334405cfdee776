"""Asks a channel's history what became of a send that left no record."""

from __future__ import annotations

import asyncio

from monitor.delivery.channel import Channel, Lookup, SendContext
from monitor.model import Notification
from monitor.observability.logs import get_logger

log = get_logger(__name__)

LOOKUP_SECONDS = 60.0


async def look_up(channel: Channel, notification: Notification, context: SendContext) -> Lookup:
    """Return what the history says; "later" where it cannot be asked now. Never raises."""
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await channel.find(notification, context)
    except TimeoutError:
        return Lookup("later", detail="the history does not answer in time")
    except Exception as error:  # a bug must not stop the channel
        log.exception("look_up_failed", notification=notification.id, channel=notification.channel)
        return Lookup("later", detail=type(error).__name__)
