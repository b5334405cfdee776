"""A lease: one holder at a time, with every write checked against it in the store itself.

The token is checked inside the write's own script, so a holder that was paused past its lease
cannot write after another took over (Kleppmann, "How to do distributed locking", 2016: fencing).
"""

from __future__ import annotations

import uuid

from monitor.errors import LeaseLost
from monitor.store.client import Redis, run_script
from monitor.store.transaction import Command, flatten


class Lease:
    """The right to be the only writer of something.

    Args:
        client: the store.
        key: full name of the lease's key.
        seconds: how long it lasts without renewal.
    """

    def __init__(self, client: Redis, key: str, seconds: float = 10.0) -> None:
        self._client = client
        self.key = key
        self.seconds = seconds
        self.token = uuid.uuid4().hex

    async def take(self) -> bool:
        """Take or renew the lease. Return whether it is held now."""
        return bool(
            await run_script(
                self._client, "lease_take", [self.key], [self.token, int(self.seconds * 1000)]
            )
        )

    async def drop(self) -> None:
        """Give the lease back, so that a standby need not wait for it to run out."""
        await run_script(self._client, "lease_drop", [self.key], [self.token])

    async def write(self, commands: list[Command]) -> None:
        """Run `commands` as one atomic step, if the lease is still held.

        Raises:
            LeaseLost: someone else holds it; nothing was written.
        """
        done = await run_script(self._client, "apply", [self.key], [self.token, *flatten(commands)])
        if not done:
            raise LeaseLost("another process has taken over; nothing was written")
