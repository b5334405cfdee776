"""A deterministic embedder without weights: words and letter groups hashed into a unit vector.

It knows spelling, not meaning. Tests and dry runs use it where the real model would only cost time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from monitor.embedding.passages import TEXT_VERSION
from monitor.model import Matrix

_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Signed feature hashing (Weinberger et al. 2009) of words and their 4-letter groups."""

    one_view = False

    def __init__(self, dimension: int = 384) -> None:
        self._dimension = dimension

    @property
    def fingerprint(self) -> str:
        """Return the name of this embedder with its dimension and the text rules' version."""
        return f"hashing/{self._dimension}/t{TEXT_VERSION}"

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return self._dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector for each text, shape (len(texts), dimension)."""
        matrix = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in zip(matrix, texts, strict=True):
            for word in _WORD.findall(text.lower()):
                for slot, weight in _features(word):
                    row[slot % self._dimension] += weight
            norm = float(np.linalg.norm(row))
            if norm > 0:
                row /= norm
            else:
                row[0] = 1.0
        return matrix

    def encode_happenings(self, texts: Sequence[str]) -> Matrix:
        """Return no view of happenings: this embedder knows spelling only."""
        return np.zeros((len(texts), 0), dtype=np.float32)


@lru_cache(maxsize=100_000)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    padded = f"<{word}>"
    groups = [padded[at : at + 4] for at in range(max(1, len(padded) - 3))]
    parts = [(word, 1.0), *((group, 0.5 / len(groups)) for group in groups)]
    features = []
    for part, weight in parts:
        digest = int.from_bytes(blake2b(part.encode(), digest_size=8).digest(), "little")
        features.append((digest >> 1, weight if digest & 1 else -weight))
    return tuple(features)
