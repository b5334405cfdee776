"""The daily message of what was missed: beside the embedder, which has the models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from redis.exceptions import RedisError

from monitor.analysis import missed_report
from monitor.analysis.archive import AnalysisStore
from monitor.analysis.missed_report import Encode
from monitor.analysis.missed_store import MissedStore, OutsideLists
from monitor.editors.missed import Checked, Judge
from monitor.errors import LeaseLost
from monitor.model import Notification
from monitor.observability import metrics
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from workers.runtime import Runtime

EVERY = 30.0  # seconds between two looks at the clock, and before what failed is tried again

log = get_logger(__name__)


class MissedMessage:
    """Compares and tells, as soon as the lists of a turn are there (`workers/outside_lists.py`).

    Args:
        runtime: what the process stands on.
        model: fingerprint of the encoder.
        encode: embeds stories.
        judge: says of pairs of texts whether they tell of one happening; None without a judge.
    """

    def __init__(self, runtime: Runtime, model: str, encode: Encode, judge: Judge | None) -> None:
        self._runtime = runtime
        self._model, self._encode, self._judge = model, encode, judge
        self._store = MissedStore(runtime.store, runtime.keys)

    async def run(self) -> None:
        """Look for ever; a failure is logged, and the turn stays due."""
        while True:
            try:
                await self.look()
            except (RedisError, OSError) as error:
                log.warning("store_unreachable", worker="embedder", error=redact(str(error)))
            except LeaseLost:
                log.warning("lease_lost", lease="missed")
            except Exception as error:  # news goes on, whatever becomes of this message
                log.warning("missed_not_compared", error=redact(repr(error)))
            await asyncio.sleep(EVERY)

    async def look(self) -> bool:
        """Tell the turn that is due, if there is one; return whether it was told."""
        if not await self._lists() or not await self._store.lease.take():
            return False
        try:
            async with self._store.lease.kept():
                lists = await self._lists()  # another may have told the turn meanwhile
                if lists is not None:
                    await self._tell(lists)
                return lists is not None
        finally:
            await self._store.lease.drop()

    async def _lists(self) -> OutsideLists | None:
        plan, now = self._runtime.config.missed, self._runtime.clock.now()
        turn = await self._store.due(plan, now)
        return await self._store.lists(turn) if turn else None

    async def _tell(self, lists: OutsideLists) -> None:
        plan, now = self._runtime.config.missed, self._runtime.clock.now()
        checked = await self._compare(lists, plan.back)
        text = missed_report.report(checked, lists.faults)
        await self._store.tell(_notifications(plan.to, text, lists.turn, now), lists.turn)
        for one in checked:
            metrics.MISSED.labels(outcome=one.reason.value).inc()
        log.info("missed_told", happenings=len(checked), channels=",".join(plan.to))

    async def _compare(self, lists: OutsideLists, back: float) -> list[Checked]:
        if not lists.outside:
            return []
        archive = AnalysisStore.of(self._runtime.store, self._runtime.config)
        seen = await missed_report.archived(archive, self._model, lists.turn - back, lists.turn)
        feeds = self._runtime.config.feeds
        return await asyncio.to_thread(
            missed_report.compare, lists.outside, seen, self._encode, self._judge, feeds
        )


def _notifications(
    channels: Sequence[str], text: str, turn: float, now: float
) -> list[Notification]:
    return [
        Notification(
            id=f"missed-{int(turn)}@{channel}",
            channel=channel,
            kind="notice",
            notice=text,
            created_at=turn,
            due=now,
        )
        for channel in channels
    ]
