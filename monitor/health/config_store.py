"""What the last process that read the configuration said of it (hash `config`)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.store.commands import Redis
from monitor.store.keys import Keys

_WARNING = re.compile(r":\d+: warning: ")


@dataclass(frozen=True, slots=True)
class ConfigWord:
    """How many feeds and topics a configuration held, and the names of its channels."""

    feeds: int = 0
    topics: int = 0
    channels: list[str] = field(default_factory=list)


class ConfigStore:
    """Reads and writes it."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys("config")

    async def publish(self, word: ConfigWord, problems: Sequence[str], now: float) -> None:
        """Say what is in force, and what is wrong with what is on disk."""
        await self._client.hset(
            self._key,
            mapping={
                "problems": json.dumps(list(problems)),
                "at": repr(now),
                "feeds": word.feeds,
                "topics": word.topics,
                "channels": json.dumps(word.channels),
            },
        )

    async def word(self) -> ConfigWord:
        """Return what was in force when somebody last said so."""
        row = await self._client.hgetall(self._key)
        return ConfigWord(
            int(row.get(b"feeds", 0)),
            int(row.get(b"topics", 0)),
            list(json.loads(row.get(b"channels", b"[]"))),
        )

    async def errors(self) -> list[str]:
        """Return the errors (not the warnings) of the configuration on disk."""
        text = await self._client.hget(self._key, "problems")
        try:
            data = json.loads(text or b"[]")
        except ValueError:
            return []
        found = [str(item) for item in data] if isinstance(data, list) else []
        return [problem for problem in found if not _WARNING.search(problem)]

    async def first_run_summed_up(self) -> bool:
        """Whether the summary of a first run was shown."""
        return bool(await self._client.hexists(self._key, "first_look"))

    async def sum_up_first_run(self) -> None:
        """Remember that it was."""
        await self._client.hset(self._key, "first_look", "said")
