"""Lanes: the stories of each feed wait in a list of their own, and feeds take turns.

One document of 2,000 items must not delay another feed's story. So a poll's commit puts stories
into its feed's lane, and only a few of them at a time, of each feed in turn, stand in the
embedder's stream. Every step is one Lua script: whoever dies leaves each story in one place.
"""

from __future__ import annotations

from monitor.store.client import run_script
from monitor.store.commands import Redis, Value
from monitor.store.keys import Keys

GROUP = "workers"
IN_STREAM = 64  # stories that may stand in the stream unread: a batch of the embedder's
SHARE = 8  # of one feed, each time


class FeedLanes:
    """The lanes between the pollers and the embedders."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def names(self, feed_id: str) -> list[str]:
        """Return the keys a commit needs: the feed's lane, the lanes, their state."""
        return [self._keys("lane", feed_id), self._keys("lanes"), self._keys("lanes", "state")]

    async def refill(self, room: int = IN_STREAM) -> int:
        """Move stories into the stream until `room` of them stand there unread; return how many.

        An embedder refills before it reads; a poller only so far that no embedder is idle.
        """
        names = [self._keys("stream", "stories"), *self.names("")[1:]]
        args: list[Value] = [self._keys(), GROUP, room, SHARE]
        return int(await run_script(self._client, "lane_refill", names, args))

    async def waiting(self) -> int:
        """Return how many stories wait in all lanes."""
        return int(await self._client.hget(self._keys("lanes", "state"), "waiting") or 0)
