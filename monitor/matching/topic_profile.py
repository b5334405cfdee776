"""A topic made ready: how its phrases become numbers, and where its threshold lies.

For a passage x (a unit vector in context) and a topic, three measures are taken, each in standard
deviations above ordinary news:

    whole    cosine to the mean of name, description and examples
    nearest  cosine to the nearest of them
    words    soft minimum of the cosines to each content word of the name: every word has its say

Their weighted sum, less what the topic's own asides and counter-examples take away, less half of
what the strongest hundredth of ordinary news reaches, is held against a threshold that is the same
for all topics. The constants were chosen by leaving one topic out in turn:
docs/explanation/matching.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitor.config.schema import Topic
from monitor.errors import ModelError
from monitor.matching.background import Background
from monitor.matching.phrases import Phrase, phrases
from monitor.model import Matrix, Vector

Array = npt.NDArray[np.float32]

WHOLE, NEAREST, WORDS = 0.7, 0.9, 0.3
ORDINARY = 0.5  # share of the background's 99th percentile that is taken off
ASIDE, ASIDE_FROM = 4.0, 0.3  # what a cosine to an aside takes off, and from where
EXAMPLES = 4.0  # examples weigh as many phrases in the mean as they are, but no more than this

CONTRAST = 24.0  # what being nearer to counter-examples than to examples takes off
REPEATED = 0.9  # cosine to a counter-example from which a story repeats it
CLOSEST = 2  # how many of the nearest examples and counter-examples count
MORE = 1.5  # of ordinary news, a fitted topic may fire on so many times what it did before
BLOCK = 64  # topics measured at once
FIT_FROM = 4  # examples and counter-examples, each, from which their weight is fitted


@dataclass(frozen=True)
class Contrast:
    """Examples against counter-examples.

    `closer(x)` is the mean cosine to the nearest examples less that to the nearest
    counter-examples. A fitted contrast gives scale * before + weight * closer + shift; one that is
    not fitted only takes away: weight * min(0, closer).
    """

    good: Matrix  # shape (g, d)
    bad: Matrix  # shape (b, d)
    scale: float = 1.0
    weight: float = CONTRAST
    shift: float = 0.0
    fitted: bool = False

    def closer(self, vectors: Matrix) -> Array:
        """Return how much nearer each vector is to the examples, shape (n,)."""
        return _closest(vectors @ self.good.T) - _closest(vectors @ self.bad.T)

    def apply(self, before: Array, vectors: Matrix) -> Array:
        """Return the margins after the examples have spoken, shape (n,)."""
        closer = self.closer(vectors)
        if self.fitted:
            margins = self.scale * before + self.weight * closer + self.shift
        else:
            margins = before + self.weight * np.minimum(closer, 0.0)
        # What repeats one counter-example is out, however many examples are near as well.
        bad = (vectors @ self.bad.T).max(axis=1)
        repeats = np.where(bad >= REPEATED, (vectors @ self.good.T).max(axis=1) - bad, 0.0)
        return np.asarray(margins + self.weight * np.minimum(repeats, 0.0), dtype=np.float32)


@dataclass(frozen=True)
class TopicProfile:
    """One topic's numbers. Means and deviations are those of ordinary news."""

    topic: Topic
    phrases: tuple[Phrase, ...]  # name, description, examples: rows of `phrase_vectors`
    phrase_vectors: Matrix
    whole: Vector
    words: Matrix
    word_mean: Array
    word_deviation: Array
    mean: Array  # of whole, nearest, words, shape (3,)
    deviation: Array  # shape (3,)
    asides: Matrix  # shape (a, d), a may be 0
    offset: float  # taken off the weighted sum: ordinary news' share and the threshold
    contrast: Contrast | None = None


def threshold_for(count: int) -> float:
    """Return the threshold of a topic of so many phrases: more of them, higher scores."""
    return 1.4 + 1.0 * (1.0 - 1.0 / max(1, count))


