"""The canary: a synthetic story that walks the real path and ends just before a newsroom.

It goes into the stories stream like any other, is embedded by the real model, passes triage
(which keeps it out of events and topics), waits in the outbox, and is taken by the notifier,
whose receipt is the proof that the whole path is open.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from monitor.delivery.channel import Lookup, SendContext, SendResult, Traits, sent
from monitor.model import EmbeddedStory, Notification, Story

FEED = "_canary"  # no feed or channel of a configuration can have this name
CHANNEL = "_canary"
_TITLE = "Canary: nothing has happened, and this sentence has come through"


def make_canary(canary_id: str, now: float) -> Story:
    """Return the story to send round."""
    return Story(
        id=canary_id, title=_TITLE, feed_id=FEED, published=now, seen_at=now, trace=canary_id
    )


def is_canary(story: Story) -> bool:
    """Whether triage is to pass this story on without judging it."""
    return story.feed_id == FEED


def notification_id(canary_id: str) -> str:
    """Return the id under which the canary's receipt will be found."""
    return f"{canary_id}@{CHANNEL}"


def onward(items: Iterable[EmbeddedStory], now: float) -> list[Notification]:
    """Return the notifications that carry canaries on to the notifier.

    One whose vectors make no sense is dropped: the model does not work, and its absence says so.
    """
    return [
        Notification(
            id=notification_id(item.story.id),
            channel=CHANNEL,
            kind="notice",
            notice=item.story.title,
            created_at=now,
            due=now,
            trace=item.story.trace,
        )
        for item in items
        if _sound(item)
    ]


def _sound(item: EmbeddedStory) -> bool:
    lengths = np.linalg.norm(item.vectors, axis=1)
    return bool(
        len(item.vectors) == len(item.passages) > 0
        and np.isfinite(item.vectors).all()
        and (np.abs(lengths - 1.0) < 0.05).all()
    )


class CanaryChannel:
    """The built-in channel where canaries end: it takes everything and shows it to nobody."""

    traits = Traits(timeout=5.0)

    def render(self, notification: Notification, context: SendContext) -> None:
        """A canary needs no words."""

    async def send(
        self, message: None, notification: Notification, context: SendContext
    ) -> SendResult:
        """Take it."""
        return sent(notification.id)

    async def find(self, notification: Notification, context: SendContext) -> Lookup:
        """A canary may be taken twice; nobody minds."""
        return Lookup("absent")

    async def aclose(self) -> None:
        """Nothing to close."""
