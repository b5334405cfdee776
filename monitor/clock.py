"""Time, as a value that is handed in: nothing else in the project asks the machine for it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

CLOCK_ERROR = 5.0  # seconds; clocks that differ by less are taken for right


class Clock(Protocol):
    """Where time comes from. All instants are Unix seconds (UTC) as `float`."""

    def now(self) -> float:
        """Return the present instant, Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have gone by on this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Return the present instant, Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to, for replays and tests."""

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return the instant the clock was last moved to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        """Move the clock forward and let other tasks run."""
        self.advance(seconds)
        await asyncio.sleep(0)