def build_profiles(
    topics: Sequence[Topic], vectors: Mapping[str, Vector], background: Background
) -> list[TopicProfile]:
    """Make topics ready, many at a time: ordinary news is gone through once for each block.

    Raises:
        ModelError: a vector is missing or of another length than the background's.
    """
    built: list[TopicProfile] = []
    for start in range(0, len(topics), BLOCK):
        parts = [
            _Parts.of(topic, vectors, background.vectors.shape[1])
            for topic in topics[start : start + BLOCK]
        ]
        columns = [np.vstack([part.good, part.words, part.asides]) for part in parts]
        cosines = background.measure @ np.vstack(columns).T
        ends = np.cumsum([len(column) for column in columns])
        for part, own in zip(parts, np.split(cosines, ends[:-1], axis=1), strict=True):
            profile = _measured(part, own)
            built.append(_contrasted(profile, part, background) if len(part.bad) else profile)
    return built


@dataclass(frozen=True)
class _Parts:
    """A topic's vectors by the part they play. `good` are name, description and examples."""

    topic: Topic
    phrases: tuple[Phrase, ...]
    good: Matrix
    examples: Matrix
    bad: Matrix
    asides: Matrix
    words: Matrix

    @classmethod
    def of(cls, topic: Topic, vectors: Mapping[str, Vector], d: int) -> _Parts:
        found = phrases(topic)

        def take(*kinds: str) -> Matrix:
            rows = [_vector(vectors, one.text, d) for one in found if one.kind in kinds]
            return np.asarray(rows, dtype=np.float32).reshape(-1, d)

        good = tuple(one for one in found if one.kind in ("name", "description", "example"))
        return cls(
            topic=topic,
            phrases=good,
            good=take("name", "description", "example"),
            examples=take("example"),
            bad=take("not"),
            asides=take("aside"),
            words=take("word"),
        )


def _measured(part: _Parts, cosines: Array) -> TopicProfile:
    """Measure a topic against ordinary news.

    Args:
        part: its vectors.
        cosines: of ordinary news to its phrases, words and asides, shape (n, g + w + a).
    """
    weights = _weights(part.phrases)
    mixed = weights @ part.good
    length = max(float(np.linalg.norm(mixed)), 1e-12)
    to_good, to_words, to_asides = np.split(
        cosines, [len(part.good), len(part.good) + len(part.words)], axis=1
    )
    word_mean, word_deviation = _moments(to_words)
    raw = np.stack(
        [
            to_good @ weights / length,
            to_good.max(axis=1),
            soft_minimum((to_words - word_mean) / word_deviation),
        ],
        axis=1,
    )
    mean, deviation = _moments(raw)
    sums = ((raw - mean) / deviation) @ np.array([WHOLE, NEAREST, WORDS], dtype=np.float32)
    sums -= _aside_penalty(to_asides)
    return TopicProfile(
        topic=part.topic,
        phrases=part.phrases,
        phrase_vectors=part.good,
        whole=_unit(mixed),
        words=part.words,
        word_mean=word_mean,
        word_deviation=word_deviation,
        mean=mean,
        deviation=deviation,
        asides=part.asides,
        offset=ORDINARY * float(np.quantile(sums, 0.99)) + threshold_for(len(part.phrases)),
    )


def margins(profile: TopicProfile, vectors: Matrix) -> Array:
    """Return how far each vector (in context) stands above the balanced line, before contrast."""
    raw = np.stack(
        [
            vectors @ profile.whole,
            (vectors @ profile.phrase_vectors.T).max(axis=1),
            soft_minimum((vectors @ profile.words.T - profile.word_mean) / profile.word_deviation),
        ],
        axis=1,
    )
    sums = ((raw - profile.mean) / profile.deviation) @ np.array([WHOLE, NEAREST, WORDS])
    return np.asarray(
        sums - aside_penalty(vectors, profile.asides) - profile.offset, dtype=np.float32
    )


def soft_minimum(values: Array) -> Array:
    """Return -log(mean(exp(-v))) along the last axis: near the least, and smooth."""
    return np.asarray(-np.log(np.exp(-np.maximum(values, -30.0)).mean(axis=-1)), dtype=np.float32)


def aside_penalty(vectors: Matrix, asides: Matrix) -> Array:
    """Return what nearness to what the description rules out takes off, shape (n,)."""
    return _aside_penalty(vectors @ asides.T)


