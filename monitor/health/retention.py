"""Lets go of what has no time to live of its own: what lies there for nobody, for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from monitor.delivery.dead_letter_review import DeadLetters
from monitor.delivery.outbox import OutboxStore
from monitor.observability.logs import get_logger
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import Command, apply

log = get_logger(__name__)


class Retention:
    """Sweeps the store; nothing that is younger than `keep` is touched.

    Args:
        client: the store.
        keys: key names.
        keep: seconds (`store.keep_receipts`).
    """

    def __init__(self, client: Redis, keys: Keys, keep: float) -> None:
        self._client, self._keys, self._keep = client, keys, keep
        self._outbox = OutboxStore(client, keys, keep)

    async def sweep(self, now: float, channels: Collection[str]) -> Counter[str]:
        """Let go of what is old; return how many of each kind. Each kind is logged by name.

        `channels` are those that are configured.
        """
        before = now - self._keep
        gone = Counter(
            dead_letters=await self._dead(before),
            alerts_of_removed_channels=await self._removed_channels(before, channels),
        )
        for kind, number in gone.items():
            if number:
                days = round(self._keep / 86400, 1)
                log.warning("retention_over", kind=kind, number=number, kept_days=days)
        return +gone

    async def _dead(self, before: float) -> int:
        letters = DeadLetters(self._client, self._keys)
        old = [letter for letter in await letters.list() if 0 < letter.at < before]
        for letter in old:
            await letters.drop(letter)
        return len(old)

    async def _removed_channels(self, before: float, channels: Collection[str]) -> int:
        """Alerts wait for a channel that was removed, in case it comes back, but not for ever."""
        number = 0
        for channel in await self._outbox.channels() - set(channels):
            waiting = self._keys("outbox", channel)
            old = await self._client.zrangebyscore(waiting, "-inf", before)
            commands: list[Command] = []
            for item in old:
                note = self._keys("notification", item.decode())
                commands += [["ZREM", waiting, item], ["DEL", note]]
            number += len(old)
            if len(old) == await self._client.zcard(waiting):
                commands += [
                    ["SREM", self._keys("outbox"), channel],
                    ["DEL", self._keys("channel", channel), self._keys("recent", channel)],
                ]
            await apply(self._client, commands)
        return number
