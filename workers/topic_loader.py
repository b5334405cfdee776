"""Topics made ready for triage: phrases sent to the embedder, calibration, the finished matcher."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.analysis.archive import AnalysisStore
from monitor.analysis.text_archive import ModelInfo, TextVectors
from monitor.config.schema import Topic
from monitor.matching import Background, TopicMatcher, texts
from monitor.matching.background_sentences import SENTENCES
from monitor.model import Vector
from monitor.observability.logs import get_logger
from monitor.tasks import Progress
from workers.runtime import Runtime

log = get_logger(__name__)

ASK_EVERY = 0.2
SAMPLE = 10_000  # recent stories that calibrate and are read beside new ones
REFRESH_EVERY = 3600.0
RECENT = 14 * 86400.0


class TopicMatcherLoader:
    """Builds matchers for the topics in force, with what the embedder and the archive give.

    Args:
        runtime: what the process stands on.
        archive: where recent stories are.
        progress: marked while it waits for the embedder, which may take long.
    """

    def __init__(self, runtime: Runtime, archive: AnalysisStore, progress: Progress) -> None:
        self._runtime = runtime
        self._archive = archive
        self._progress = progress
        self._texts = TextVectors(runtime.store, runtime.keys)
        self._background: Background | None = None
        self._previous: TopicMatcher | None = None
        self._refreshed_at = float("-inf")

    async def model(self) -> ModelInfo | None:
        """Wait for an embedder to announce its model; None if the service stops before."""
        said = False
        while True:
            model = await self._texts.model()
            if model is not None:
                return model
            if not said:
                log.info("waiting_for_model", hint="an embedder has to start once")
                said = True
            self._progress.mark()
            if await self._runtime.wait_or_stop(ASK_EVERY):
                return None

    async def matcher(self, topics: Sequence[Topic], model: ModelInfo) -> TopicMatcher | None:
        """Return topics made ready for `model`; None if the service stops before they are."""
        vectors = await self.vectors(texts(topics), model)
        known = self._background
        if known is None or known.model != model.fingerprint or self.due():
            known = await self._calibration(model)
        if vectors is None or known is None:
            return None
        previous = self._previous if known is self._background else None
        self._background = known
        self._previous = TopicMatcher.build(topics, vectors, known, previous)
        return self._previous

    def due(self) -> bool:
        """Whether the calibration should be renewed from recent stories."""
        return self._runtime.clock.now() - self._refreshed_at > REFRESH_EVERY

    async def vectors(self, phrases: Sequence[str], model: ModelInfo) -> dict[str, Vector] | None:
        """Return vectors of texts, asked of the embedder; None if the service stops before."""
        found = await self._texts.get(model, phrases)
        while missing := [text for text in phrases if text not in found]:
            await self._texts.want(missing)
            self._progress.mark()
            if await self._runtime.wait_or_stop(ASK_EVERY):
                return None
            found |= await self._texts.get(model, missing)
        return found

    async def _calibration(self, model: ModelInfo) -> Background | None:
        base = Background.shipped(model.fingerprint)
        if base is None:
            vectors = await self.vectors(SENTENCES, model)
            if vectors is None:
                return None
            stacked = np.stack([vectors[text] for text in SENTENCES])
            base = Background.from_vectors(stacked, model.fingerprint, "sentences")
        now = self._runtime.clock.now()
        recent = await self._archive.headline_vectors(now - RECENT, now, model.fingerprint, SAMPLE)
        self._refreshed_at = now
        if not recent:
            return base
        background = base.refreshed(np.stack(recent))
        log.info("calibrated", origin=background.origin, recent=len(recent))
        return background
