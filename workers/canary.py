"""Sends the canary round every few minutes, and says when it does not arrive.

One process does it at a time (a lease). What happened is in `watch:canary`, for the watchdog
(which speaks up) and `wirewatch status`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from redis.exceptions import RedisError

from monitor.health.canary_store import CanaryStore
from monitor.observability import metrics
from monitor.observability.logs import get_logger, trace
from monitor.store.lease import Lease
from workers.runtime import Runtime

log = get_logger(__name__)

PATIENCE = 60.0  # a story takes seconds; a minute means that something is wrong
_LOOK_EVERY = 0.5
_STANDBY = 10.0


class Canary:
    """Walks a synthetic story through the service until the runtime stops."""

    name = "canary"

    def __init__(self, runtime: Runtime, *, patience: float = PATIENCE) -> None:
        self._runtime = runtime
        self._patience = patience
        self._store = CanaryStore(runtime.store, runtime.keys)
        self.lease = Lease.named(runtime.store, runtime.keys, self.name, _STANDBY * 3)
        self._lapses = 0.0  # when our lease does, unless renewed

    async def run(self) -> None:
        """Send one, wait for it, rest, send the next."""
        every, progress = 0.0, self._runtime.progress(self.name)
        while not await self._runtime.wait_or_stop(every):
            every = _STANDBY
            progress.mark()
            await self.turn()
        try:
            await self.lease.drop()
        except (RedisError, OSError):
            return  # it lapses by itself

    async def turn(self) -> None:
        """Send one if it is time and this process is to do it; show figures only if it is."""
        clock = self._runtime.clock
        try:
            if await self.lease.take():
                self._lapses = clock.now() + self.lease.seconds
                _show(await self._store.last())
                if await self.due():
                    await self.walk()
            else:
                _show({})
        except (RedisError, OSError) as error:
            log.warning("store_unreachable", worker=self.name, error=str(error))
            if clock.now() >= self._lapses:
                _show({})  # someone else may send them by now

    async def walk(self) -> bool:
        """Send one canary and wait for it; return whether it came through in time."""
        clock = self._runtime.clock
        canary_id = f"canary-{uuid.uuid4().hex[:16]}"
        sent = clock.now()
        with trace(canary_id):
            message_id = await self._store.send(canary_id, sent)
            while not await self._store.taken(canary_id):
                if clock.now() - sent >= self._patience:
                    await self._lost(canary_id, message_id, sent)
                    return False
                if await self._runtime.wait_or_stop(_LOOK_EVERY):
                    return True  # stopping is no fault
                await self.lease.take()
            await self._arrived(sent)
        return True

    async def due(self) -> bool:
        """Whether it is time: counted from the last one, whichever process sent it."""
        last = float((await self._store.last()).get("sent", 0.0))
        every = self._runtime.config.ops.canary_every
        return every > 0 and self._runtime.clock.now() - last >= every

    async def _arrived(self, sent: float) -> None:
        seconds = self._runtime.clock.now() - sent
        _show(await self._store.arrived(sent, seconds))
        log.debug("canary_arrived", seconds=round(seconds, 2))

    async def _lost(self, canary_id: str, message_id: bytes, sent: float) -> None:
        where = await self._store.whereabouts(canary_id, message_id)
        metrics.CANARY_OK.set(0)
        metrics.CANARY_LOST.inc()
        await self._store.lost(sent, where, self._patience)
        log.error("canary_lost", waits_for=where, seconds=self._patience)


def _show(row: Mapping[str, str]) -> None:
    """Set the gauges to what is known of the last canary; to 0, as in every standby, without it."""
    metrics.CANARY_OK.set(int(row.get("ok", 0)))
    metrics.CANARY_SECONDS.set(float(row.get("seconds", 0)))
