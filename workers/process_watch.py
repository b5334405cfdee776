"""Ends a process in which a loop stands still, so that it is started afresh.

A loop that hangs keeps its process alive, healthy in the eyes of a supervisor, and idle. So each
loop marks its progress (`Runtime.progress`), and a thread of its own, which no hang of the event
loop can stop, looks at the marks. The service in one process starts itself again; a single stage
ends with `EXIT_CODE` and its supervisor starts it. Nothing is lost by either: what was in hand is
in the store, and is taken up again.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from monitor.observability.logs import get_logger
from monitor.tasks import Progress, StallMeter, beside
from workers.runtime import Runtime

log = get_logger(__name__)

EXIT_CODE = 70  # sysexits.h: EX_SOFTWARE
PATIENCE = 300.0  # the slowest honest batch takes a fraction of it
STOP_PATIENCE = 60.0
LOOK_EVERY = 1.0
_SHOWN = 60
_EVENT_LOOP, _STOP = "event loop", "stop"

End = Callable[[], None]


def exit_now() -> None:
    """End the process at once, for its supervisor to start it again."""
    os._exit(EXIT_CODE)


def start_again() -> None:
    """Replace the process by a fresh one with the same arguments."""
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 -- our own command line


class ProcessWatch:
    """Looks at the loops of a process from a thread of its own.

    Args:
        runtime: whose `loops` are watched, and which says when the process is to stop.
        end: ends or replaces the process.
        patience: seconds a loop may stand still.
        stop_patience: seconds the process may take to stop once it is asked to.
    """

    def __init__(
        self,
        runtime: Runtime,
        end: End = exit_now,
        patience: float = PATIENCE,
        stop_patience: float = STOP_PATIENCE,
    ) -> None:
        self._runtime = runtime
        self._end = end
        self._patience = {_STOP: stop_patience}
        self._default = patience
        self._meters: dict[str, tuple[Progress, StallMeter]] = {}
        self._done = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def watching(self, look_every: float = LOOK_EVERY) -> AsyncIterator[None]:
        """Watch while the block runs."""
        self._loop = asyncio.get_running_loop()
        progress = self._runtime.progress(_EVENT_LOOP)
        thread = threading.Thread(
            target=self._run, args=(look_every,), name="process-watch", daemon=True
        )
        thread.start()
        try:
            async with beside(_mark(progress, look_every)):
                yield
        finally:
            self._done.set()
            await asyncio.to_thread(thread.join)

    def _run(self, look_every: float) -> None:
        last = time.monotonic()
        while not self._done.wait(look_every):
            now = time.monotonic()
            self.look(now - last, 2 * look_every)
            last = now

    def look(self, elapsed: float, longest: float) -> None:
        """Look once, `elapsed` seconds after the last look; end the process if a loop stalls."""
        loops = dict(self._runtime.loops)
        if self._runtime.stopping.is_set():
            loops = {_STOP: self._runtime.progress(_STOP)}  # nobody marks it: it only has to end
        self._meters = {
            name: self._meters[name]
            if name in self._meters and self._meters[name][0] is progress
            else (progress, StallMeter(progress, longest))
            for name, progress in loops.items()
        }
        for name, (_, meter) in self._meters.items():
            if meter.look(elapsed) >= self._patience.get(name, self._default):
                log.critical(
                    "process_stalled", loop=name, seconds=round(meter.seconds), tasks=self._tasks()
                )
                # Asked to stop, the service must not come back by itself.
                stop = name == _STOP and self._end is start_again
                (exit_now if stop else self._end)()

    def _tasks(self) -> list[str]:
        """Return where each task stands, for whoever reads the log."""
        try:
            tasks = list(asyncio.all_tasks(self._loop)) if self._loop else []
        except RuntimeError:  # the set of tasks changed under us
            return []
        return [_place(task) for task in tasks[:_SHOWN]]


async def _mark(progress: Progress, every: float) -> None:
    while True:
        progress.mark()
        await asyncio.sleep(every)


def _place(task: asyncio.Task[object]) -> str:
    """Return the task's name and the innermost line it waits in."""
    awaited: Any = task.get_coro()
    line = ""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is None:
            break
        line = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"  # noqa: PTH119
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return f"{task.get_name()} at {line or 'its end'}"
