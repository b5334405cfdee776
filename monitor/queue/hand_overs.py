"""What goes into the streams between the stages, and how they stand."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from redis.exceptions import ResponseError

from monitor.codec import pack_embedded, pack_story
from monitor.model import EmbeddedStory, Story
from monitor.queue.feed_lanes import FeedLanes
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import Command

STORIES, VECTORS = "stories", "vectors"
STREAMS = (STORIES, VECTORS)


@dataclass(frozen=True, slots=True)
class QueueLook:
    """One queue as it stands: messages in it, not yet taken, taken and open; age of the first."""

    name: str
    depth: int = 0
    lag: int = 0
    pending: int = 0
    oldest: float = 0.0


def story_command(keys: Keys, story: Story) -> Command:
    """Return the command that hands a story to the embedder, for use in a step of the caller's."""
    return ["XADD", keys("stream", STORIES), "*", *_flat(pack_story(story))]


def vectors_command(keys: Keys, item: EmbeddedStory) -> Command:
    """Return the command that hands an embedded story to triage."""
    return ["XADD", keys("stream", VECTORS), "*", *_flat(pack_embedded(item))]


def _flat(fields: dict[str, bytes]) -> list[str | bytes]:
    return [part for pair in fields.items() for part in pair]


class Streams:
    """The streams between the stages, seen from outside of them."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._lanes = FeedLanes(client, keys)

    async def put_story(self, story: Story) -> bytes:
        """Hand a story to the embedder; return the message's id."""
        return bytes(await self._client.xadd(self._keys("stream", STORIES), pack_story(story)))

    async def holds_story(self, message_id: bytes) -> bool:
        """Whether the embedder has not handed the message on yet."""
        key = self._keys("stream", STORIES)
        return bool(await self._client.xrange(key, message_id, message_id))

    async def depths(self) -> dict[str, int]:
        """Return how many messages wait in each stream, and in the lanes before it."""
        found = {name: int(await self._client.xlen(self._keys("stream", name))) for name in STREAMS}
        found[STORIES] += await self._lanes.waiting()
        return found

    async def look(self, name: str) -> QueueLook:
        """Look at one stream; message ids carry the store's own time."""
        key = self._keys("stream", name)
        depth = int(await self._client.xlen(key))
        first = await self._client.xrange(key, count=1) if depth else []
        oldest = 0.0
        if first:
            now = float((await self._client.time())[0])
            oldest = max(0.0, now - int(first[0][0].split(b"-")[0]) / 1000.0)
        lag = pending = 0
        with suppress(ResponseError):  # no such stream yet
            for group in await self._client.xinfo_groups(key):
                pending += int(group["pending"])
                lag += max(0, depth - pending) if group["lag"] is None else int(group["lag"])
        if name == STORIES:
            depth += await self._lanes.waiting()
        return QueueLook(name, depth, lag, pending, oldest)
