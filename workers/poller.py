"""The poller: takes feeds as they fall due, a few at a time, and hands over what is new.

Due times live in the store and are ticked by APScheduler; any number of pollers share them. The
store gives each feed, and each host, to one poller at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from redis.exceptions import RedisError

from monitor.config.schema import Config, FeedSource
from monitor.model import FeedState
from monitor.net.fetcher import Fetcher
from monitor.observability import metrics
from monitor.observability.logs import get_logger, trace
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.feed_store import FeedStore
from monitor.polling.full_text import FullTextFetcher
from monitor.polling.outage import OutageWatch
from monitor.polling.polite_fetcher import PoliteFetcher, host_slot_of
from monitor.polling.poll import Intake, longest
from monitor.polling.poll_decision import PollDecision
from monitor.polling.schedule import longest_wait
from monitor.polling.websub import PATH as PUSH_PATH
from monitor.polling.websub import Push
from monitor.polling.websub_store import WebSubStore
from monitor.reasons import FetchReason
from monitor.tasks import beside, end
from workers.outside_lists import OutsideListReader
from workers.runtime import Runtime

log = get_logger(__name__)

TICK = 0.05
LEASE_MARGIN = 15.0  # for what a poll waits for: a parser, the store
RECONCILE_EVERY = 5.0  # seconds between looks at whether every feed has a due time
_WHOLE_EVERY = 12  # so many looks later, every due time is gone through
_SAY_EVERY = 60.0  # seconds between notes in the store that our network is out
_LONGEST_REST = 1.0  # seconds; the scheduler's tick wakes the poller long before
FAREWELL = 6.0  # seconds that polls in flight have to finish when stopping
_QUIET = frozenset({FetchReason.OK, FetchReason.NOT_MODIFIED, FetchReason.UNCHANGED})


class Poller:
    """Polls whatever falls due until the runtime stops."""

    name = "poller"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._store = FeedStore(runtime.store, runtime.keys)
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None  # owns every task while the poller runs
        self._polls: set[asyncio.Task[None]] = set()
        self._paused = False
        self._outage = OutageWatch()
        self._out_since = self._said_at = 0.0  # 0: our network is well
        self._adopt(runtime.config)
        runtime.on_reload(self._reload)

    def _adopt(self, config: Config) -> None:
        settings = config.polling
        self._settings = settings
        self._sources = {source.id: source for source in config.feeds if source.enabled}
        self._longest = longest_wait(self._sources.values(), settings)
        self._fetcher = Fetcher(settings, self._runtime.clock)
        guard = self._fetcher.guard
        self._places = {
            source.id: host_slot_of(source.url, guard) for source in self._sources.values()
        }
        self._parsers = ParserPool(settings)
        self._readers = ParserPool(settings, job="article", size=1)  # starts when first needed
        fetcher = PoliteFetcher(self._fetcher, self._store, self._runtime.clock, settings)
        self._intake = Intake(
            self._fetcher,
            self._parsers,
            self._store,
            self._runtime.clock,
            settings,
            articles=FullTextFetcher(fetcher, self._readers, self._runtime.clock),
            outage=self._outage,
            keep_seen=config.store.keep_seen,
        )
        self._push = Push(
            fetcher,
            WebSubStore(self._runtime.store, self._runtime.keys),
            self._store,
            self._runtime.clock,
            settings.public_url,
            settings.min_interval,
        )
        self._runtime.mounts.mount(PUSH_PATH, self._push.handle_websub)

    async def run(self) -> None:
        """Poll until stopping; polls in flight are finished, then the parsers are let go."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._when_store_answers(self._sync)
                self._group.create_task(self._keep_in_force(), name="feeds in force")
                progress = self._runtime.progress(self.name)
                async with beside(OutsideListReader(self._runtime).run()):
                    with ticking(self._wake):
                        while not self._runtime.stopping.is_set():
                            progress.mark()
                            await self._when_store_answers(self._round)
                await self._finish_polls()
        finally:
            self._group = None
            await _close(self._fetcher, (self._parsers, self._readers))

    async def _round(self) -> None:
        """Start as many due polls as there is room for; wait when there are none."""
        room = self._settings.concurrency - len(self._polls)
        if room > 0 and await self._start(room) >= room:
            return
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout=_LONGEST_REST)

    async def _start(self, room: int) -> int:
        now = self._runtime.clock.now()
        settings = self._settings
        claim = await self._store.claim_due(
            now,
            room,
            LEASE_MARGIN + longest(settings),
            spacing=settings.host_spacing,
            max_backlog=settings.max_backlog,
        )
        if claim.backlog:
            if not self._paused:
                log.warning("polling_paused", waiting=claim.backlog)
            self._paused = True
            return 0
        if self._paused:
            log.info("polling_resumed")
            self._paused = False
        ids = [feed_id for feed_id, _ in claim.feeds]
        states = await self._store.load_states(ids) if ids else []
        for (feed_id, due), state in zip(claim.feeds, states, strict=True):
            source = self._sources.get(feed_id)
            if source is None:
                continue  # taken out of the configuration; the next sync drops it
            metrics.POLL_LATENESS.observe(max(0.0, now - due))
            assert self._group is not None
            task = self._group.create_task(self._poll(source, state), name=f"poll {feed_id}")
            self._polls.add(task)
            task.add_done_callback(self._done)
        return len(ids)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._polls.discard(task)
        # Claims go in batches: at the next tick, or as soon as there is room for several.
        if self._settings.concurrency - len(self._polls) >= self._settings.concurrency // 8:
            self._wake.set()

    async def _poll(self, source: FeedSource, state: FeedState) -> None:
        try:
            decision = await self._intake.poll(source, state)
        except (RedisError, OSError) as error:
            # Nothing was committed: the feed falls due again when its lease runs out.
            log.warning("store_unreachable", worker=self.name, feed=source.id, error=str(error))
            return
        except Exception:
            log.exception("poll_broke", feed=source.id, reason=FetchReason.INTERNAL)
            metrics.FETCHES.labels(reason=FetchReason.INTERNAL).inc()
            return
        if decision is None:
            return
        report(source, decision)
        await self._when_store_answers(self._say_outage)
        if decision.state.hub:
            await self._when_store_answers(lambda: self._push.tend(source, decision.state))

    async def _say_outage(self) -> None:
        """Log when our own network goes out and comes back, and leave word for the watchdog."""
        now, out = self._runtime.clock.now(), self._outage.ours
        if out and not self._out_since:
            log.error("network_out", note="most sites fail at once; no feed is put off for it")
            self._out_since = now
        if out and now - self._said_at >= _SAY_EVERY:
            await self._store.note_outage(self._out_since)
            self._said_at = now
        elif self._out_since and not out:
            log.info("network_back", seconds=round(now - self._out_since))
            self._out_since = self._said_at = 0.0
            await self._store.note_outage(None)

    async def _sync(self) -> None:
        """Put the feeds of the configuration among the due; take out what is no longer in it."""
        synced = await self._store.sync(
            list(self._sources.values()), self._places, self._runtime.clock.now(),
            longest=self._longest,
        )  # fmt: skip
        log.info(
            "feeds_in_force",
            feeds=len(self._sources),
            added=synced.added,
            removed=synced.removed,
            put_right=synced.put_right,
        )

    async def _keep_in_force(self) -> None:
        """Reconcile the due set with the configuration, for as long as the poller runs.

        A store that comes back empty, or with half of its keys, is filled again; a due time that a
        clock running ahead has written is put right.
        """
        rounds = 0
        while not await self._runtime.wait_or_stop(RECONCILE_EVERY):
            rounds += 1
            if await self._incomplete() or rounds % _WHOLE_EVERY == 0:
                await self._when_store_answers(self._reconcile)

    async def _incomplete(self) -> bool:
        try:
            return await self._store.scheduled() < len(self._sources)
        except (RedisError, OSError):
            return False  # the next round asks again

    async def _reconcile(self) -> None:
        synced = await self._store.sync(
            list(self._sources.values()), self._places, self._runtime.clock.now(),
            longest=self._longest, remove=False,
        )  # fmt: skip
        if synced.added:
            log.error(
                "schedule_lost",
                feeds=synced.added,
                note="the store had lost when they are due; they are polled again from now on",
            )
        if synced.put_right:
            log.warning(
                "due_times_put_right",
                feeds=synced.put_right,
                note="a clock that ran ahead had put them off",
            )

    async def _reload(self, config: Config) -> None:
        fetcher, parsers, polls = self._fetcher, (self._parsers, self._readers), set(self._polls)
        self._adopt(config)
        await self._when_store_answers(self._sync)
        if self._group is None:
            await _close(fetcher, parsers)
        else:
            self._group.create_task(_close_after(polls, fetcher, parsers))
        self._wake.set()

    async def _when_store_answers(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except (RedisError, OSError) as error:
            log.warning("store_unreachable", worker=self.name, error=str(error))
            await self._runtime.wait_or_stop(1.0)

    async def _finish_polls(self) -> None:
        """Give the polls in flight a moment to end; cancel those that do not."""
        if self._polls:
            _, late = await asyncio.wait(self._polls, timeout=FAREWELL)
            await end(late)  # their leases run out, and the feeds are polled again


@contextmanager
def ticking(wake: asyncio.Event) -> Iterator[None]:
    """Set `wake` every `TICK` seconds while the block runs."""

    async def tick() -> None:
        wake.set()

    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.add_job(tick, "interval", seconds=TICK, max_instances=1, coalesce=True)
    scheduler.start()
    try:
        yield
    finally:
        # It stops a moment later and cancels a tick that began meanwhile, with a traceback in the
        # log; so there is nothing left to begin.
        scheduler.remove_all_jobs()
        scheduler.shutdown(wait=False)


async def _close(fetcher: Fetcher, pools: tuple[ParserPool, ...]) -> None:
    for pool in pools:
        await pool.aclose()
    await fetcher.aclose()


async def _close_after(
    polls: set[asyncio.Task[None]], fetcher: Fetcher, pools: tuple[ParserPool, ...]
) -> None:
    """Close what the polls begun before a reload still use, when the last of them has ended."""
    if polls:
        await asyncio.wait(polls)
    await _close(fetcher, pools)


def report(source: FeedSource, decision: PollDecision) -> None:
    """Count and log one poll."""
    metrics.FETCHES.labels(reason=decision.reason).inc()
    metrics.FETCH_SECONDS.observe(decision.state.latency)
    metrics.FETCH_BYTES.inc(decision.wire_bytes)
    for reason, count in decision.counts.items():
        metrics.ENTRIES.labels(reason=reason).inc(count)
    metrics.STORIES.inc(len(decision.stories))
    for story in decision.stories:
        if not (story.baseline or story.stale):
            metrics.SEEN_AFTER.observe(max(0.0, story.seen_at - story.published))
    with trace(decision.trace):
        _say(source, decision)


def _say(source: FeedSource, decision: PollDecision) -> None:
    for notice in decision.notices:
        log.warning("feed_notice", feed=source.id, notice=notice)
    entries = {str(reason): count for reason, count in decision.counts.items()}
    if decision.reason in _QUIET:
        log.debug("polled", feed=source.id, reason=decision.reason, **entries)
        if decision.stories:
            log.info("stories_found", feed=source.id, stories=len(decision.stories), **entries)
    else:
        log.warning(
            "poll_failed",
            feed=source.id,
            reason=decision.reason,
            failures=decision.state.failures,
            detail=decision.message,
        )
