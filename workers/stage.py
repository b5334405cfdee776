"""The loop that every stream-fed worker runs: read, decode, work, and what to do when it fails.

Whose fault a failure is decides what becomes of an item:

- the store's (away, full, loading): the item waits, and is tried again as soon as it answers;
- the tool's, when several items fail and none succeeds: the stage rests, says so, tries again;
- the item's own, when it fails again and again while others succeed: it becomes a dead letter,
  as does what cannot be decoded and what its worker has died of too often.

A batch that fails is tried item by item, so that one bad item costs itself alone. Nothing is
acknowledged before it was handed on, so nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from redis.exceptions import RedisError

from monitor.errors import LeaseLost
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from monitor.queue.streams import MAX_DELIVERIES, StreamMessage, StreamQueue, whose
from monitor.reasons import DeadLetterReason, RestReason
from monitor.store.faults import is_store_fault
from workers.runtime import Runtime

log = get_logger(__name__)

T = TypeVar("T")
Decode = Callable[[Mapping[bytes, bytes]], T]
Work = Callable[[Sequence[StreamMessage], Sequence[T]], Awaitable[None]]
Pair = tuple[StreamMessage, T]

TAKEN_OVER = 1000  # at once, of what dead workers left behind
MAX_TRIES = 3  # of an item that fails while others succeed
ENOUGH = 3  # items that fail in a row before the tool is suspected
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 5.0  # while the store does not answer
FIRST_REST, LONGEST_REST = 5.0, 30.0  # while the tool fails
_MARK_EVERY = 10.0


class Tool:
    """What a stage works with, as the stage needs to know it."""

    reason = RestReason.WORK_FAILS

    async def works(self) -> bool | None:
        """Try it on something that is known to work; None where there is nothing to try."""
        return None

    async def resting(self, error: str) -> None:
        """Called when the stage begins to rest because of `error`, and with "" when it is over."""


@dataclass(frozen=True, slots=True)
class _Suspect:
    """An item that failed on its own: how often while others succeeded, seen at which success."""

    tries: int
    seen: int


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
        tool: asked when items fail, and told when the stage rests.
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
        tool: Tool | None = None,
    ) -> None:
        self._runtime = runtime
        self._queue = queue
        self._decode = decode
        self._work = work
        self._size = size
        self._after_failure = after_failure
        self._tool = tool or Tool()
        self._progress = runtime.progress(queue.name)
        self._reclaim_at = 0.0
        self._again_at: float | None = None  # when what failed is tried again
        self._take_all = sole
        self._in_hand: dict[bytes, StreamMessage] = {}  # handed to us, and not finished
        self._suspects: dict[bytes, _Suspect] = {}
        self._failed: set[bytes] = set()  # items that failed since the last success
        self._successes = 0
        self._pause = self._rest = 0.0

    async def run(self) -> None:
        """Work until the runtime is stopping; a batch in hand is finished first.

        Raises:
            LeaseLost: the worker is no longer the one writer.
        """
        await self._when_store_answers(self._queue.ensure)
        while not self._runtime.stopping.is_set():
            self._progress.mark()
            await self._when_store_answers(self._step)
        with suppress(RedisError, OSError):  # a stop is no crash of what is in hand
            await self._queue.forgive(list(self._in_hand.values()))

    async def _when_store_answers(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except (RedisError, OSError) as error:
            if not self._pause:
                log.warning("store_unreachable", stage=self._queue.name, error=redact(str(error)))
            self._pause = min(2 * self._pause or FIRST_PAUSE, LONGEST_PAUSE)
            self._again_at = 0.0
            await self._runtime.wait_or_stop(self._pause)
        else:
            if self._pause:
                log.info("store_answers", stage=self._queue.name)
            self._pause = 0.0

    async def _step(self) -> None:
        loop = asyncio.get_running_loop()
        if self._again_at is not None and loop.time() >= self._again_at:
            await self._try_again()
        if loop.time() >= self._reclaim_at:
            idle = 0.0 if self._take_all else None
            taken = await self._queue.reclaim(TAKEN_OVER, min_idle=idle)
            self._take_all = False
            await self._handle_in_batches(taken)
            await self._queue.sweep_consumers()
            self._reclaim_at = loop.time() + self._queue.lease / 2
        count, linger = self._size()
        await self._handle(await self._queue.read(count, linger))

    async def _try_again(self) -> None:
        """Take up again what is in hand; no delivery count is raised by this."""
        self._again_at = None
        await self._handle_in_batches(list(self._in_hand.values()))

    async def _handle_in_batches(self, items: Sequence[StreamMessage]) -> None:
        self._in_hand |= {item.id: item for item in items}
        size = self._size()[0]
        for start in range(0, len(items), size):
            self._progress.mark()
            await self._handle(items[start : start + size])

    def _try_again_later(self) -> None:
        # Sooner than the lease runs out: taking over what is our own would count as a crash.
        self._again_at = asyncio.get_running_loop().time() + self._queue.lease / 2

    async def _handle(self, items: Sequence[StreamMessage]) -> None:
        self._in_hand |= {item.id: item for item in items}
        sound = [pair for item in items if (pair := await self._admit(item)) is not None]
        if not sound:
            return
        async with self._queue.leased([item for item, _ in sound]) as progress:
            before, failed = self._successes, list[tuple[StreamMessage, Exception]]()
            if (error := await self._fault_of(sound)) is None:
                return
            if len(sound) == 1:
                failed = [(sound[0][0], error)]
            for pair in sound if len(sound) > 1 else []:
                progress.mark()
                self._progress.mark()
                if (error := await self._fault_of([pair])) is not None:
                    failed.append((pair[0], error))
                    if len(self._failed) == ENOUGH and not await self._tool_works():
                        break  # the rest would fail as well
        if failed:
            await self._blame(failed, before)

    async def _fault_of(self, pairs: Sequence[Pair[T]]) -> Exception | None:
        """Work on items; return what went wrong with them, or None.

        Raises:
            RedisError, OSError: the store's fault.
            LeaseLost: the worker is no longer the one writer.
        """
        items, values = [item for item, _ in pairs], [value for _, value in pairs]
        try:
            await self._work(items, values)
        except LeaseLost:
            raise
        except Exception as error:
            name, size = self._queue.name, len(items)
            if is_store_fault(error):
                await self._recover()
                raise
            log.warning("batch_failed", stage=name, size=size, error=repr(error), **whose(items))
            if size == 1:
                self._failed.add(items[0].id)
            await self._recover()
            return error
        await self._went_well(items)
        return None

    async def _went_well(self, items: Sequence[StreamMessage]) -> None:
        self._successes += 1
        self._failed.clear()
        for item in items:
            self._finished(item)
        if self._rest:
            self._rest = 0.0
            log.info("stage_works_again", stage=self._queue.name)
            await self._tool.resting("")

    async def _tool_works(self) -> bool | None:
        works = await self._tool.works()
        if works:
            await self._went_well([])
        return works

    async def _blame(self, failed: Sequence[tuple[StreamMessage, Exception]], before: int) -> None:
        """Decide whose fault it was that items failed on their own.

        `before` says how many successes there were before they were tried. Without a success
        since, of another item or of the tool, nothing is held against an item.
        """
        self._try_again_later()
        if self._successes == before:
            works = await self._tool_works()
            if works is False or (works is None and len(self._failed) >= ENOUGH):
                await self._take_rest(failed[-1][1])
        for item, error in failed:
            last = self._suspects.get(item.id, _Suspect(0, before))
            tries = last.tries + (self._successes > last.seen)
            self._suspects[item.id] = _Suspect(tries, self._successes)
            if tries >= MAX_TRIES:
                await self._dead_letter(item, DeadLetterReason.POISON, repr(error))

    async def _take_rest(self, error: Exception) -> None:
        first, self._rest = not self._rest, min(2 * self._rest or FIRST_REST, LONGEST_REST)
        said = redact(str(error) or type(error).__name__)
        name, reason = self._queue.name, self._tool.reason.value
        say = log.error if first else log.warning
        say("stage_rests", stage=name, reason=reason, seconds=self._rest, error=said)
        await self._tool.resting(said)
        left = self._rest
        while left > 0 and not self._runtime.stopping.is_set():
            self._progress.mark()
            await self._runtime.wait_or_stop(min(left, _MARK_EVERY))
            left -= _MARK_EVERY
        self._again_at = 0.0

    async def _recover(self) -> None:
        if self._after_failure:
            await self._after_failure()

    async def _admit(self, item: StreamMessage) -> Pair[T] | None:
        if item.deliveries > MAX_DELIVERIES:
            detail = f"handed out {item.deliveries} times without success"
            await self._dead_letter(item, DeadLetterReason.POISON, detail)
            return None
        try:
            return item, self._decode(item.fields)
        except ValueError as error:
            await self._dead_letter(item, DeadLetterReason.MALFORMED, str(error))
            return None

    async def _dead_letter(self, item: StreamMessage, reason: DeadLetterReason, why: str) -> None:
        await self._queue.dead_letter(item, reason, why)
        self._finished(item)

    def _finished(self, item: StreamMessage) -> None:
        self._in_hand.pop(item.id, None)
        self._suspects.pop(item.id, None)
        self._failed.discard(item.id)
