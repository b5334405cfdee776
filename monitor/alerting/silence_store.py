"""Silences, mutes and snoozes, where every notifier and the command line find them."""

from __future__ import annotations

from monitor.alerting.silences import Silence
from monitor.store.commands import Redis
from monitor.store.keys import Keys

_LINGER = 7 * 86400  # after the last one has run out, so that `silence list --all` can tell


class SilenceStore:
    """One hash, `silence:all`: id → silence. Old ones go when a new one is added."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys("silence", "all")

    async def all(self) -> list[Silence]:
        """Return every silence still stored, run out or not, in the order they end."""
        rows = await self._client.hvals(self._key)
        return sorted((Silence.from_json(row) for row in rows), key=lambda item: item.ends)

    async def active(self, now: float) -> list[Silence]:
        """Return the silences that have not run out at `now` (Unix seconds)."""
        return [silence for silence in await self.all() if silence.ends > now]

    async def add(self, silence: Silence, now: float) -> None:
        """Store a silence; forget those that ran out a week ago."""
        old = [item.id for item in await self.all() if item.ends < now - _LINGER]
        ends = max([silence.ends, *(item.ends for item in await self.active(now))])
        pipe = self._client.pipeline(transaction=True)
        if old:
            pipe.hdel(self._key, *old)
        pipe.hset(self._key, silence.id, silence.to_json())
        pipe.expire(self._key, int(ends - now) + _LINGER)
        await pipe.execute()

    async def end(self, silence_id: str, now: float) -> Silence | None:
        """End a silence now. Return it, or None if there is none of that id."""
        text = await self._client.hget(self._key, silence_id)
        if text is None:
            return None
        silence = Silence.from_json(text)
        await self._client.hset(self._key, silence_id, silence.ended(now).to_json())
        return silence
