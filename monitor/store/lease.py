"""A lease: one holder at a time, with every write checked against it in the store itself.

The token is checked inside the write's own script, so a holder that was paused past its lease
cannot write after another took over (Kleppmann, "How to do distributed locking", 2016: fencing).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from monitor.errors import LeaseLost
from monitor.observability.logs import get_logger
from monitor.store.client import run_script
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import Command, flatten
from monitor.tasks import Progress, StallMeter, beside

log = get_logger(__name__)

PATIENCE = 180.0  # seconds without progress after which a lease is no longer renewed


@asynccontextmanager
async def renewed(
    renew: Callable[[], Awaitable[object]],
    every: float,
    progress: Progress | None = None,
    patience: float = PATIENCE,
) -> AsyncIterator[Progress]:
    """Call `renew` every `every` seconds while the block runs and moves.

    The block marks the progress it is given. Once it has not for `patience` seconds, the lease is
    left to run out, so that work that hangs keeps nobody else from taking over.
    """
    progress, left = progress or Progress(), asyncio.Event()

    async def keep() -> None:
        meter = StallMeter(progress, every)
        while not left.is_set():  # ends by itself, too, if a cancellation was lost
            await asyncio.sleep(every)
            if meter.look(every) >= patience:
                log.error("lease_not_renewed", seconds=round(meter.seconds))
                return
            try:
                await renew()
            except (RedisError, OSError) as error:
                log.debug("store_unreachable", renewing=True, error=str(error))

    async with beside(keep()):
        try:
            yield progress
        finally:
            left.set()


class Lease:
    """The right to be the only writer of something.

    Args:
        client: the store.
        key: full name of the lease's key.
        seconds: how long it lasts without renewal.
    """

    def __init__(self, client: Redis, key: str, seconds: float = 10.0) -> None:
        self.client = client
        self.key = key
        self.seconds = seconds
        self.token = uuid.uuid4().hex

    @classmethod
    def named(cls, client: Redis, keys: Keys, name: str, seconds: float = 10.0) -> Lease:
        """Return the lease that processes of an installation share under `name`."""
        return cls(client, keys("lease", name), seconds)

    async def take(self) -> bool:
        """Take or renew the lease. Return whether it is held now."""
        return bool(
            await run_script(
                self.client, "lease_take", [self.key], [self.token, int(self.seconds * 1000)]
            )
        )

    @asynccontextmanager
    async def kept(self, progress: Progress | None = None) -> AsyncIterator[Progress]:
        """Renew the lease while the block runs and moves (`renewed`); if it is lost all the same,
        the next write says so."""
        async with renewed(self.take, self.seconds / 4, progress) as running:
            yield running

    async def drop(self) -> None:
        """Give the lease back, so that a standby need not wait for it to run out."""
        await run_script(self.client, "lease_drop", [self.key], [self.token])

    async def write(self, commands: list[Command]) -> None:
        """Run `commands` as one atomic step, if the lease is still held.

        Raises:
            LeaseLost: someone else holds it; nothing was written.
        """
        done = await run_script(self.client, "apply", [self.key], [self.token, *flatten(commands)])
        if not done:
            raise LeaseLost("another process has taken over; nothing was written")
