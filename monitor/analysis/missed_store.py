"""The daily comparison with outside lists: its turns, the lists on their way, and what was told.

The poller reads the lists, since it may reach the world; the embedder compares, since it has the
models. Each turn of the schedule is told once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from monitor.config.cron import latest_time
from monitor.config.schema import MissedPlan
from monitor.delivery.outbox import OutboxStore
from monitor.editors.outside_list import Outside
from monitor.model import Notification
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.lease import Lease

LATE = 6 * 3600.0  # a turn older than this is no longer told


@dataclass(frozen=True, slots=True)
class OutsideLists:
    """What the lists of a turn hold, and which could not be read, and why."""

    turn: float
    outside: tuple[Outside, ...]
    faults: tuple[str, ...] = ()


class MissedStore:
    """`missed`: the instant of the last turn that was told. `missed:lists`: the lists of a turn.

    One process at a time compares (`lease`); the message and the instant are written together
    under that lease, so each turn is told once, whoever is killed when.
    """

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client, self._told, self._lists = client, keys("missed"), keys("missed", "lists")
        self._outbox = OutboxStore(client, keys)
        self.lease = Lease.named(client, keys, "missed", 30.0)

    async def due(self, plan: MissedPlan, now: float) -> float:
        """Return the turn that is to be told, or 0. The first time asked, time starts to count."""
        if not plan.lists or not plan.to:
            return 0.0
        await self._client.set(self._told, now, nx=True)
        last = float(await self._client.get(self._told) or now)
        return latest_time(plan.cron, plan.timezone, max(last, now - LATE), now)

    async def lists(self, turn: float) -> OutsideLists | None:
        """Return the lists of a turn; None while they are not there."""
        text = await self._client.get(self._lists)
        data = json.loads(text) if text else {}
        if data.get("turn") != turn:
            return None
        outside = tuple(Outside(**row) for row in data["outside"])
        return OutsideLists(turn, outside, tuple(data["faults"]))

    async def keep_lists(self, found: OutsideLists) -> None:
        """Keep the lists of a turn for as long as it may be told."""
        text = json.dumps(asdict(found), ensure_ascii=False)
        await self._client.set(self._lists, text, ex=int(LATE))

    async def tell(self, notifications: Sequence[Notification], turn: float) -> None:
        """Put the messages of a turn into the outbox, and remember the turn.

        Raises:
            LeaseLost: another process has taken over; nothing was written.
        """
        done: list[list[object]] = [["SET", self._told, turn], ["DEL", self._lists]]
        await self.lease.write([*self._outbox.put_commands(notifications), *done])