def _aside_penalty(cosines: Array) -> Array:
    if not cosines.shape[1]:
        return np.zeros(len(cosines), dtype=np.float32)
    return np.asarray(ASIDE * np.maximum(cosines.max(axis=1) - ASIDE_FROM, 0.0), dtype=np.float32)


def _contrasted(profile: TopicProfile, part: _Parts, background: Background) -> TopicProfile:
    """Return the profile with its counter-examples at work."""
    bad = background.in_context(part.bad)
    good = background.in_context(part.examples if len(part.examples) else part.good)
    contrast = Contrast(good, bad)
    if min(len(part.examples), len(bad)) >= FIT_FROM:
        contrast = _held(profile, _fit(profile, contrast), background.measure)
    return replace(profile, contrast=contrast)


def _held(profile: TopicProfile, contrast: Contrast, measure: Matrix) -> Contrast:
    """Keep answers from opening a topic to ordinary news: most counter-examples are easy ones."""
    before = margins(profile, measure)
    after = contrast.apply(before, measure)
    share = MORE * float((before >= 0).mean()) + 0.002
    excess = max(0.0, float(np.quantile(after, max(0.0, 1.0 - share))))
    return replace(contrast, shift=contrast.shift - excess)


def _fit(profile: TopicProfile, contrast: Contrast) -> Contrast:
    """Weigh examples against counter-examples by logistic regression with a prior.

    Every example is judged as if it were not in the topic: without its own phrase, without itself
    among its neighbours. The prior keeps few answers from moving much (MAP, Newton's method).
    """
    good, bad = contrast.good, contrast.bad
    weights = _weights(profile.phrases)
    first = len(profile.phrases) - len(good)
    before = np.empty(len(good) + len(bad))
    for at in range(len(good)):
        keep = np.arange(len(profile.phrases)) != first + at
        without = replace(
            profile,
            whole=_unit(weights[keep] @ profile.phrase_vectors[keep]),
            phrase_vectors=profile.phrase_vectors[keep],
        )
        before[at] = margins(without, good[at : at + 1])[0]
    before[len(good) :] = margins(profile, bad)
    own = good @ good.T
    np.fill_diagonal(own, -1.0)
    other = bad @ bad.T
    np.fill_diagonal(other, -1.0)
    cross = good @ bad.T
    closer = np.concatenate(
        [_closest(own) - _closest(cross), _closest(cross.T) - _closest(other)]
    ).astype(np.float64)
    rows = np.stack([before, closer, np.ones(len(before))], axis=1)
    answers = np.concatenate([np.ones(len(good)), np.zeros(len(bad))])
    scale, weight, shift = _map_logistic(
        rows, answers, prior=np.array([1.0, 10.0, -1.2]), spread=np.array([0.35, 5.0, 1.0])
    )
    return Contrast(good, bad, float(scale), float(weight), float(shift), fitted=True)


def _map_logistic(
    rows: npt.NDArray[np.float64],
    answers: npt.NDArray[np.float64],
    prior: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return logistic weights under a normal prior (Newton's method, a dozen steps)."""
    precision = np.diag(spread**-2.0)
    theta = prior.copy()
    for _ in range(12):
        chance = 1.0 / (1.0 + np.exp(-np.clip(rows @ theta, -30, 30)))
        slope = rows.T @ (chance - answers) + precision @ (theta - prior)
        curve = rows.T @ (rows * (chance * (1 - chance))[:, None]) + precision
        theta = theta - np.linalg.solve(curve, slope)
    return theta


def _closest(cosines: Array) -> Array:
    """Return the mean of the largest few of each row, shape (n,)."""
    count = min(CLOSEST, cosines.shape[1])
    return np.asarray(np.sort(cosines, axis=1)[:, -count:].mean(axis=1), dtype=np.float32)


def _weights(good: tuple[Phrase, ...]) -> Array:
    """Return each phrase's weight in the mean; a long list of examples does not drown the name."""
    examples = sum(phrase.kind == "example" for phrase in good)
    each = min(1.0, EXAMPLES / examples) if examples else 1.0
    return np.array([each if one.kind == "example" else 1.0 for one in good], dtype=np.float32)


def _moments(values: Array) -> tuple[Array, Array]:
    return values.mean(axis=0), np.maximum(values.std(axis=0), 1e-4)


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
