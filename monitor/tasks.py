"""Tasks that end when they should: each has an owner, and a loop that stands still is noticed.

A single `cancel()` is not enough around a store client: one that arrives at the moment the
client's own time limit fires is lost inside it, the task lives on and whoever awaits it waits for
ever. So a cancellation here is repeated until the task has ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")
CANCEL_EVERY = 0.5


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` again and again until all have ended; what they raised is dropped.

    If the caller is cancelled meanwhile, that takes effect once they have ended.
    """
    cancelled: asyncio.CancelledError | None = None
    while running := {task for task in tasks if not task.done()}:
        for task in running:
            task.cancel()
        try:
            await asyncio.wait(running, timeout=CANCEL_EVERY)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not report it as never retrieved
    if cancelled is not None:
        raise cancelled


@asynccontextmanager
async def beside(*sides: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `sides` while the block runs; all have ended when it is left.

    Raises:
        Exception: what the block raised, or a side: a side that fails ends the block.
    """
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(side) for side in sides]
            try:
                yield
            finally:
                await end(tasks)
    except BaseExceptionGroup as found:
        failure = found.exceptions[0]
    if failure is not None:
        raise failure


async def first_of(events: Collection[asyncio.Event], seconds: float | None) -> bool:
    """Wait until one of `events` is set, for at most `seconds`; return whether one is."""
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for task in tasks:
            task.cancel()


async def in_passing(work: Callable[[], T]) -> T:
    """Return what `work` gives, run in a thread that nobody waits for once the caller is cancelled.

    Nor does the end of the process wait for it, as it does for the threads of an executor. For
    work that leaves nothing half done, such as loading.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def finish(set_: Callable[[Any], None], value: object) -> None:
        if not result.done():
            set_(value)

    def run() -> None:
        try:
            set_, value = result.set_result, work()
        except BaseException as error:
            set_, value = result.set_exception, error  # type: ignore[assignment]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, set_, value)

    threading.Thread(target=run, name="in passing", daemon=True).start()
    return await result


class Progress:
    """How often a loop has come round. The loop marks it; others ask whether it still moves."""

    def __init__(self) -> None:
        self.marks = 0

    def mark(self) -> None:
        """Say that the loop has moved on. Safe from any thread."""
        self.marks += 1


class StallMeter:
    """How long a loop has stood still, as far as its observer was awake to see.

    Time is added up look by look, and no look counts for more than `longest`: after the machine
    slept, or the whole process was stopped, nobody has stood still.
    """

    def __init__(self, progress: Progress, longest: float) -> None:
        self._progress = progress
        self._longest = longest
        self._marks = progress.marks
        self.seconds = 0.0

    def look(self, elapsed: float) -> float:
        """Return for how many seconds the loop has not moved; `elapsed` is since the last look."""
        if self._progress.marks != self._marks:
            self._marks, self.seconds = self._progress.marks, 0.0
        else:
            self.seconds += min(elapsed, self._longest)
        return self.seconds
