"""A poller at work against a real store, and what it hands over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from monitor.clock import Clock, SystemClock
from monitor.config.schema import Config, FeedSource, PollingSettings, StoreSettings
from monitor.polling.feed_store import FeedStore
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.waiting import until
from workers.poller import Poller
from workers.runtime import Runtime


def config(keys: Keys, settings: PollingSettings, *feeds: FeedSource) -> Config:
    """Return a configuration of these feeds."""
    return Config(store=StoreSettings(prefix=keys.prefix), polling=settings, feeds=feeds)


async def handed_over(store: Redis, keys: Keys) -> list[dict[str, Any]]:
    """Return every story handed over: those in the embedder's stream, then those in lanes."""
    rows = await store.xrange(keys("stream", "stories"))
    packed = [fields[b"story"] for _, fields in rows]
    for feed_id in await store.zrange(keys("lanes"), 0, -1):
        packed += await store.lrange(keys("lane", feed_id.decode()), 0, -1)
    return [json.loads(story) for story in packed]


class RunningPoller:
    """A poller at work, and what it hands over."""

    def __init__(self, store: Redis, config: Config, clock: Clock | None = None) -> None:
        self.runtime = Runtime(
            config=config, store=store, store_url="", clock=clock or SystemClock()
        )
        self.store, self.keys = store, self.runtime.keys
        self.feeds = FeedStore(store, self.keys)
        self.poller = Poller(self.runtime)
        self.task = asyncio.create_task(self.poller.run())

    async def titles(self) -> list[str]:
        """Return the titles of all stories handed over, in order."""
        return [story["title"] for story in await handed_over(self.store, self.keys)]

    async def polls(self, feed_id: str) -> int:
        """Return how often a feed was polled."""
        return (await self.feeds.load_states([feed_id]))[0].polls

    async def again(self, feed_id: str) -> None:
        """Poll a feed now, and wait until that is done."""
        before = await self.polls(feed_id)
        await self.feeds.poll_now([feed_id], 0.0)

        async def polled() -> bool:
            return await self.polls(feed_id) > before

        await until(polled)

    async def stop(self) -> None:
        """Stop, and wait for the end."""
        self.runtime.stopping.set()
        await self.task


Start = Callable[..., RunningPoller]
