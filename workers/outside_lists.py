"""Reads the outside lists of `missed`, beside the poller: it alone may reach the world."""

from __future__ import annotations

import asyncio

from redis.exceptions import RedisError

from monitor.analysis.missed_report import ListUnreadable, read_list
from monitor.analysis.missed_store import MissedStore, OutsideLists
from monitor.config.schema import MissedPlan
from monitor.editors.outside_list import Outside
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from workers.runtime import Runtime

EVERY = 30.0  # seconds between two looks at the clock
AGAIN = 300.0  # seconds before a list that could not be read is asked for again
GIVE_UP = 3600.0  # seconds after which the message says that a list could not be read

log = get_logger(__name__)


class OutsideListReader:
    """Puts the lists of a turn into the store as soon as the turn has come.

    Args:
        runtime: what the process stands on.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._store = MissedStore(runtime.store, runtime.keys)
        self._again = 0.0

    async def run(self) -> None:
        """Look for ever; a failure is logged, and the turn stays due."""
        while True:
            try:
                await self.look()
            except (RedisError, OSError) as error:
                log.warning("store_unreachable", worker="poller", error=redact(str(error)))
            except Exception as error:  # polling goes on, whatever becomes of the lists
                self._again = self._runtime.clock.now() + AGAIN
                log.warning("missed_lists_unreadable", error=redact(repr(error)))
            await asyncio.sleep(EVERY)

    async def look(self) -> bool:
        """Read the lists if a turn has come and they are not there; return whether they were read.

        One that cannot be read is asked for again, for an hour; then its fault is kept instead.
        """
        plan, now = self._runtime.config.missed, self._runtime.clock.now()
        turn = await self._store.due(plan, now)
        if not turn or now < self._again or await self._store.lists(turn):
            return False
        outside, faults = await self._read(plan)
        if faults and now - turn < GIVE_UP:
            self._again = now + AGAIN
            log.info("missed_lists_unreadable", error=redact("; ".join(faults)))
            return False
        inside = tuple(one for one in outside if turn - plan.back <= one.at <= turn)
        await self._store.keep_lists(OutsideLists(turn, inside, tuple(faults)))
        return True

    async def _read(self, plan: MissedPlan) -> tuple[list[Outside], list[str]]:
        """Return the happenings of every list, and why some could not be read."""
        outside: list[Outside] = []
        faults: list[str] = []
        for where in plan.lists:
            try:
                found, _ = await read_list(where, self._runtime.config)
                outside += found
            except ListUnreadable as error:
                faults.append(redact(f"Not compared: {error}"))
        return outside, faults
