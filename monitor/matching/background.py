"""Ordinary news, as vectors: what scores are measured against, and what stories are read beside.

A cosine means something else for every topic and every model. Seen against a few thousand
ordinary stories it becomes comparable: how far above ordinary news does this story stand?

The same vectors say what else is being reported. A headline is a few words; its neighbours in the
news tell what it is about ("Metsera calls Pfizer threats nonsense" stands among takeover bids). So
a vector is read *in context*: moved a little towards its nearest neighbours. docs/explanation/
matching.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from monitor.errors import ModelError
from monitor.matching.background_sentences import SENTENCES
from monitor.model import Matrix

_FOLDER = Path(__file__).parent / "data"

ENOUGH = 1_000  # own recent stories from which they help to say what is ordinary
MEASURE = 4_096  # vectors that scores are measured against, at most
CONTEXT = 30_000  # vectors that stories are read beside, at most

NEIGHBOURS = 10
PULL = 2.0  # weight of a neighbour is PULL * exp(FOCUS * (cosine - 1)): far ones hardly count
FOCUS = 8.0
NEAR = 0.3  # neighbours farther than this are not looked at: their weight is below .01
SAME = 0.985  # from this cosine a neighbour is the same text and adds nothing


@dataclass(frozen=True)
class Background:
    """Vectors of ordinary news, made by the model of that fingerprint.

    `origin` says where they are from: "shipped", "sentences", "recent" or "mixed" (shipped or
    sentences, with the service's own stories in `recent`).
    """

    vectors: Matrix  # shape (n, d)
    model: str
    origin: str = "recent"
    recent: Matrix | None = None  # shape (m, d)
    measured: bool = False  # whether `recent` says what is ordinary, too

    @classmethod
    def from_vectors(cls, vectors: Matrix, model: str, origin: str = "recent") -> Background:
        """Make a background of ready vectors, shape (n, d), of one model.

        Raises:
            ModelError: there are fewer than 20 vectors: nothing can be measured against them.
        """
        if vectors.ndim != 2 or len(vectors) < 20:
            raise ModelError(
                f"a background of {len(vectors)} stories is too small to measure topics against; "
                "at least 20 are needed"
            )
        return cls(np.ascontiguousarray(vectors, dtype=np.float32), model, origin)

    @classmethod
    def shipped(cls, model: str) -> Background | None:
        """Return the background that comes with Wirewatch for this model, or None."""
        path = _FOLDER / f"{model.split('/')[0]}.npz"
        if not path.is_file():
            return None
        with np.load(path) as data:
            if str(data["weights"]) != weights_of(model):
                return None
            return cls(unpack(data["packed"]), model, "shipped")

    @classmethod
    def of(cls, model: str, encode: Callable[[Sequence[str]], Matrix]) -> Background:
        """Return the shipped background of a model, or one from sentences of our own.

        Args:
            model: fingerprint of the model.
            encode: its `encode`; called only where nothing is shipped for the model.
        """
        return cls.shipped(model) or cls.from_vectors(encode(SENTENCES), model, "sentences")

    def refreshed(self, recent: Matrix) -> Background:
        """Return the background after some of the service's own recent stories, newest last.

        They give context at once. From ENOUGH on they also say, together with what is shipped,
        what is ordinary: fewer could not, because a handful of stories on one subject would make
        that subject look ordinary, and the shipped half keeps a busy week from raising the bar.
        """
        if len(recent) >= ENOUGH and self.origin == "sentences":
            return Background.from_vectors(recent[-CONTEXT:], self.model, "recent")
        return self.beside(recent, measured=len(recent) >= ENOUGH)

    def beside(self, recent: Matrix, *, measured: bool = False) -> Background:
        """Return the background with stories that give context, and no measure unless told so."""
        if not len(recent):
            return self
        own = np.ascontiguousarray(recent[-CONTEXT:], dtype=np.float32)
        return Background(self.vectors, self.model, "mixed", own, measured)

    @cached_property
    def measure(self) -> Matrix:
        """The vectors that scores are measured against, in context, shape (n, d)."""
        if self.recent is None or not self.measured:
            return self.in_context(_spread(self.vectors, MEASURE))
        half = MEASURE // 2
        both = [_spread(self.vectors, half), _spread(self.recent, half)]
        return self.in_context(np.vstack(both))

    @cached_property
    def _pool(self) -> Matrix:
        if self.recent is None:
            return self.vectors[-CONTEXT:]
        return np.vstack([self.vectors, self.recent])[-CONTEXT:]

    def in_context(self, vectors: Matrix) -> Matrix:
        """Return unit vectors moved towards their neighbours in the news, shape (n, d)."""
        pool, moved = self._pool, np.array(vectors, dtype=np.float32)
        for start in range(0, len(moved), 512):
            part = moved[start : start + 512]
            cosines = part @ pool.T
            near_rows, near = np.nonzero((cosines > NEAR) & (cosines <= SAME))
            ends = np.searchsorted(near_rows, np.arange(len(part)), side="right")
            begin = 0
            for row, end in enumerate(ends):
                found = near[begin:end]
                begin = end
                values = cosines[row, found]
                if len(found) > NEIGHBOURS:
                    top = np.argpartition(values, -NEIGHBOURS)[-NEIGHBOURS:]
                    found, values = found[top], values[top]
                part[row] += (PULL * np.exp(FOCUS * (values - 1.0))) @ pool[found]
            part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
        return moved


def _spread(vectors: Matrix, count: int) -> Matrix:
    """Return about `count` vectors, evenly spread over the rows."""
    step = max(1, len(vectors) // count)
    return vectors[::step][:count]


def pack(vectors: Matrix) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Store vectors, shape (n, d), in four bits a number: shape (n, d/2). Cosine to self ~ .99."""
    spread = 2.7 * vectors.std(axis=1, keepdims=True)
    codes = np.clip(np.rint(vectors / spread * 7), -7, 7).astype(np.int8) + 8
    packed = (codes[:, 0::2].astype(np.uint8) << 4) | codes[:, 1::2].astype(np.uint8)
    return np.asarray(packed, dtype=np.uint8)


def unpack(packed: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> Matrix:
    """Return the unit vectors that `pack` stored, shape (n, d)."""
    vectors = np.empty((len(packed), packed.shape[1] * 2), dtype=np.float32)
    vectors[:, 0::2] = (packed >> 4).astype(np.float32) - 8
    vectors[:, 1::2] = (packed & 15).astype(np.float32) - 8
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


def weights_of(model: str) -> str:
    """Return the part of a fingerprint that names the weights."""
    return model.split("/")[1] if "/" in model else ""
