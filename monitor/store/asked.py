"""Answers of services that cost something, kept; and how many were asked for today."""

from __future__ import annotations

import hashlib
import time

from monitor.store.commands import Redis
from monitor.store.keys import Keys

_DAY = 86_400


class AskedStore:
    """Answers of one service by their question: `asked:{service}:{hash}`, and a count a day.

    Args:
        client: the store.
        keys: key names.
        service: its name.
        keep: seconds an answer is kept.
    """

    def __init__(self, client: Redis, keys: Keys, service: str, keep: float = 7 * _DAY) -> None:
        self._client, self._keys = client, keys
        self._service, self._keep = service, int(keep)

    async def known(self, question: str) -> str | None:
        """Return the answer to a question asked before, or None."""
        found = await self._client.get(self._key(question))
        return found.decode() if found is not None else None

    async def keep(self, question: str, answer: str) -> None:
        """Keep an answer."""
        await self._client.set(self._key(question), answer, ex=self._keep)

    async def spend(self, per_day: int, now: float) -> bool:
        """Count one more question of this day (UTC); False if there were `per_day` already."""
        key = self._keys("spent", time.strftime("%Y%m%d", time.gmtime(now)))
        spent = await self._client.hincrby(key, self._service)
        await self._client.expire(key, 2 * _DAY)
        return spent <= per_day

    def _key(self, question: str) -> str:
        digest = hashlib.blake2b(question.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return self._keys("asked", self._service, digest)
