"""Editors' answers: "relevant" and "not relevant" move a topic's threshold for alike stories.

An answer counts at once and only near what was answered: a story that is nearer to it than all but
one in a thousand of ordinary news. The nearer, the more the threshold moves, up to a bound; answers
for and against take from each other. They last as long as the answered story is kept, unless
`wirewatch topics tune` writes them into the topic (docs/decisions/0202).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from monitor.matching.background import Background
from monitor.model import Matrix, Vector

# In log-odds: what one answer moves the threshold at most, and what all of them do. "Not relevant"
# can hold even a sure match back; "relevant" lets in what lay near it, so that no topic opens.
RAISE, MOST_RAISED = 3.0, 4.0
LOWER, MOST_LOWERED = 1.0, 1.5
MOST = 200  # newest answers of a topic that count
_ORDINARY = 0.999  # quantile of ordinary news from which a story is alike
_LEAST_ROOM = 0.02  # cosine between that and the same text


@dataclass(frozen=True, slots=True)
class AnsweredStory:
    """A story that someone said belongs to a topic (`good`), or does not."""

    story: str
    title: str
    good: bool
    by: str
    at: float
    vector: Vector = field(repr=False)  # of its headline


@dataclass(frozen=True, slots=True)
class Moved:
    """How far answers moved a threshold, in log-odds (up: positive), and what did most of it."""

    by: float
    because: AnsweredStory


@dataclass(frozen=True)
class Answers:
    """The answers on one topic, ready to be held against stories."""

    stories: tuple[AnsweredStory, ...]
    vectors: Matrix = field(repr=False)
    alike_from: npt.NDArray[np.float32] = field(repr=False)  # cosine, for each answer

    @classmethod
    def of(cls, stories: Sequence[AnsweredStory], background: Background) -> Self | None:
        """Make answers ready; None if there are none that the background's model can read."""
        width = background.vectors.shape[1]
        kept = tuple(one for one in stories if one.vector.shape == (width,))[-MOST:]
        if not kept:
            return None
        vectors = np.stack([one.vector for one in kept])
        usual = np.quantile(background.vectors @ vectors.T, _ORDINARY, axis=0)
        alike = np.minimum(usual, 1.0 - _LEAST_ROOM).astype(np.float32)
        return cls(kept, vectors, alike)

    def moved(self, heads: Matrix) -> Moved | None:
        """Return how far the threshold moves for a story, or None.

        Args:
            heads: unit vectors of its headline and lead, shape (n, d).
        """
        cosines = (heads @ self.vectors.T).max(axis=0)
        alike = np.clip((cosines - self.alike_from) / (1.0 - self.alike_from), 0.0, 1.0)
        good = np.array([one.good for one in self.stories])
        moves = alike * np.where(good, -LOWER, RAISE)
        total = float(np.clip(moves.sum(), -MOST_LOWERED, MOST_RAISED))
        if abs(total) < 0.05:
            return None
        return Moved(total, self.stories[int(np.argmax(moves * np.sign(total)))])


def moved_line(line: float, by: float) -> float:
    """Return a threshold (a probability) after it moved so far in log-odds."""
    return round(float(1.0 / (1.0 + np.exp(-(np.log(line / (1.0 - line)) + by)))), 4)
