"""One stage's inbox: a stream, its consumer group, leases and the crash counter.

The loop is thin on purpose. An item stays in the group's pending list until the next hand-off
acknowledges and deletes it in the same atomic step that stores what was made of it; so the length
of the stream is the backlog. A worker that dies leaves its items pending; once their lease has
run out another worker takes them over, and the delivery count says how often that has happened.

Source: redis.io/docs/latest/develop/data-types/streams (consumer groups, XAUTOCLAIM).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from monitor.observability import metrics
from monitor.observability.logs import get_logger
from monitor.queue.dead_letter_store import dead_letter_commands
from monitor.queue.feed_lanes import GROUP, FeedLanes
from monitor.reasons import DeadLetterReason
from monitor.store.client import BLOCK_SECONDS
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.lease import renewed
from monitor.store.transaction import Command, apply
from monitor.tasks import Progress

log = get_logger(__name__)

LEASE_SECONDS = 20.0
MAX_DELIVERIES = 5
_FEW = 8  # a log line names no more stories than these


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message: its stream id, its fields as stored, and how often it was handed out."""

    id: bytes
    fields: dict[bytes, bytes]
    deliveries: int = 1

    @property
    def trace(self) -> str:
        """The trace id of the story in it, or "" where none can be read."""
        try:
            return str(json.loads(self.fields[b"story"])["trace"])
        except (KeyError, TypeError, ValueError):
            return ""


def whose(items: Sequence[StreamMessage]) -> dict[str, Any]:
    """Return what a log line says of the stories in `items`: their trace ids, if they are few."""
    found = list(dict.fromkeys(trace for item in items if (trace := item.trace)))
    if len(found) == 1:
        return {"trace": found[0]}
    return {"traces": found} if 0 < len(found) <= _FEW else {}


class StreamQueue:
    """Read, lease and reclaim the messages of one stream for one consumer.

    Args:
        client: for short commands.
        blocking: a client of this queue's own, for blocking reads.
        keys: key names.
        stream: "stories" or "vectors".
        consumer: a name no other live worker uses.
        lease: seconds after which an unrenewed item may be taken over.
        lanes: where stories wait before the stream; it is filled from them before every read.
    """

    def __init__(
        self,
        client: Redis,
        blocking: Redis,
        keys: Keys,
        stream: str,
        consumer: str,
        *,
        lease: float = LEASE_SECONDS,
        lanes: FeedLanes | None = None,
    ) -> None:
        self._client = client
        self._blocking = blocking
        self._keys = keys
        self.name = stream
        self.key = keys("stream", stream)
        self.group = GROUP
        self._lanes = lanes
        self.consumer = consumer
        self.lease = lease

    async def ensure(self) -> None:
        """Create the group, from the first message on, unless it exists."""
        with suppress(ResponseError):
            await self._client.xgroup_create(self.key, self.group, id="0", mkstream=True)

    async def read(self, count: int, linger: float) -> list[StreamMessage]:
        """Wait for a first message, then gather up to `count` for at most `linger` seconds.

        Returns an empty list when nothing came within the blocking time.
        """
        if self._lanes is not None:
            await self._lanes.refill()
        items = await self._read_group(count, block=BLOCK_SECONDS)
        if not items:
            return []
        deadline = asyncio.get_running_loop().time() + linger
        while len(items) < count:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0.001:
                break
            more = await self._read_group(count - len(items), block=left)
            if not more:
                break
            items += more
        return items

    async def _read_group(self, count: int, block: float) -> list[StreamMessage]:
        try:
            reply = await self._blocking.xreadgroup(
                self.group,
                self.consumer,
                {self.key: ">"},
                count=count,
                block=max(1, int(block * 1000)),
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.ensure()
            return []
        return [
            StreamMessage(item_id, fields) for _, rows in reply or [] for item_id, fields in rows
        ]

    async def reclaim(self, count: int, *, min_idle: float | None = None) -> list[StreamMessage]:
        """Take over items whose lease has run out, following the cursor through all of them.

        `min_idle=0` takes everything pending: for the only worker that may be alive.
        """
        idle = int((self.lease if min_idle is None else min_idle) * 1000)
        cursor: bytes | str = "0-0"
        taken: list[StreamMessage] = []
        while len(taken) < count:
            try:
                reply: Any = await self._client.xautoclaim(
                    self.key, self.group, self.consumer, idle, cursor, count=count - len(taken)
                )
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self.ensure()
                return taken
            cursor, rows = reply[0], reply[1]
            taken += [StreamMessage(item_id, fields) for item_id, fields in rows if fields]
            if cursor in (b"0-0", "0-0"):
                break
        metrics.QUEUE_RECLAIMED.labels(queue=self.name).inc(len(taken))
        return await self._with_deliveries(taken)

    async def _with_deliveries(self, items: list[StreamMessage]) -> list[StreamMessage]:
        pipe = self._client.pipeline(transaction=False)
        for item in items:
            pipe.xpending_range(self.key, self.group, item.id, item.id, 1)
        counted = []
        for item, rows in zip(items, await pipe.execute() if items else [], strict=True):
            times = int(rows[0]["times_delivered"]) if rows else 1
            counted.append(StreamMessage(item.id, item.fields, times))
        return counted

    @asynccontextmanager
    async def leased(self, items: Sequence[StreamMessage]) -> AsyncIterator[Progress]:
        """Renew the lease of `items` every quarter of it while the block runs and moves.

        XCLAIM … JUSTID renews without raising the delivery count, which is the crash counter.
        """
        ids = [item.id for item in items]

        async def renew() -> None:
            await self._client.xclaim(self.key, self.group, self.consumer, 0, ids, justid=True)

        async with renewed(renew, self.lease / 4) as progress:
            yield progress

    async def forgive(self, items: Sequence[StreamMessage]) -> None:
        """Set the delivery count of `items` back: that they are not finished is no crash."""
        if ids := [item.id for item in items]:
            await self._client.xclaim(
                self.key, self.group, self.consumer, 0, ids, retrycount=0, justid=True
            )

    def done_commands(self, items: Sequence[StreamMessage]) -> list[Command]:
        """Return the commands that acknowledge and delete `items`, for a hand-off's own step."""
        ids = [item.id for item in items]
        return [["XACK", self.key, self.group, *ids], ["XDEL", self.key, *ids]] if ids else []

    async def dead_letter(self, item: StreamMessage, reason: DeadLetterReason, detail: str) -> None:
        """Set `item` aside as a dead letter: kept whole, with its reason, until someone decides."""
        record = {
            "stage": self.name,
            "reason": reason.value,
            "detail": detail[:500],
            "deliveries": item.deliveries,
            "fields": {key.decode(): value.hex() for key, value in item.fields.items()},
        }
        commands = dead_letter_commands(
            self._keys, f"{self.name}:{item.id.decode()}", json.dumps(record)
        )
        await apply(self._client, commands + self.done_commands([item]))
        metrics.DEAD_LETTERS.labels(queue=self.name, reason=reason).inc()
        log.error(
            "dead_letter",
            stage=self.name,
            item=item.id.decode(),
            reason=reason.value,
            **whose([item]),
        )

    async def sweep_consumers(self, idle_seconds: float = 3600.0) -> None:
        """Forget consumers that hold nothing and have been silent for `idle_seconds`."""
        with suppress(ResponseError):
            for row in await self._client.xinfo_consumers(self.key, self.group):
                if row["pending"] == 0 and row["idle"] > idle_seconds * 1000:
                    await self._client.xgroup_delconsumer(self.key, self.group, row["name"])
