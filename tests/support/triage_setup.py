"""Triage on a real store, with what stands around it: the embedder's part, and what came out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from monitor.analysis.text_archive import ModelInfo, TextVectors
from monitor.clock import ManualClock
from monitor.codec import pack_embedded
from monitor.config.schema import Config, Topic
from monitor.embedding import Embedder, embed_stories
from monitor.matching import texts
from monitor.model import Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.waiting import until
from workers.runtime import Runtime
from workers.triage import Triage


class TriageSetup:
    """One installation: its topics, its model, and the triage processes that a test starts."""

    def __init__(self, store: Redis, url: str, keys: Keys, model: Embedder, *topics: Topic) -> None:
        self.store, self.url, self.keys, self.model = store, url, keys, model
        self.clock = ManualClock()
        self.config = Config(store={"prefix": keys.prefix}, topics=topics)

    @property
    def info(self) -> ModelInfo:
        """What the embedder says of its model."""
        return ModelInfo(self.model.fingerprint, self.model.dimension)

    async def prepare(self) -> None:
        """Do what an embedder does at its start."""
        await self.embed(texts(self.config.topics))
        await TextVectors(self.store, self.keys).announce(self.info)

    async def embed(self, phrases: Sequence[str]) -> None:
        """Answer what triage will want embedded."""
        vectors = dict(zip(phrases, self.model.encode(list(phrases)), strict=True))
        await TextVectors(self.store, self.keys).put(self.info, vectors)

    async def publish(self, *stories: Story) -> None:
        """Hand over embedded stories as the embedder does."""
        for item in embed_stories(self.model, stories, 24):
            await self.store.xadd(self.keys("stream", "vectors"), pack_embedded(item))

    @asynccontextmanager
    async def running(self, worker: str = "one") -> AsyncIterator[Runtime]:
        """Run a triage process and yield its runtime; leaving the block stops it cleanly."""
        runtime = Runtime(self.config, self.store, self.url, clock=self.clock, worker_id=worker)
        task = asyncio.create_task(Triage(runtime).run())
        try:
            yield runtime
        finally:
            runtime.stopping.set()
            await task

    async def decided(self, count: int) -> None:
        """Wait until `count` stories have been decided."""
        await until(lambda: self._decided(count))

    async def _decided(self, count: int) -> bool:
        done = await self.store.hget(self.keys("count"), "stories")
        return int(done or 0) >= count and not await self.store.xlen(self.keys("stream", "vectors"))

    async def decision(self, story: str) -> dict[str, Any]:
        """What was decided about a story; {} for nothing yet."""
        text = await self.store.hget(self.keys("story", story), "decision")
        return dict(json.loads(text or b"{}"))

    async def outbox(self, channel: str = "terminal") -> list[dict[str, Any]]:
        """What waits to be sent on a channel, in order of due time."""
        ids = await self.store.zrange(self.keys("outbox", channel), 0, -1)
        rows = [await self.store.hget(self.keys("notification", i.decode()), "json") for i in ids]
        return [json.loads(row or b"{}") for row in rows]

    async def reasons(self) -> list[str]:
        """Why each waiting notification was decided."""
        return sorted(str(row["alert"]["reason"]) for row in await self.outbox())
