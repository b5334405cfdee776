"""What editors said of alerts: relevant or not. It moves topics' lines, and serves to tune them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from monitor.store.commands import Redis
from monitor.store.keys import Keys


@dataclass(frozen=True, slots=True)
class Verdict:
    """One editor's word on one story for one topic; the latest word counts."""

    story: str
    good: bool
    by: str
    at: float
    title: str = ""  # its headline, for when the story is no longer kept


_VERSION = "answers"  # among the service's counters
KEEP_VERDICTS = 5_000  # of one topic
KEEP_SECONDS = 365 * 86400  # from a topic's last verdict on


class FeedbackStore:
    """One hash for each topic, `feedback:{topic}`: story id → verdict."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def add(self, topic: str, verdict: Verdict) -> None:
        """Store a verdict in place of an earlier one on the same story."""
        said = {"good": verdict.good, "by": verdict.by, "at": verdict.at, "title": verdict.title}
        record = json.dumps(said, ensure_ascii=False)
        name = self._keys("feedback", topic)
        await self._client.hset(name, verdict.story, record)
        await self._client.expire(name, KEEP_SECONDS)
        if await self._client.hlen(name) > KEEP_VERDICTS:
            oldest = (await self.all(topic))[:-KEEP_VERDICTS]
            await self._client.hdel(name, *(old.story for old in oldest))
        await self._changed()

    async def undo(self, topic: str, story: str) -> bool:
        """Take the verdict on a story back; False if there was none."""
        gone = await self._client.hdel(self._keys("feedback", topic), story)
        await self._changed()
        return bool(gone)

    async def version(self) -> int:
        """Return a number that grows with every verdict given or taken back."""
        found = await self._client.hget(self._keys("count"), _VERSION)
        return int(found or 0)

    async def _changed(self) -> None:
        await self._client.hincrby(self._keys("count"), _VERSION)

    async def all(self, topic: str) -> list[Verdict]:
        """Return the verdicts on a topic, oldest first."""
        rows = await self._client.hgetall(self._keys("feedback", topic))
        found = [Verdict(story.decode(), **json.loads(text)) for story, text in rows.items()]
        return sorted(found, key=lambda verdict: verdict.at)
