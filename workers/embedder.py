"""The embedder: stories in, vectors out, in batches that wait a moment to fill.

It is the only worker that loads models. The judge reads stories here as well, so that triage stays
light. Hand-over is one step: vectors and answers written, stories acknowledged and deleted. Beside
that it answers what triage wants: phrases of topics.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from redis.exceptions import RedisError

from monitor.analysis.offline import story_reader
from monitor.analysis.pair_store import PairStore
from monitor.analysis.story_reader import StoryReader
from monitor.analysis.text_archive import ModelInfo, TextVectors
from monitor.codec import unpack_story
from monitor.config.schema import Topic
from monitor.embedding import Embedder, embed_stories, open_embedder, pair_judge
from monitor.errors import ModelError
from monitor.health.heartbeat_store import HeartbeatStore
from monitor.matching import Background, TopicMatcher, texts
from monitor.matching.second_judge import SecondJudge
from monitor.model import EmbeddedStory, Story, Vector
from monitor.observability import metrics, traces
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from monitor.queue.feed_lanes import FeedLanes
from monitor.queue.hand_overs import vectors_command
from monitor.queue.streams import StreamMessage, StreamQueue
from monitor.reasons import RestReason
from monitor.store.asked import AskedStore
from monitor.store.client import connect_blocking
from monitor.store.transaction import apply
from monitor.tasks import beside, end, in_passing
from workers.missed_message import MissedMessage
from workers.runtime import Runtime
from workers.stage import Stage, Tool

log = get_logger(__name__)

T = TypeVar("T")
WANTED_EVERY = 0.5
WANTED_AFTER_FAILURE = 5.0
_PROBE = "A sentence of quite ordinary words about nothing in particular. " * 40
PAIRS_WAIT = 2.0
_MOMENT = 16  # texts or pairs of what can wait, between batches of stories


class EmbedderWorker:
    """Turns stories into embedded stories until the runtime stops.

    Args:
        runtime: what the process stands on.
        sole: no other embedder can be alive, so pending work is ours at once.
    """

    name = "embedder"

    def __init__(self, runtime: Runtime, *, sole: bool = False) -> None:
        self._runtime = runtime
        self._blocking = connect_blocking(runtime.store_url)
        self._queue = StreamQueue(
            runtime.store,
            self._blocking,
            runtime.keys,
            "stories",
            f"embedder-{runtime.worker_id}",
            lanes=FeedLanes(runtime.store, runtime.keys),
        )
        self._stage = Stage(
            runtime,
            self._queue,
            unpack_story,
            self._embed,
            self._batch_size,
            sole=sole,
            tool=_Model(self),
        )
        self._texts = TextVectors(runtime.store, runtime.keys)
        self._heartbeats = HeartbeatStore(runtime.store, runtime.keys)
        self._pairs = PairStore(runtime.store, self._blocking, runtime.keys)
        self._thread: ThreadPoolExecutor | None = None  # a fresh one for every run
        self._model: Embedder | None = None
        self._reader = StoryReader()
        self._second: SecondJudge | None = None
        self._screen: TopicMatcher | None = None
        self._topics: tuple[Topic, ...] | None = None  # that the screen was made for
        self._phrases: dict[str, Vector] = {}

    async def run(self) -> None:
        """Load the model, then work until stopping; asked to stop meanwhile, leave at once.

        Raises:
            ModelError: the model is missing or altered.
        """
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        try:
            self._model = await self._open_model()
            if self._model is None:
                return
            await self.say_ready("")
            metrics.MODEL.info({"name": self._info.name, "fingerprint": self._info.fingerprint})
            log.info("embedder_ready", model=self._info.name, fingerprint=self._info.fingerprint)
            missed = self._missed_message()
            async with beside(self._answer_wanted(), self._answer_pairs(), missed.run()):
                await self._stage.run()
        finally:
            self._thread.shutdown(wait=True)
            if self._second is not None:
                await self._second.aclose()
            await self._blocking.aclose()

    async def _open_model(self) -> Embedder | None:
        """Return the model; None if the service is to stop before it is there."""
        loading = asyncio.create_task(in_passing(self._load))
        stopping = asyncio.create_task(self._runtime.stopping.wait())
        try:
            await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return loading.result() if loading.done() else None
        except ModelError as error:
            await self.say_ready(str(error))
            raise
        finally:
            await end((loading, stopping))

    async def say_ready(self, fault: str) -> None:
        """Let everyone know whether the model computes; `fault` says why not, "" that it does."""
        metrics.MODEL_READY.set(0 if fault else 1)
        with suppress(RedisError, OSError):
            await self._heartbeats.leave_fault(self.name, fault)

    async def computes(self) -> bool:
        """Try the model on a text of full length."""
        assert self._model is not None
        try:
            await self._in_thread(self._model.encode, [_PROBE])
        except Exception:
            return False
        return True

    def _load(self) -> Embedder:
        model = open_embedder(self._runtime.config.embedding)
        self._reader = story_reader(model)
        return model

    @property
    def _info(self) -> ModelInfo:
        assert self._model is not None
        name = self._runtime.config.embedding.model
        judge = pair_judge(self._model)
        named = judge.fingerprint if judge else ""
        return ModelInfo(self._model.fingerprint, self._model.dimension, name, named)

    def _batch_size(self) -> tuple[int, float]:
        settings = self._runtime.config.embedding
        return settings.batch_size, settings.linger

    async def _in_thread(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def _embed(self, items: Sequence[StreamMessage], stories: Sequence[Story]) -> None:
        started = time.perf_counter()
        embedded = await self._in_thread(self._encode, stories)
        embedded = await self._second_opinions(embedded)
        texts = sum(len(item.passages) + (len(item.happening) > 0) for item in embedded)
        metrics.EMBED_BATCH.observe(texts)
        metrics.EMBED_SECONDS.observe(seconds := time.perf_counter() - started)
        metrics.EMBED_TEXTS.inc(texts)
        metrics.EMBED_RATE.set(texts / max(seconds, 1e-6))
        commands = [vectors_command(self._runtime.keys, item) for item in embedded]
        await apply(self._runtime.store, commands + self._queue.done_commands(items))
        now = self._runtime.clock.now()
        for story in stories:
            traces.record("embed", story.trace, now - seconds, now, story=story.id)
            log.debug("embedded", story=story.id, trace=story.trace)

    def _encode(self, stories: Sequence[Story]) -> list[EmbeddedStory]:
        assert self._model is not None
        limit = self._runtime.config.embedding.max_passages
        try:
            embedded = embed_stories(self._model, stories, limit)
            if self._reader.topics is None:
                return embedded
            return self._reader.over(self._screened(), embedded)
        except OSError as error:  # the model's files, not the store
            raise ModelError(f"the model cannot be read: {error}") from error

    async def _second_opinions(self, embedded: list[EmbeddedStory]) -> list[EmbeddedStory]:
        """Let a desk's own language model look at matches near a threshold, if there is one."""
        settings, old = self._runtime.config.language_model, self._second
        if old is None or old.settings != settings:
            asked = AskedStore(self._runtime.store, self._runtime.keys, "language_model")
            clock = self._runtime.clock
            self._second = SecondJudge(settings, asked, clock) if settings.url else None
            if old is not None:
                await old.aclose()
        if self._second is None:
            return embedded
        matcher = await self._in_thread(self._screened)
        return await self._second.over(matcher, embedded)

    def _screened(self) -> TopicMatcher:
        """Return the topics in force made ready to screen stories for the judge."""
        assert self._model is not None
        topics = self._runtime.config.topics
        if self._screen is None or self._topics is not topics:
            wanted = texts(topics)
            if missing := [text for text in wanted if text not in self._phrases]:
                self._phrases |= zip(missing, self._model.encode(missing), strict=True)
            self._phrases = {text: self._phrases[text] for text in wanted}
            background = self._screen.background if self._screen else None
            if background is None:
                background = Background.of(self._model.fingerprint, self._model.encode)
            self._screen = TopicMatcher.build(topics, self._phrases, background, self._screen)
            self._topics = topics
        return self._screen

    def _missed_message(self) -> MissedMessage:
        """Return the daily message of what was missed; it takes the model for moments only."""
        assert self._model is not None
        model, judge = self._model, pair_judge(self._model)

        def encode(stories: Sequence[Story]) -> list[EmbeddedStory]:
            parts = [stories[at : at + _MOMENT] for at in range(0, len(stories), _MOMENT)]
            return [item for part in parts for item in self._wait_for(read, part)]

        def read(part: Sequence[Story]) -> list[EmbeddedStory]:
            found = embed_stories(model, part, 1)
            return self._reader.severity.over(found) if self._reader.severity else found

        def score(one: Sequence[str], two: Sequence[str]) -> list[float]:
            assert judge is not None
            return [
                float(logit)
                for at in range(0, len(one), _MOMENT)
                for logit in self._wait_for(
                    judge.score, one[at : at + _MOMENT], two[at : at + _MOMENT]
                )
            ]

        return MissedMessage(self._runtime, model.fingerprint, encode, score if judge else None)

    def _wait_for(self, function: Callable[..., T], *args: object) -> T:
        """Call a function in the model's thread, from a thread of its own."""
        assert self._thread is not None
        return self._thread.submit(function, *args).result()

    async def _answer_pairs(self) -> None:
        """Read pairs of reports for triage, as it asks; a failure leaves them unanswered."""
        assert self._model is not None
        judge = pair_judge(self._model)
        while judge is not None:
            try:
                if request := await self._pairs.next_request(PAIRS_WAIT):
                    one, two = zip(*request.pairs, strict=True)
                    scores = await self._in_thread(judge.score, one, two)
                    await self._pairs.answer(request, [float(score) for score in scores])
            except (RedisError, OSError) as error:
                log.warning("store_unreachable", worker=self.name, error=str(error))
                await asyncio.sleep(WANTED_EVERY)
            except Exception as error:  # triage gives these pairs up; the next may go better
                log.warning("pairs_unanswered", error=redact(repr(error)))
                await asyncio.sleep(WANTED_EVERY)

    async def _answer_wanted(self) -> None:
        """Announce the model, then embed the phrases that triage asks for, as they come."""
        assert self._model is not None
        while True:
            try:
                await self._texts.announce(self._info)
                while wanted := await self._texts.wanted():
                    vectors = await self._in_thread(self._model.encode, wanted)
                    await self._texts.put(self._info, dict(zip(wanted, vectors, strict=True)))
            except (RedisError, OSError) as error:
                log.warning("store_unreachable", worker=self.name, error=str(error))
            except Exception as error:  # asked for again at the next round
                log.warning("topics_not_embedded", error=redact(repr(error)))
                await asyncio.sleep(WANTED_AFTER_FAILURE)
            await asyncio.sleep(WANTED_EVERY)


class _Model(Tool):
    """The model as the stage knows it."""

    reason = RestReason.MODEL_FAILS

    def __init__(self, embedder: EmbedderWorker) -> None:
        self._embedder = embedder

    async def works(self) -> bool:
        return await self._embedder.computes()

    async def resting(self, error: str) -> None:
        await self._embedder.say_ready(error and f"the model cannot compute: {error}")
