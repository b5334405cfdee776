"""What editors said of alerts: relevant or not, kept for tuning topics."""

from __future__ import annotations

import json
from dataclasses import dataclass

from monitor.store.client import Redis
from monitor.store.keys import Keys


@dataclass(frozen=True, slots=True)
class Verdict:
    """One editor's word on one story for one topic; the latest word counts."""

    story: str
    good: bool
    by: str
    at: float


class FeedbackStore:
    """One hash for each topic, `feedback:{topic}`: story id → verdict."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def add(self, topic: str, verdict: Verdict) -> None:
        """Store a verdict in place of an earlier one on the same story."""
        record = json.dumps({"good": verdict.good, "by": verdict.by, "at": verdict.at})
        await self._client.hset(self._keys("feedback", topic), verdict.story, record)

    async def all(self, topic: str) -> list[Verdict]:
        """Return the verdicts on a topic, oldest first."""
        rows = await self._client.hgetall(self._keys("feedback", topic))
        found = [Verdict(story.decode(), **json.loads(text)) for story, text in rows.items()]
        return sorted(found, key=lambda verdict: verdict.at)
