"""Triage: the one writer that decides what is told. A second one stands by and takes over.

"Have we told them already?" needs one order of events, so a lease makes triage single; every
write carries the lease's token and is refused once another process holds it. What a batch decides
(window, archive, told state, outbox) and the acknowledgement of its input are one atomic step.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from redis.exceptions import RedisError

from monitor.alerting.alert_decision import lapse
from monitor.alerting.alert_state import AlertState
from monitor.alerting.feedback_store import FeedbackStore
from monitor.alerting.routing import TERMINAL
from monitor.alerting.subscriptions import recipients
from monitor.analysis.answers_archive import AnswersArchive
from monitor.analysis.archive import AnalysisStore
from monitor.analysis.batch_commit import BatchCommit, count
from monitor.analysis.pair_store import PairStore
from monitor.analysis.parting_store import Parting, PartingStore
from monitor.analysis.spike_store import SpikeStore
from monitor.analysis.story_analysis import AlertKey, Analysis, ScoredBatch
from monitor.codec import unpack_embedded
from monitor.config.schema import Config
from monitor.delivery.outbox import OutboxStore
from monitor.errors import LeaseLost, WirewatchError
from monitor.events.groups import LIFE
from monitor.events.index import EventIndex, Prepared
from monitor.events.owners import Owners
from monitor.events.pair_judge import Answers
from monitor.health.canary_channel import CHANNEL as CANARY
from monitor.health.canary_channel import is_canary, onward
from monitor.health.retention import Retention
from monitor.history.history_store import HistoryStore
from monitor.matching import TopicMatcher
from monitor.model import EmbeddedStory
from monitor.observability import metrics
from monitor.observability.logs import get_logger
from monitor.queue.hand_overs import story_command
from monitor.queue.streams import StreamMessage, StreamQueue
from monitor.store.client import connect_blocking
from monitor.store.lease import Lease
from monitor.store.transaction import Command
from monitor.tasks import beside, first_of
from workers.new_model import carry_over
from workers.runtime import Runtime
from workers.stage import Stage
from workers.subscribers import Subscribers
from workers.topic_loader import TopicMatcherLoader

log = get_logger(__name__)

BATCH, LINGER = 256, 0.1
STANDBY_LOOKS = 1.0
PENDING_EVERY = 15.0
SWEEP_EVERY = 3600.0


class Triage:
    """Analyses embedded stories while it holds the lease; otherwise stands by.

    Args:
        runtime: what the process stands on.
    """

    name = "triage"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        keys, store = runtime.keys, runtime.store
        settings = runtime.config.store
        self._archive = AnalysisStore.of(store, runtime.config)
        self._outbox = OutboxStore(store, keys, settings.keep_receipts)
        history = HistoryStore(store, keys, settings.keep_history)
        self._batch_commit = BatchCommit(self._archive, self._outbox, history)
        self._spikes = SpikeStore(store, keys)
        self._subscribers = Subscribers(runtime)
        self._retention = Retention(store, keys, settings.keep_receipts)
        self._swept = -SWEEP_EVERY
        self._lease = Lease.named(store, keys, "triage")
        self._progress = runtime.progress("vectors")
        self._topics = TopicMatcherLoader(runtime, self._archive, self._progress)
        self._blocking = connect_blocking(runtime.store_url)
        self._queue = StreamQueue(
            store, self._blocking, keys, "vectors", f"triage-{runtime.worker_id}"
        )
        self._partings = PartingStore(store, keys)
        self._pairs = PairStore(store, self._blocking, keys)
        self._answered: TopicMatcher | None = None  # the matcher that has heard the answers
        self._answers = AnswersArchive(FeedbackStore(store, keys), self._archive)
        self._judge = ""  # fingerprint of the embedders' pair judge
        self._analysis: Analysis | None = None
        self._turn = asyncio.Lock()  # a batch and the housekeeping never interleave
        self._renew_topics = asyncio.Event()
        runtime.on_reload(self._reloaded)

    async def run(self) -> None:
        """Stand by for the lease, then analyse until stopping or until the lease is lost."""
        try:
            while not self._runtime.stopping.is_set():
                try:
                    if await self._lease.take():
                        await self.run_as_leader()
                except LeaseLost:
                    log.warning("lease_lost", lease="triage")
                except (RedisError, OSError) as error:
                    log.warning("store_unreachable", worker=self.name, error=str(error))
                self._progress.mark()
                await self._runtime.wait_or_stop(STANDBY_LOOKS)
        finally:
            await self._blocking.aclose()

    async def run_as_leader(self) -> None:
        """Rebuild the state from the store, then work as the one writer."""
        log.info("lease_taken", lease="triage")
        metrics.LEASE_HELD.labels(lease="triage").set(1)
        metrics.LEASE_CHANGES.labels(lease="triage").inc()
        try:
            async with self._lease.kept(self._progress), beside(self._housekeeping()):
                await self._rebuild()
                stage = Stage(
                    self._runtime,
                    self._queue,
                    unpack_embedded,
                    self.analyse_batch,
                    lambda: (BATCH, LINGER),
                    sole=True,  # the lease makes us the only reader: what is pending is ours
                    after_failure=self._rebuild,
                )
                await stage.run()
        finally:
            metrics.LEASE_HELD.labels(lease="triage").set(0)
            self._analysis = None
            with suppress(RedisError, OSError):
                await self._lease.drop()

    # --- state

    async def _rebuild(self) -> None:
        """Read the window back: at the start, after a failed batch, and when the model changed."""
        started = time.perf_counter()
        await self._subscribers.follow()
        model = await self._topics.model()
        if model is None:
            return
        self._judge = model.judge
        matcher = self._analysis.matcher if self._analysis else None
        if matcher is None or matcher.model != model.fingerprint:
            matcher = await self._topics.matcher(self._runtime.config.topics, model)
            if matcher is None:
                return
        events = self._runtime.config.events
        index = EventIndex(events, Owners.load(events.owners_file))
        records: list[bytes] = []
        async for bucket in self._archive.window(model.fingerprint):
            records += bucket
            self._progress.mark()
        if not records:
            records, commands = await carry_over(self._archive, self._topics, model, self._progress)
            for start in range(0, len(commands), 2_000):
                await self._lease.write(commands[start : start + 2_000])
        await asyncio.to_thread(index.restore, records)
        for parting in await self._partings.all():
            index.keep_apart(parting.story, parting.others)
        self._analysis = Analysis(matcher, index)
        seconds = round(time.perf_counter() - started, 2)
        log.info("window_restored", stories=len(records), seconds=seconds)

    async def _reloaded(self, config: Config) -> None:
        self._renew_topics.set()

    async def _housekeeping(self) -> None:
        """Renew topics after an edit and the calibration in time; let waiting alerts lapse."""
        while True:
            await first_of([self._renew_topics], PENDING_EVERY)
            try:
                if self._analysis and (self._renew_topics.is_set() or self._topics.due()):
                    self._renew_topics.clear()
                    await self._renew()
                await self._keep_apart()
                await self._expire_pending()
                await self._forget()
                await self._delete_orphans()
            except (RedisError, OSError, WirewatchError) as error:
                log.warning("housekeeping_put_off", worker=self.name, error=str(error))

    async def _forget(self) -> None:
        async with self._turn:
            if self._analysis is not None:
                window = self._runtime.config.events.window
                self._analysis.index.forget(self._runtime.clock.now() - window)

    async def _delete_orphans(self) -> None:
        """Delete orphaned keys, once in a while."""
        now = self._runtime.clock.now()
        if now - self._swept >= SWEEP_EVERY:
            self._swept = now
            channels = {TERMINAL, CANARY, *recipients(self._runtime.config)}
            await self._retention.sweep(now, channels)

    async def _renew(self) -> None:
        model = await self._topics.model()
        if model is None:
            return
        matcher = await self._topics.matcher(self._runtime.config.topics, model)
        if matcher is not None:
            async with self._turn:
                if self._analysis is None or self._analysis.matcher.model != matcher.model:
                    await self._rebuild()
                else:
                    self._analysis.use(matcher)
            log.info("topics_ready", topics=len(matcher.topics))

    # --- the work itself

    async def analyse_batch(
        self, items: Sequence[StreamMessage], batch: Sequence[EmbeddedStory]
    ) -> None:
        """Analyse a batch and commit it, in one step with its acknowledgement."""
        started = time.perf_counter()
        async with self._turn:
            assert self._analysis is not None
            await self._subscribers.follow()
            await self._hear_answers()
            canaries = [item for item in batch if is_canary(item.story)]
            fresh = await self._drop_known([i for i in batch if not is_canary(i.story)])
            fresh, foreign = await self._split_by_model(fresh)
            prepared, answers = await self._ask_judge(fresh)
            scored = await asyncio.to_thread(
                self._analysis.score_and_assign, fresh, prepared, answers
            )
            told = await self._alert_states(scored.events)
            now = self._runtime.clock.now()
            decided = self._analysis.decide(scored, told, now)
            analysis = self._analysis
            spikes = await self._spikes.add(decided.outcomes, self._runtime.config.topics, now)
            commands = self._batch_commit.commands_for(
                decided, analysis.index, analysis.matcher.model, self._runtime.config, now
            )
            commands += spikes
            commands += self._outbox.put_commands(onward(canaries, now))
            commands += self._embed_anew(foreign)
            await self._lease.write(commands + self._queue.done_commands(items))
        metrics.ANALYSE_SECONDS.observe(time.perf_counter() - started)
        count(decided.outcomes, now)

    async def _hear_answers(self) -> None:
        """Take editors' answers over as soon as one is given or taken back."""
        assert self._analysis is not None
        matcher = self._analysis.matcher
        if matcher is not self._answered or await self._answers.changed():
            found = await self._answers.read(matcher.topics, matcher.model)
            self._answered = matcher.with_answers(found)
            self._analysis.use(self._answered)

    async def _ask_judge(
        self, batch: Sequence[EmbeddedStory]
    ) -> tuple[Prepared | None, Answers | None]:
        """Let the pair judge read what is near the threshold; what it does not answer is apart."""
        assert self._analysis is not None
        if not self._judge:
            return None, None
        prepared = await asyncio.to_thread(self._analysis.prepare, batch)
        answers = await self._pairs.ask(prepared.questions, time.monotonic())
        metrics.PAIRS.labels(answered="yes").inc(len(answers))
        metrics.PAIRS.labels(answered="no").inc(len(prepared.questions) - len(answers))
        return prepared, answers

    async def _drop_known(self, batch: Sequence[EmbeddedStory]) -> list[EmbeddedStory]:
        """Drop stories that were decided before, and repeats within the batch."""
        known = await self._archive.known([item.story.id for item in batch])
        fresh: dict[str, EmbeddedStory] = {}
        for item in batch:
            if item.story.id not in known:
                fresh.setdefault(item.story.id, item)
        return list(fresh.values())

    async def _split_by_model(
        self, batch: Sequence[EmbeddedStory]
    ) -> tuple[list[EmbeddedStory], list[EmbeddedStory]]:
        """Part stories whose vectors are our model's from others, after following a new model."""
        assert self._analysis is not None
        if any(item.model != self._analysis.matcher.model for item in batch):
            await self._rebuild()
        ours = self._analysis.matcher.model
        foreign = [item for item in batch if item.model != ours]
        if foreign:
            log.warning("vectors_of_another_model", ours=ours, stories=len(foreign))
        return [item for item in batch if item.model == ours], foreign

    def _embed_anew(self, foreign: Sequence[EmbeddedStory]) -> list[Command]:
        """Send stories embedded by a model that is no longer in use back to the embedder."""
        return [story_command(self._runtime.keys, item.story) for item in foreign]

    async def _alert_states(self, events: set[str]) -> dict[AlertKey, AlertState]:
        rows = await self._archive.alert_states(events)
        return {key: AlertState.from_dict(json.loads(text)) for key, text in rows.items()}

    async def _keep_apart(self) -> None:
        """Part the stories that somebody said are not the same happening; each is decided anew."""
        ends = self._runtime.clock.now() - LIFE * self._runtime.config.events.window
        for parting in await self._partings.all():
            if parting.at < ends:
                await self._lease.write(self._partings.drop_commands(parting.story))
            elif not parting.others:
                async with self._turn:
                    await self._part(parting)

    async def _part(self, asked: Parting) -> None:
        analysis, stored = self._analysis, await self._archive.story(asked.story)
        if analysis is None:
            return
        parted = analysis.index.part(asked.story, f"kept apart by {asked.by}") if stored else None
        if parted is None or stored is None:
            await self._lease.write(self._partings.drop_commands(asked.story))
            return
        assignment, others = parted
        try:
            scored = ScoredBatch((stored[0],), (assignment,), analysis.matcher.score([stored[0]]))
            now = self._runtime.clock.now()
            decided = analysis.decide(scored, await self._alert_states(scored.events), now)
            model, config = analysis.matcher.model, self._runtime.config
            commands = self._batch_commit.commands_for(decided, analysis.index, model, config, now)
            commands += self._batch_commit.parted(assignment)
            commands += self._partings.keep_commands(replace(asked, others=others))
            await self._lease.write(commands)
        except (RedisError, OSError):
            await self._rebuild()  # what stands in the store is what counts
            raise
        log.info("event_parted", story=asked.story, into=assignment.event, by=asked.by)

    async def _expire_pending(self) -> None:
        """Let alerts that waited too long for a second source go, with their reason."""
        now = self._runtime.clock.now()
        async with self._turn:
            due = {key for key, until in (await self._archive.pending()).items() if until <= now}
            if not due or self._analysis is None:
                return
            told = await self._alert_states({event for _, event in due})
            commands: list[Command] = []
            for topic, event in due:
                state = told.get((topic, event))
                settings = self._runtime.config.topic(topic)
                lapsed = lapse(state, settings, now) if state and settings else None
                if lapsed and lapsed.told and lapsed.suppression:
                    changed = {(topic, event): lapsed.told}
                    commands += self._batch_commit.alert_state_commands(
                        changed, self._runtime.config
                    )
                    metrics.SUPPRESSIONS.labels(reason=lapsed.suppression.reason).inc()
                else:
                    commands += self._archive.pending_commands(topic, event, None)
            await self._lease.write(commands)
