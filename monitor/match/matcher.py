"""Stories against topics: one calibrated score for each pair, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from monitor.config.schema import Topic
from monitor.errors import ModelError
from monitor.match.background import Background
from monitor.match.gates import check, excludes, fold
from monitor.match.phrases import Phrase, phrases
from monitor.model import EmbeddedStory, Match, Matrix, Vector
from monitor.reasons import SuppressionReason

LINES = {"strict": 0.6, "balanced": 0.5, "broad": 0.4}
_CENTRE = 2.45  # standard deviations above ordinary news where the balanced line lies
_SLOPE = 1.0

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Profile:
    """A topic made ready: its phrases with their rows in the matcher's phrase matrix."""

    topic: Topic
    phrases: tuple[Phrase, ...]
    rows: slice
    line: float


@dataclass(frozen=True)
class TopicMatcher:
    """Topics made ready to be held against stories. Build once, use until topics change."""

    topics: tuple[Topic, ...]
    model: str
    _profiles: tuple[_Profile, ...] = field(repr=False)
    _phrases: Matrix = field(repr=False)  # every phrase, shape (p, d)
    _prototypes: Matrix = field(repr=False)  # one direction for each topic, shape (t, d)
    _mean: Array = field(repr=False)  # of the background, shape (t,)
    _deviation: Array = field(repr=False)  # of the background, shape (t,)

    @classmethod
    def build(
        cls, topics: Sequence[Topic], vectors: Mapping[str, Vector], background: Background
    ) -> TopicMatcher:
        """Make topics ready.

        Args:
            topics: those to match; disabled ones are left out.
            vectors: a unit vector for each of `texts(topics)`, made by the background's model.
            background: ordinary news of the same model.

        Raises:
            ModelError: a vector is missing or of another length than the background's.
        """
        enabled = tuple(topic for topic in topics if topic.enabled)
        d = background.vectors.shape[1]
        rows: list[Vector] = []
        profiles, prototypes = [], []
        for topic in enabled:
            found = phrases(topic)
            own = [_vector(vectors, phrase.text, d) for phrase in found]
            profiles.append(
                _Profile(
                    topic, found, slice(len(rows), len(rows) + len(own)), LINES[topic.sensitivity]
                )
            )
            rows += own
            good = [v for v, phrase in zip(own, found, strict=True) if phrase.kind != "not"]
            prototypes.append(_unit(np.mean(good, axis=0)))
        stacked = np.asarray(prototypes, dtype=np.float32).reshape(len(enabled), d)
        ordinary = background.vectors @ stacked.T
        return cls(
            topics=enabled,
            model=background.model,
            _profiles=tuple(profiles),
            _phrases=np.asarray(rows, dtype=np.float32).reshape(len(rows), d),
            _prototypes=stacked,
            _mean=ordinary.mean(axis=0),
            _deviation=np.maximum(ordinary.std(axis=0), 1e-4),
        )

    def score(self, stories: Sequence[EmbeddedStory]) -> Scores:
        """Score every story against every topic.

        Raises:
            ModelError: a story's vectors were made by another model than the topics'.
        """
        for story in stories:
            if story.model != self.model:
                raise ModelError(
                    f"story {story.story.id} was embedded by {story.model}, topics by {self.model};"
                    " both must be embedded anew by one model"
                )
        t = len(self.topics)
        starts = np.cumsum([0, *(len(story.passages) for story in stories)])
        d = self._prototypes.shape[1] if t else 0
        stacked = (
            np.vstack([story.vectors for story in stories])
            if stories
            else np.zeros((0, d), np.float32)
        )
        raw = (stacked @ self._prototypes.T).astype(np.float32)
        calibrated = _squash((raw - self._mean) / self._deviation)
        best = np.zeros((len(stories), t), dtype=np.int32)
        score = np.zeros((len(stories), t), dtype=np.float32)
        for index in range(len(stories)):
            part = calibrated[starts[index] : starts[index + 1]]
            best[index] = part.argmax(axis=0)
            score[index] = part.max(axis=0)
        return Scores(self, tuple(stories), score, best, raw, starts)

    def score_batch(self, stories: Sequence[EmbeddedStory]) -> list[list[Match]]:
        """Return every topic's match for every story, in the order of stories and of topics."""
        scores = self.score(stories)
        return [scores.matches(index) for index in range(len(stories))]


