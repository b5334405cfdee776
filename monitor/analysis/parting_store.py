"""Stories that a person said are not the same happening: asked for on the desk, done by triage."""

from __future__ import annotations

import json
from dataclasses import dataclass

from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import Command

MOST = 1_000  # partings in force at a time


@dataclass(frozen=True, slots=True)
class Parting:
    """One story that is kept apart from `others`, who said so, and when (Unix seconds).

    `others` is empty until triage has parted it from the stories of its event.
    """

    story: str
    by: str
    at: float
    others: tuple[str, ...] = ()


class PartingStore:
    """What is kept apart, for as long as events may take the stories."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys("apart")

    async def ask(self, parting: Parting) -> bool:
        """Ask triage to part a story; False if that was asked before, or too much is kept apart."""
        if await self._client.hlen(self._key) >= MOST:
            return False
        return bool(await self._client.hsetnx(self._key, parting.story, _packed(parting)))

    async def all(self) -> list[Parting]:
        """Return every parting, those not done yet among them."""
        rows = await self._client.hgetall(self._key)
        found = []
        for story, text in rows.items():
            by, at, others = json.loads(text)
            found.append(Parting(story.decode(), by, at, tuple(others)))
        return found

    def keep_commands(self, parting: Parting) -> list[Command]:
        """Keep a parting that was done."""
        return [["HSET", self._key, parting.story, _packed(parting)]]

    def drop_commands(self, story: str) -> list[Command]:
        """Forget a parting: the story is not in the window, or has left it."""
        return [["HDEL", self._key, story]]


def _packed(parting: Parting) -> str:
    return json.dumps([parting.by, parting.at, list(parting.others)])
