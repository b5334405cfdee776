"""What the watchdog remembers from look to look: `watch:open`, `watch:topics`, `watch:state`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from redis.exceptions import ResponseError

from monitor.health.notices import Open
from monitor.store.commands import Redis
from monitor.store.keys import Keys


class WatchStore:
    """The watchdog's memory, and the store's word on itself."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def troubles(self) -> dict[str, Open]:
        """Return every trouble that is remembered, by kind and subject."""
        rows = await self._client.hgetall(self._keys("watch", "open"))
        return {key.decode(): Open(**json.loads(text)) for key, text in rows.items()}

    async def keep_troubles(self, after: Mapping[str, Open], before: Mapping[str, Open]) -> None:
        """Remember what is open now; `before` is what was."""
        key = self._keys("watch", "open")
        pipe = self._client.pipeline(transaction=True)
        if changed := {k: v.to_json() for k, v in after.items() if before.get(k) != v}:
            pipe.hset(key, mapping=changed)
        if gone := set(before) - set(after):
            pipe.hdel(key, *gone)
        await pipe.execute()

    async def topics(self) -> dict[str, dict[str, Any]]:
        """Return what is remembered of each topic."""
        rows = await self._client.hgetall(self._keys("watch", "topics"))
        return {topic.decode(): json.loads(row) for topic, row in rows.items()}

    async def keep_topics(
        self, rows: Mapping[str, Mapping[str, Any]], gone: Collection[str]
    ) -> None:
        """Remember `rows`, and forget the topics that are `gone`."""
        key = self._keys("watch", "topics")
        await self._client.hset(key, mapping={t: json.dumps(row) for t, row in rows.items()})
        if gone:
            await self._client.hdel(key, *gone)

    async def dead_letters(self) -> tuple[int, int]:
        """Return how many dead letters were last told of, and how many there are."""
        before = await self._client.hget(self._keys("watch", "state"), "dead")
        return int(before or 0), int(await self._client.hlen(self._keys("dead")))

    async def told_of_dead_letters(self, number: int) -> None:
        """Remember that somebody was told of so many."""
        await self._client.hset(self._keys("watch", "state"), "dead", str(number))

    async def mark(self, new: str) -> str:
        """Return the mark of the installation in the store, made `new` where there is none."""
        key = self._keys("installation")
        found = await self._client.get(key)
        if found is None:
            await self._client.set(key, new, nx=True)
            found = await self._client.get(key)
        return bytes(found or b"").decode()

    async def run_id(self) -> str:
        """Return what names the run of the server, new with each start; "" where it may not say."""
        try:
            info = await self._client.info("server")
        except ResponseError:
            return ""
        found = info.get("run_id", b"")
        return found.decode() if isinstance(found, bytes) else str(found)

    async def size(self) -> int:
        """Return how many keys the store holds."""
        return int(await self._client.dbsize())

    async def loss(self) -> tuple[str, float] | None:
        """Return what the store was last found to have lost, in words, and when; or None."""
        text, at = await self._client.hmget(self._keys("watch", "state"), "loss", "loss_at")
        return (text.decode(), float(at)) if text and at else None

    async def note_loss(self, text: str, now: float) -> None:
        """Remember that the store has lost something, for the watchdog to say."""
        await self._client.hset(
            self._keys("watch", "state"), mapping={"loss": text, "loss_at": repr(now)}
        )

    async def store_info(self) -> dict[str, Any]:
        """Return what the store says of its persistence and memory; {} where it may not say."""
        try:
            return {
                **await self._client.info("persistence"),
                **await self._client.info("memory"),
            }
        except ResponseError:
            return {}  # a managed service that does not allow INFO

    async def ping(self) -> None:
        """Ask the store for a sign of life.

        Raises:
            RedisError, OSError: it gives none.
        """
        await self._client.ping()
