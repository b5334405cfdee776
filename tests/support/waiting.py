"""How tests wait: for a condition, never for a time.

The only place where tests sleep, but for the faults of stand-ins and of the chaos runs, which last
as long as they say.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT = 180.0  # seconds; a hang, not a slow machine


async def until(
    condition: Callable[[], Awaitable[T] | T],
    *,
    alive: Callable[[], object] | None = None,
    limit: float = LIMIT,
) -> T:
    """Wait until `condition` gives something true, and return that.

    `alive` is called each time: it raises an error if what is waited for can no longer come.
    """
    async with asyncio.timeout(limit):
        while True:
            found = condition()
            result = await found if isinstance(found, Awaitable) else found
            if result:
                return result
            if alive is not None:
                alive()
            await asyncio.sleep(0.02)


async def takes(seconds: float) -> None:
    """Let a stand-in take its time over an answer."""
    await asyncio.sleep(seconds)


async def any_moment(dice: random.Random, least: float, most: float) -> None:
    """Let between `least` and `most` seconds pass, so that what follows hits by chance."""
    await asyncio.sleep(dice.uniform(least, most))


def hold_the_loop(seconds: float) -> None:
    """Let nothing else happen for so long, as heavy work in the event loop would."""
    time.sleep(seconds)
