"""How the last canary fared (`watch:canary`), and where one is on its way."""

from __future__ import annotations

from monitor.delivery.outbox import OutboxStore
from monitor.health import canary_channel
from monitor.queue.hand_overs import Streams
from monitor.store.commands import Redis, Value
from monitor.store.keys import Keys


class CanaryStore:
    """Sends canaries, finds them, and remembers the last one: sent, ok, seconds, lost, where."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._key = keys("watch", "canary")
        self._streams = Streams(client, keys)
        self._outbox = OutboxStore(client, keys)

    async def last(self) -> dict[str, str]:
        """Return what is known of the last canary."""
        row = await self._client.hgetall(self._key)
        return {name.decode(): value.decode() for name, value in row.items()}

    async def send(self, canary_id: str, now: float) -> bytes:
        """Hand one to the embedder; return the message's id."""
        return await self._streams.put_story(canary_channel.make_canary(canary_id, now))

    async def taken(self, canary_id: str) -> bool:
        """Whether its receipt has come; if so, the receipt is removed."""
        key = self._keys("receipt", canary_channel.notification_id(canary_id))
        return bool(await self._client.delete(key))

    async def whereabouts(self, canary_id: str, message_id: bytes) -> str:
        """Return the stage that the canary waits for."""
        if await self._streams.holds_story(message_id):
            return "embedder"
        waits = await self._outbox.is_waiting(canary_channel.notification_id(canary_id))
        return "notifier" if waits else "triage"

    async def arrived(self, sent: float, seconds: float) -> dict[str, str]:
        """Remember that one came through; return what is known now."""
        row = {"sent": repr(sent), "ok": "1", "lost": "0", "seconds": f"{seconds:.2f}"}
        await self._client.hset(self._key, mapping=row)
        return row

    async def lost(self, sent: float, where: str, patience: float) -> None:
        """Remember that one did not."""
        await self._client.hincrby(self._key, "lost", 1)
        row: dict[str, Value] = {"sent": repr(sent), "ok": 0, "where": where, "patience": patience}
        await self._client.hset(self._key, mapping=row)
