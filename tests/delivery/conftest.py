"""What the delivery tests stand on: a Slack stand-in, and one channel's sender on a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from monitor.alerting.silence_store import SilenceStore
from monitor.clock import ManualClock
from monitor.config.schema import Config
from monitor.delivery.channel import Channel
from monitor.delivery.channel_registry import build
from monitor.delivery.channel_sender import ChannelSender
from monitor.delivery.outbox import OutboxStore
from monitor.model import Notification
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.lease import Lease
from tests.support.slack_standin import SlackStandin


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    """A Slack stand-in without a rate limit."""
    async with SlackStandin() as server:
        yield server


@dataclass(slots=True)
class SenderSetup:
    """One channel with everything around it, as the notifier would set it up."""

    name: str
    config: Config
    outbox: OutboxStore
    silences: SilenceStore
    clock: ManualClock
    channel: Channel
    lease: Lease
    store: Redis
    keys: Keys
    sender: ChannelSender

    async def put(self, *notifications: Notification) -> int:
        """Put notifications into the outbox."""
        return await self.outbox.put(notifications)

    async def run(self, seconds: float = 0.0, most: int = 500) -> None:
        """Step until nothing is due for `seconds` more of the (manual) clock."""
        end = self.clock.now() + seconds
        for _ in range(most):
            await self.lease.take()
            pause = await self.sender.step()
            due = (await self.outbox.first_due([self.name])).get(self.name)
            wait = end if due is None else max(pause, due - self.clock.now())
            if wait > 0 and self.clock.now() + wait > end:
                self.clock.advance(end - self.clock.now())
                return
            self.clock.advance(max(0.0, wait))
        raise AssertionError("the sender does not come to rest")

    def another(self) -> ChannelSender:
        """Return a second sender of the same channel: a restarted or competing process."""
        self.sender = ChannelSender(
            self.name, self.channel, self.outbox, self.silences, self.lease, self.clock,
            lambda: self.config,
        )  # fmt: skip
        return self.sender

    async def count(self, reason: str) -> int:
        """Return how often a reason was counted for this channel."""
        field = f"delivery:{self.name}:{reason}"
        return int(await self.store.hget(self.keys("count"), field) or 0)


MakeSetup = Callable[..., Any]


@pytest.fixture
async def desk(store: Redis, keys: Keys, clock: ManualClock) -> AsyncIterator[MakeSetup]:
    """Make a setup: `await desk("world", config)` or with a channel of the test's own."""
    made: list[SenderSetup] = []

    async def make(name: str, config: Config, channel: Channel | None = None) -> SenderSetup:
        outbox = OutboxStore(store, keys)
        lease = outbox.lease(name)
        assert await lease.take()
        where = channel or build(config.channels[name])
        silences = SilenceStore(store, keys)
        new = SenderSetup(
            name, config, outbox, silences, clock, where, lease, store, keys,
            ChannelSender(name, where, outbox, silences, lease, clock, lambda: new.config),
        )  # fmt: skip
        made.append(new)
        return new

    yield make
    for item in made:
        await item.channel.aclose()