@dataclass(frozen=True)
class Scores:
    """The scores of some stories against all topics, as arrays; matches are made when asked for."""

    matcher: TopicMatcher
    stories: tuple[EmbeddedStory, ...]
    score: Array  # shape (stories, topics), 0 to 1, before gates
    _best: npt.NDArray[np.int32]  # the passage that decided, shape (stories, topics)
    _raw: Array  # cosines, shape (passages, topics)
    _starts: npt.NDArray[np.int64]

    def matches(self, story: int) -> list[Match]:
        """Return one story's match with every topic, fired or not, in the order of topics."""
        return [self.match(story, topic) for topic in range(len(self.matcher.topics))]

    def fired(self, story: int) -> list[Match]:
        """Return one story's matches that fired, best first."""
        lines = np.array([profile.line for profile in self.matcher._profiles], dtype=np.float32)
        near = np.flatnonzero(self.score[story] >= lines)
        found = [match for topic in near if (match := self.match(story, int(topic))).fired]
        return sorted(found, key=lambda match: -match.score)

    def match(self, story: int, topic: int) -> Match:
        """Return the match of one story and one topic, by their positions."""
        embedded = self.stories[story]
        profile = self.matcher._profiles[topic]
        score = float(self.score[story, topic])
        passage = int(self._best[story, topic])
        vector = embedded.vectors[passage]
        cosines = self.matcher._phrases[profile.rows] @ vector
        good = [at for at, phrase in enumerate(profile.phrases) if phrase.kind != "not"]
        nearest = max(good, key=lambda at: float(cosines[at]))
        reason = _refusal(profile, embedded, score)
        return Match(
            topic=profile.topic.id,
            score=round(score, 4),
            line=profile.line,
            fired=reason is None,
            raw=round(float(self._raw[self._starts[story] + passage, topic]), 4),
            evidence=embedded.passages[passage].text,
            passage=passage,
            nearest=profile.phrases[nearest].text,
            reason=reason,
        )


def _refusal(profile: _Profile, embedded: EmbeddedStory, score: float) -> SuppressionReason | None:
    """Return why a story does not fire a topic, or None. Scope and score come before gates."""
    topic, story = profile.topic, embedded.story
    if topic.feeds or topic.tags:
        watched = story.feed_id in topic.feeds or not set(story.tags).isdisjoint(topic.tags)
        if not watched:
            return SuppressionReason.OUT_OF_SCOPE
    if topic.languages and story.language and not _speaks(story.language, topic.languages):
        return SuppressionReason.LANGUAGE
    if round(score, 4) < profile.line:
        return SuppressionReason.BELOW_THRESHOLD
    if not (topic.require.any or topic.require.all or topic.exclude.any or topic.exclude.all):
        return None
    folded = fold(f"{story.title}\n{story.summary}\n{story.body}")
    if not check(topic.require, folded).passed:
        return SuppressionReason.NOT_REQUIRED
    if excludes(topic.exclude, folded).passed:
        return SuppressionReason.EXCLUDED
    return None


def _speaks(language: str, wanted: Sequence[str]) -> bool:
    """Compare primary subtags: a story in en-GB is in en (RFC 5646)."""
    primary = language.lower().replace("_", "-").split("-")[0]
    return primary in {one.lower().replace("_", "-").split("-")[0] for one in wanted}


def _squash(z: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-_SLOPE * (z - _CENTRE))), dtype=np.float32)


def _vector(vectors: Mapping[str, Vector], text: str, d: int) -> Vector:
    vector = vectors.get(text)
    if vector is None:
        raise ModelError(f"no vector for the topic phrase {text[:80]!r}")
    if vector.shape != (d,):
        raise ModelError(
            f"the vector of {text[:80]!r} has shape {vector.shape}, the background has {d} "
            "dimensions: topics and background must come from one model"
        )
    return vector


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), dtype=np.float32)
