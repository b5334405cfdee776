"""The watchdog: looks at everything every few seconds and tells the ops route what is wrong.

One process does it at a time (a lease). It measures here; what it makes of the measurements is
decided in `monitor.health`, without I/O. The same look feeds the gauges of queues and feeds.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError, ResponseError

from monitor.alerting.routing import TERMINAL
from monitor.delivery.outbox import OutboxStore
from monitor.health import rules as judge
from monitor.health.canary_channel import CHANNEL as CANARY
from monitor.health.hourly_profile import HourlyProfile, observe
from monitor.health.notices import Notice, Open, plan
from monitor.health.rules import HealthFinding, Kind, QueueLook, feed_health
from monitor.model import Notification
from monitor.observability import metrics
from monitor.observability.logs import get_logger, redact
from monitor.polling.feed_store import FeedStore
from monitor.queue.feed_lanes import FeedLanes
from monitor.store.client import Redis
from monitor.store.keys import Keys
from monitor.store.lease import Lease
from workers.canary import last_canary
from workers.heartbeat import beats, fault_of
from workers.runtime import Runtime

log = get_logger(__name__)

EVERY = 15.0
FEEDS_EVERY = 300.0
_CHUNK = 500
_HEALTHS = ("ok", "failing", "ended", "new")
_WARNING = re.compile(r":\d+: warning: ")


class Watchdog:
    """Watches the service until the runtime stops."""

    name = "watchdog"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lease = Lease(runtime.store, runtime.keys("lease", "watchdog"), seconds=EVERY * 3)
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
            await self._lease.drop()

    async def turn(self) -> None:
        """Look, if this process is the one that watches; if it no longer is, show no figures."""
        clock = self._runtime.clock
        try:
            if await self._lease.take():
                self._lapses = clock.now() + self._lease.seconds
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
            *await self._topics(now),
            *await self._channels(now),
            *await self._config(),
            *await self._canary(),
            *await self._store_itself(),
        ]
        dead_before, dead_now = await self._dead()
        letters = judge.dead_letters(dead_now, dead_before)
        found += [letters] if letters else []
        known = await known_troubles(self._runtime.store, self._runtime.keys)
        after, notices = plan(known, found, now, self._runtime.config.ops.notice_every)
        told_of_dead = any(notice.kind is Kind.DEAD_LETTERS for notice in notices)
        if told_of_dead or dead_now < dead_before:
            await self._remember("dead", str(dead_now))
        await self._speak(notices, now)
        await self._keep(after, known)
        return notices

    # --- measuring

    async def _stages(self, now: float) -> list[HealthFinding]:
        store, keys = self._runtime.store, self._runtime.keys
        live: Counter[str] = Counter()
        ready = 0
        for beat in await beats(store, keys):
            live[beat.stage] += beat.up
            ready += beat.model_ready
        for stage in metrics.STAGES:
            metrics.WORKERS_SEEN.labels(worker=stage).set(live[stage])
        server_now = float((await store.time())[0])
        queues = [await self._queue(name, server_now) for name in metrics.QUEUES]
        why = await fault_of(store, keys, "embedder")
        model = judge.missing_model(live["embedder"], ready, queues[0].depth, why)
        # One that cannot start for want of its model is not missing: starting it would not help.
        expected = [stage for stage in metrics.STAGES if not (model and stage == "embedder")]
        found = judge.stuck_stages(queues, live, expected)
        first = await store.zrange(keys("due"), 0, 0, withscores=True)
        due = await store.zcount(keys("due"), "-inf", now)
        metrics.FEEDS_DUE.set(due)
        overdue = judge.feeds_overdue(first[0][1], due, now) if first and live["poller"] else None
        feeds = FeedStore(store, keys)
        configured = sum(feed.enabled for feed in self._runtime.config.feeds)
        idle = judge.feeds_unscheduled(configured, await feeds.scheduled())
        out = judge.network_out(await feeds.outage(), now)
        return [*found, *(item for item in (model, overdue, idle, out) if item)]

    async def _queue(self, name: str, server_now: float) -> QueueLook:
        """Look at one stream; message ids carry the store's own time."""
        store, key = self._runtime.store, self._runtime.keys("stream", name)
        depth = int(await store.xlen(key))
        first = await store.xrange(key, count=1) if depth else []
        oldest = max(0.0, server_now - int(first[0][0].split(b"-")[0]) / 1000.0) if first else 0.0
        lag = pending = 0
        with suppress(ResponseError):  # no such stream yet
            for group in await store.xinfo_groups(key):
                pending += int(group["pending"])
                lag += max(0, depth - pending) if group["lag"] is None else int(group["lag"])
        if name == "stories":
            depth += await FeedLanes(store, self._runtime.keys).waiting()
        metrics.QUEUE_DEPTH.labels(queue=name).set(depth)
        metrics.QUEUE_LAG.labels(queue=name).set(lag)
        metrics.QUEUE_PENDING.labels(queue=name).set(pending)
        metrics.QUEUE_OLDEST.labels(queue=name).set(oldest)
        return QueueLook(name, depth, lag, pending, oldest)

    async def _feeds(self, now: float) -> list[HealthFinding]:
        """Look through all feeds, but not at every turn: there may be a hundred thousand."""
        if now - self._feeds_at < FEEDS_EVERY:
            return self._feed_findings
        feeds = FeedStore(self._runtime.store, self._runtime.keys)
        ids = [source.id for source in self._runtime.config.feeds if source.enabled]
        health: Counter[str] = Counter(dict.fromkeys(_HEALTHS, 0))
        found: list[HealthFinding] = []
        for start in range(0, len(ids), _CHUNK):
            for state in await feeds.load_states(ids[start : start + _CHUNK]):
                health[feed_health(state)] += 1
                trouble = judge.silent_feed(state, now) or judge.failing_feed(state)
                found += [trouble] if trouble else []
            await self._lease.take()
        health["silent"] = sum(finding.kind is Kind.FEED_SILENT for finding in found)
        health["ok"] -= health["silent"]
        for name, number in health.items():
            metrics.FEEDS.labels(health=name).set(number)
        self._feeds_at, self._feed_findings = now, found
        return found

    async def _topics(self, now: float) -> list[HealthFinding]:
        """Follow how often each topic fires, by its running total in `count`."""
        store, keys = self._runtime.store, self._runtime.keys
        topics = [topic.id for topic in self._runtime.config.topics if topic.enabled]
        if not topics:
            return []
        totals = await store.hmget(keys("count"), [f"topic:{topic}" for topic in topics])
        name = keys("watch", "topics")
        known = {k.decode(): json.loads(v) for k, v in (await store.hgetall(name)).items()}
        found: list[HealthFinding] = []
        rows: dict[str, str] = {}
        for topic, total in zip(topics, totals, strict=True):
            count, row = int(total or 0), known.get(topic, {})
            fresh = max(0, count - int(row.get("total", count)))
            last = now if fresh else float(row.get("last", 0.0))
            profile = observe(HourlyProfile.from_json(row.get("profile")), fresh, now)
            rows[topic] = json.dumps({"total": count, "last": last, "profile": profile.to_json()})
            odd = judge.odd_topic(topic, profile, last, now)
            found += [odd] if odd else []
        await store.hset(name, mapping=rows)
        if gone := set(known) - set(rows):
            await store.hdel(name, *gone)
        return found

    async def _channels(self, now: float) -> list[HealthFinding]:
        outbox = OutboxStore(self._runtime.store, self._runtime.keys)
        names = list(self._runtime.config.channels)
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
            bad = judge.failing_channel(name, state, waiting[name], late, now)
            found += [bad] if bad else []
        return found

    async def _config(self) -> list[HealthFinding]:
        text = await self._runtime.store.hget(self._runtime.keys("config"), "problems")
        refused = judge.refused_config(errors_among(text))
        return [refused] if refused else []

    async def _canary(self) -> list[HealthFinding]:
        row = await last_canary(self._runtime.store, self._runtime.keys)
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

    async def _store_itself(self) -> list[HealthFinding]:
        try:
            info: dict[str, Any] = {
                **await self._runtime.store.info("persistence"),
                **await self._runtime.store.info("memory"),
            }
        except ResponseError:
            return []  # a managed service that does not allow INFO
        if self._runtime.config.store.allow_unsafe:
            info.pop("aof_enabled", None)
            info.pop("maxmemory_policy", None)
        return judge.troubled_store(info)

    async def _dead(self) -> tuple[int, int]:
        """Return how many dead letters were last told of, and how many there are."""
        waiting = int(await self._runtime.store.hlen(self._runtime.keys("dead")))
        metrics.DEAD_LETTERS_WAITING.set(waiting)
        before = await self._runtime.store.hget(self._runtime.keys("watch", "state"), "dead")
        return int(before or 0), waiting

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
        await OutboxStore(self._runtime.store, self._runtime.keys).put(outgoing)

    async def _keep(self, after: Mapping[str, Open], before: Mapping[str, Open]) -> None:
        key = self._runtime.keys("watch", "open")
        pipe = self._runtime.store.pipeline(transaction=True)
        if changed := {k: v.to_json() for k, v in after.items() if before.get(k) != v}:
            pipe.hset(key, mapping=changed)
        if gone := set(before) - set(after):
            pipe.hdel(key, *gone)
        await pipe.execute()

    async def _remember(self, name: str, value: str) -> None:
        await self._runtime.store.hset(self._runtime.keys("watch", "state"), name, value)


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


async def known_troubles(store: Redis, keys: Keys) -> dict[str, Open]:
    """Return every trouble that the watchdog remembers, by kind and subject."""
    rows = await store.hgetall(keys("watch", "open"))
    return {key.decode(): Open(**json.loads(text)) for key, text in rows.items()}


def errors_among(problems: bytes | None) -> list[str]:
    """Return the errors (not the warnings) of a configuration as a process reported it."""
    try:
        data = json.loads(problems or b"[]")
    except ValueError:
        return []
    found = [str(item) for item in data] if isinstance(data, list) else []
    return [problem for problem in found if not _WARNING.search(problem)]
