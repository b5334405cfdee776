"""The loop that every stream-fed worker runs: read, decode, work, and what to do when it fails.

A batch that fails is tried item by item, so that one bad item costs itself alone; an item that
cannot be decoded, fails on its own, or has crashed its worker too often becomes a dead letter.
A store that is away is waited for: nothing is acknowledged, so nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from redis.exceptions import RedisError

from monitor.errors import LeaseLost
from monitor.observability.logs import get_logger
from monitor.queue.streams import MAX_DELIVERIES, StreamMessage, StreamQueue, whose
from monitor.reasons import DeadLetterReason
from workers.runtime import Runtime

log = get_logger(__name__)

T = TypeVar("T")
Decode = Callable[[Mapping[bytes, bytes]], T]
Work = Callable[[Sequence[StreamMessage], Sequence[T]], Awaitable[None]]


class Stage(Generic[T]):
    """Feeds the items of `queue` to `work`, in batches.

    Args:
        runtime: says when to stop.
        queue: where items come from.
        decode: stream fields to a value; raises ValueError for what is not one.
        work: handles a batch and acknowledges it in its own hand-off step.
        size: how many items and how many seconds of linger, asked before every read.
        sole: no other consumer can be alive, so whatever is pending is ours at once.
        after_failure: called after a batch or an item failed, before anything else is tried.
    """

    def __init__(
        self,
        runtime: Runtime,
        queue: StreamQueue,
        decode: Decode[T],
        work: Work[T],
        size: Callable[[], tuple[int, float]],
        *,
        sole: bool = False,
        after_failure: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._runtime = runtime
        self._queue = queue
        self._decode = decode
        self._work = work
        self._size = size
        self._after_failure = after_failure
        self._progress = runtime.progress(queue.name)
        self._reclaim_at = 0.0
        self._take_all = sole

    async def run(self) -> None:
        """Work until the runtime is stopping; a batch in hand is finished first.

        Raises:
            LeaseLost: the worker is no longer the one writer.
        """
        await self._when_store_answers(self._queue.ensure)
        while not self._runtime.stopping.is_set():
            self._progress.mark()
            await self._when_store_answers(self._step)

    async def _when_store_answers(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except (RedisError, OSError) as error:
            log.warning("store_unreachable", stage=self._queue.name, error=str(error))
            await self._runtime.wait_or_stop(1.0)

    async def _step(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._reclaim_at:
            idle = 0.0 if self._take_all else None
            while items := await self._queue.reclaim(self._size()[0], min_idle=idle):
                self._progress.mark()
                await self._handle(items)
            self._take_all = False
            await self._queue.sweep_consumers()
            self._reclaim_at = loop.time() + self._queue.lease / 2
        count, linger = self._size()
        await self._handle(await self._queue.read(count, linger))

    async def _handle(self, items: Sequence[StreamMessage]) -> None:
        sound = [pair for item in items if (pair := await self._admit(item)) is not None]
        if not sound:
            return
        held, values = [item for item, _ in sound], [value for _, value in sound]
        async with self._queue.leased(held) as moving:
            if await self._try(held, values) or len(held) == 1:
                return
            for item, value in sound:
                moving.mark()
                self._progress.mark()
                await self._try([item], [value])

    async def _try(self, items: Sequence[StreamMessage], values: Sequence[T]) -> bool:
        """Work on items; a single one that fails is buried. Return whether it went well."""
        try:
            await self._work(items, values)
        except LeaseLost:
            raise
        except (RedisError, OSError):
            await self._recover()
            raise
        except Exception as error:
            log.warning(
                "batch_failed",
                stage=self._queue.name,
                size=len(items),
                error=repr(error),
                **whose(items),
            )
            await self._recover()
            if len(items) == 1:
                await self._queue.dead_letter(items[0], DeadLetterReason.POISON, repr(error))
            return False
        return True

    async def _recover(self) -> None:
        if self._after_failure:
            await self._after_failure()

    async def _admit(self, item: StreamMessage) -> tuple[StreamMessage, T] | None:
        if item.deliveries > MAX_DELIVERIES:
            detail = f"handed out {item.deliveries} times without success"
            await self._queue.dead_letter(item, DeadLetterReason.POISON, detail)
            return None
        try:
            return item, self._decode(item.fields)
        except ValueError as error:
            await self._queue.dead_letter(item, DeadLetterReason.MALFORMED, str(error))
            return None
