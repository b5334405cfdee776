"""Ordinary news, as vectors: what every topic's score is measured against.

A cosine means something else for every topic and every model. Seen against a few thousand
ordinary stories it becomes comparable: how far above ordinary news does this story stand?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.errors import ModelError
from monitor.match.ordinary import SENTENCES
from monitor.model import Matrix

_FOLDER = Path(__file__).parent / "data"
ENOUGH = 1_000  # own recent stories from which the shipped numbers are no longer needed


@dataclass(frozen=True, slots=True)
class Background:
    """Vectors of ordinary news, made by the model of that fingerprint.

    `origin` says where they are from: "shipped", "recent", "mixed" or "sentences".
    """

    vectors: Matrix  # shape (n, d)
    model: str
    origin: str = "recent"

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
            if str(data["weights"]) != _weights(model):
                return None
            vectors = data["vectors"].astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return cls(vectors, model, "shipped")

    @classmethod
    def of(cls, model: str, encode: Callable[[Sequence[str]], Matrix]) -> Background:
        """Return the shipped background of a model, or one from sentences of our own.

        Args:
            model: fingerprint of the model.
            encode: its `encode`; called only where nothing is shipped for the model.
        """
        return cls.shipped(model) or cls.from_vectors(encode(SENTENCES), model, "sentences")

    def refreshed(self, recent: Matrix) -> Background:
        """Return the background after some of the service's own recent stories, shape (n, d).

        Enough of them stand alone; fewer stand beside what was there before.
        """
        if len(recent) >= ENOUGH:
            return Background.from_vectors(recent, self.model, "recent")
        if not len(recent):
            return self
        return Background.from_vectors(np.vstack([self.vectors, recent]), self.model, "mixed")


def _weights(model: str) -> str:
    """Return the part of a fingerprint that names the weights."""
    return model.split("/")[1] if "/" in model else ""
