"""The watchdog: looks at everything every few seconds and tells the ops route what is wrong.

One process does it at a time (a lease). It measures here; what it makes of the measurements is
decided in `monitor.health`, without I/O. The same look feeds the gauges of queues and feeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from monitor.alerting.routing import TERMINAL
from monitor.alerting.subscriptions import recipients
from monitor.analysis.archive import AnalysisStore
from monitor.delivery.outbox import OutboxStore
from monitor.health import rules
from monitor.health.canary_channel import CHANNEL as CANARY
from monitor.health.canary_store import CanaryStore
from monitor.health.config_store import ConfigStore
from monitor.health.heartbeat_store import HeartbeatStore
from monitor.health.hourly_profile import HourlyProfile, observe
from monitor.health.notices import Notice, plan
from monitor.health.rules import HealthFinding, Kind, feed_health
from monitor.health.watch_store import WatchStore
from monitor.model import Notification
from monitor.observability import metrics
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from monitor.polling.feed_store import FeedStore
from monitor.queue.hand_overs import QueueLook, Streams
from monitor.stages import PIPELINE, STREAMS
from monitor.store.lease import Lease
from workers.runtime import Runtime
from workers.subscribers import Subscribers

log = get_logger(__name__)

EVERY = 15.0
FEEDS_EVERY = 300.0
_CHUNK = 500
_HEALTHS = ("ok", "failing", "ended", "new")


class Watchdog:
    """Watches the service until the runtime stops."""

    name = "watchdog"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        store, keys = runtime.store, runtime.keys
        self.lease = Lease.named(store, keys, self.name, EVERY * 3)
        self._memory = WatchStore(store, keys)
        self._subscribers = Subscribers(runtime)
        self._heartbeats = HeartbeatStore(store, keys)
        self._streams = Streams(store, keys)
        self._feed_store = FeedStore(store, keys)
        self._outbox = OutboxStore(store, keys)
        self._archive = AnalysisStore.of(store, runtime.config)
        self._feeds_at = 0.0
        self._feed_findings: list[HealthFinding] = []
        self._lapses = 0.0  # when our lease does, unless renewed

    async def run(self) -> None:
        """Look, speak if need be, rest."""
        every, progress = 0.0, self._runtime.progress(self.name)
        while not await self._runtime.wait_or_stop(every):
            every = EVERY
            progress.mark()
            await self.turn()
        with suppress(RedisError, OSError):
            await self.lease.drop()

    async def turn(self) -> None:
        """Look, if this process is the one that watches; if it no longer is, show no figures."""
        clock = self._runtime.clock
        try:
            if await self.lease.take():
                self._lapses = clock.now() + self.lease.seconds
                await self.look()
            else:
                self._stand_by()
        except (RedisError, OSError) as error:
            log.warning("store_unreachable", worker=self.name, error=str(error))
            if clock.now() >= self._lapses:
                self._stand_by()  # someone else may watch by now

    def _stand_by(self) -> None:
        """Leave the gauges to whoever watches now: an old figure is worse than none."""
        if self._lapses:
            self._lapses = self._feeds_at = 0.0
            _clear_gauges()

    async def look(self) -> list[Notice]:
        """Measure, judge, and send the notices that are due; return them."""
        now = self._runtime.clock.now()
        found = [
            *await self._stages(now),
            *await self._feeds(now),
            *await self.odd_topics(now),
            *await self._channels(now),
            *await self._config(),
            *await self._canary(),
            *await self._store_itself(now),
        ]
        dead_before, dead_now = await self._memory.dead_letters()
        metrics.DEAD_LETTERS_WAITING.set(dead_now)
        letters = rules.dead_letters(dead_now, dead_before)
        found += [letters] if letters else []
        known = await self._memory.troubles()
        after, notices = plan(known, found, now, self._runtime.config.ops.notice_every)
        told_of_dead = any(notice.kind is Kind.DEAD_LETTERS for notice in notices)
        if told_of_dead or dead_now < dead_before:
            await self._memory.told_of_dead_letters(dead_now)
        await self._speak(notices, now)
        await self._memory.keep_troubles(after, known)
        return notices

    # --- measuring

    async def _stages(self, now: float) -> list[HealthFinding]:
        live: Counter[str] = Counter()
        ready = 0
        for beat in await self._heartbeats.beats():
            live[beat.stage] += beat.up
            ready += beat.model_ready
        for stage in PIPELINE:
            metrics.WORKERS_SEEN.labels(worker=stage).set(live[stage])
        queues = [await self._queue(name) for name in STREAMS]
        why = await self._heartbeats.fault_of("embedder")
        model = rules.missing_model(live["embedder"], ready, queues[0].depth, why)
        # One that cannot start for want of its model is not missing: starting it would not help.
        expected = [stage for stage in PIPELINE if not (model and stage == "embedder")]
        found = rules.stuck_stages(queues, live, expected)
        due = await self._feed_store.due(now)
        metrics.FEEDS_DUE.set(due.overdue)
        late = rules.feeds_overdue(due.first, due.overdue, now) if live["poller"] else None
        configured = sum(feed.enabled for feed in self._runtime.config.feeds)
        idle = rules.feeds_unscheduled(configured, due.scheduled)
        out = rules.network_out(await self._feed_store.outage(), now)
        return [*found, *(item for item in (model, late, idle, out) if item)]

    async def _queue(self, name: str) -> QueueLook:
        look = await self._streams.look(name)
        metrics.QUEUE_DEPTH.labels(queue=name).set(look.depth)
        metrics.QUEUE_LAG.labels(queue=name).set(look.lag)
        metrics.QUEUE_PENDING.labels(queue=name).set(look.pending)
        metrics.QUEUE_OLDEST.labels(queue=name).set(look.oldest)
        return look

    async def _feeds(self, now: float) -> list[HealthFinding]:
        """Look through all feeds, but not at every turn: there may be a hundred thousand."""
        if now - self._feeds_at < FEEDS_EVERY:
            return self._feed_findings
        ids = [source.id for source in self._runtime.config.feeds if source.enabled]
        health: Counter[str] = Counter(dict.fromkeys(_HEALTHS, 0))
        found: list[HealthFinding] = []
        for start in range(0, len(ids), _CHUNK):
            for state in await self._feed_store.load_states(ids[start : start + _CHUNK]):
                health[feed_health(state)] += 1
                trouble = rules.silent_feed(state, now) or rules.failing_feed(state)
                found += [trouble] if trouble else []
            await self.lease.take()
        health["silent"] = sum(finding.kind is Kind.FEED_SILENT for finding in found)
        health["ok"] -= health["silent"]
        for name, number in health.items():
            metrics.FEEDS.labels(health=name).set(number)
        self._feeds_at, self._feed_findings = now, found
        return found

    async def odd_topics(self, now: float) -> list[HealthFinding]:
        """Follow how often each topic fires, by its running total in `count`."""
        topics = [topic.id for topic in self._runtime.config.topics if topic.enabled]
        if not topics:
            return []
        counts = await self._archive.counts()
        known = await self._memory.topics()
        found: list[HealthFinding] = []
        rows: dict[str, dict[str, Any]] = {}
        for topic in topics:
            count, row = counts.get(f"topic:{topic}", 0), known.get(topic, {})
            fresh = max(0, count - int(row.get("total", count)))
            last = now if fresh else float(row.get("last", 0.0))
            profile = observe(HourlyProfile.from_json(row.get("profile")), fresh, now)
            rows[topic] = {"total": count, "last": last, "profile": profile.to_json()}
            odd = rules.odd_topic(topic, profile, last, now)
            found += [odd] if odd else []
        await self._memory.keep_topics(rows, set(known) - set(rows))
        return found

    async def _channels(self, now: float) -> list[HealthFinding]:
        outbox = self._outbox
        await self._subscribers.follow()
        names = list(recipients(self._runtime.config))
        shown = list(dict.fromkeys([TERMINAL, *names, CANARY]))  # as the notifier shows them
        first = await outbox.first_due(shown)
        waiting = {name: await outbox.waiting(name) for name in shown}
        ages = {name: max(0.0, now - first.get(name, now)) for name in shown}
        metrics.show(metrics.OUTBOX_WAITING, waiting)
        metrics.show(metrics.OUTBOX_OLDEST, ages)
        found: list[HealthFinding] = []
        for name in names:
            late = now - ages[name] if name in first else 0.0
            state = await outbox.state(name)
            bad = rules.failing_channel(name, state, waiting[name], late, now)
            found += [bad] if bad else []
        return found

    async def _config(self) -> list[HealthFinding]:
        errors = await ConfigStore(self._runtime.store, self._runtime.keys).errors()
        refused = rules.refused_config(errors)
        return [refused] if refused else []

    async def _canary(self) -> list[HealthFinding]:
        row = await CanaryStore(self._runtime.store, self._runtime.keys).last()
        if not int(row.get("lost", 0)):
            return []
        return [
            HealthFinding(
                Kind.CANARY_LOST,
                "canary",
                f"a test story did not come through within {float(row['patience']):.0f} s; it "
                f"waits for the {row.get('where', 'service')}, and so does the news",
            )
        ]

    async def _store_itself(self, now: float) -> list[HealthFinding]:
        info = await self._memory.store_info()
        if self._runtime.config.store.allow_unsafe:
            info.pop("aof_enabled", None)
            info.pop("maxmemory_policy", None)
        lost = rules.lost_store(await self._memory.loss(), now)
        return [*rules.troubled_store(info), *([lost] if lost else [])]

    # --- speaking

    async def _speak(self, notices: Iterable[Notice], now: float) -> None:
        channels = self._runtime.config.ops.notices_to
        outgoing = []
        for notice in notices:
            text = redact(notice.text)
            say = log.info if notice.recovered else log.warning
            say("notice", kind=notice.kind.value, text=text, recovered=notice.recovered)
            metrics.NOTICES.labels(kind=notice.kind.value).inc()
            end = "-end" if notice.recovered else ""
            outgoing += [
                Notification(
                    id=f"notice-{notice.kind.value}{end}-{int(now)}@{channel}",
                    channel=channel,
                    kind="notice",
                    notice=text,
                    created_at=now,
                    due=now,
                )
                for channel in channels
            ]
        await self._outbox.put(outgoing)


def _clear_gauges() -> None:
    """Show nothing of what one process measures for all; those without labels go back to 0."""
    metrics.DEAD_LETTERS_WAITING.set(0)
    metrics.FEEDS_DUE.set(0)
    for gauge in (
        metrics.QUEUE_DEPTH,
        metrics.QUEUE_LAG,
        metrics.QUEUE_PENDING,
        metrics.QUEUE_OLDEST,
        metrics.OUTBOX_WAITING,
        metrics.OUTBOX_OLDEST,
        metrics.FEEDS,
        metrics.WORKERS_SEEN,
    ):
        gauge.clear()
