"""What the pages stand on: the configuration, the stores, the clock, and what is open live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.alerting.feedback_store import FeedbackStore
from monitor.alerting.silence_store import SilenceStore
from monitor.analysis.archive import AnalysisStore
from monitor.analysis.parting_store import PartingStore
from monitor.clock import Clock
from monitor.config.schema import Config
from monitor.delivery.dead_letter_review import DeadLetters
from monitor.delivery.outbox import OutboxStore
from monitor.desk.live import LiveHub
from monitor.desk.sign_in_store import SignInStore
from monitor.health.canary_channel import CHANNEL as CANARY
from monitor.history.history_store import HistoryStore
from monitor.polling.feed_store import FeedStore
from monitor.store.commands import Redis
from monitor.store.keys import Keys

Troubles = Callable[[], Awaitable[list[str]]]


async def _no_troubles() -> list[str]:
    return []


@dataclass(slots=True)
class Services:
    """Everything a page may ask for.

    `config` returns the configuration in force. `troubles` returns what an operator should look
    at, as sentences (the status of the whole service is gathered above this layer).
    """

    config: Callable[[], Config]
    client: Redis
    keys: Keys
    clock: Clock
    folder: Path
    live: LiveHub
    troubles: Troubles = _no_troubles
    history: HistoryStore = field(init=False)
    archive: AnalysisStore = field(init=False)
    outbox: OutboxStore = field(init=False)
    silences: SilenceStore = field(init=False)
    feedback: FeedbackStore = field(init=False)
    dead_letters: DeadLetters = field(init=False)
    feeds: FeedStore = field(init=False)
    sign_in: SignInStore = field(init=False)
    partings: PartingStore = field(init=False)

    def __post_init__(self) -> None:
        """Open the stores."""
        kept, store = self.config().store, (self.client, self.keys)
        self.history = HistoryStore(*store, kept.keep_history)
        self.archive = AnalysisStore.of(self.client, self.config())
        self.outbox = OutboxStore(*store, kept.keep_receipts, kept.keep_history)
        self.silences = SilenceStore(*store)
        self.feedback = FeedbackStore(*store)
        self.dead_letters = DeadLetters(*store)
        self.feeds = FeedStore(*store)
        self.sign_in = SignInStore(*store)
        self.partings = PartingStore(*store)

    async def channels(self) -> list[str]:
        """Return every channel that is configured or for which something waits."""
        known = {"terminal", *self.config().channels, *await self.outbox.channels()}
        return sorted(known - {CANARY})


def topic_names(config: Config) -> dict[str, Any]:
    """Return the topics' names by id, in the order of the file."""
    return {topic.id: topic.name for topic in config.topics}
