"""The window's arrays: one row for each story that others can link to.

Exact search, batched: similarities of a whole batch come from blocked matrix products. 1,600 bytes
a story at 384 dimensions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monitor.events.features import TERMS, Member
from monitor.events.link import pad
from monitor.events.text import BUCKETS
from monitor.model import Matrix

_BLOCK = 16_384  # rows multiplied at once: bounds the similarity block to 16 MB for a batch of 256


class Rows:
    """Growing arrays of vectors, terms and times, and the document frequencies over them."""

    def __init__(self) -> None:
        self.size = 0
        self.ids: list[str] = []
        self.of: dict[str, int] = {}
        self.vectors: Matrix = np.zeros((0, 0), np.float32)
        self.terms: npt.NDArray[np.int32] = np.zeros((0, TERMS), np.int32)
        self.flags: npt.NDArray[np.uint8] = np.zeros((0, TERMS), np.uint8)
        self.times: npt.NDArray[np.float64] = np.zeros(0)
        self.frequency: npt.NDArray[np.int32] = np.zeros(BUCKETS, np.int32)

    def add(self, member: Member) -> None:
        """Give a story a row; its vector is kept here alone from now on."""
        at = self.size
        if at == len(self.times):
            self._grow(member.vector.shape[0])
        if member.vector.shape[0] == self.vectors.shape[1]:
            self.vectors[at] = member.vector
        else:  # made by another model: comparable by its words only
            self.vectors[at] = 0.0
        self.terms[at], self.flags[at] = pad(member)
        self.times[at] = member.time
        self.frequency[member.terms] += 1
        self.ids.append(member.id)
        self.of[member.id] = at
        self.size += 1

    def drop(self, story: str) -> None:
        """Take a story's row out; the last row moves into its place."""
        at = self.of.pop(story, None)
        if at is None:
            return
        self.frequency[self.terms[at][self.terms[at] > 0]] -= 1
        last = self.size - 1
        if at != last:
            for array in (self.vectors, self.terms, self.flags, self.times):
                array[at] = array[last]
            self.ids[at] = self.ids[last]
            self.of[self.ids[at]] = at
        self.ids.pop()
        self.size = last

    def idf(self, prior: npt.NDArray[np.float32], prior_size: float) -> npt.NDArray[np.float32]:
        """Return inverse document frequencies: the shipped prior and the window, added."""
        seen = prior + self.frequency
        weights = np.log((prior_size + self.size + 1.0) / (seen + 0.5)).astype(np.float32)
        weights[0] = 0.0
        return np.asarray(weights)

    def search(self, queries: Matrix, floor: float) -> list[tuple[npt.NDArray[np.intp], Matrix]]:
        """Return, for each query, the rows of cosine `floor` or more, and those cosines."""
        found_rows: list[list[npt.NDArray[np.intp]]] = [[] for _ in queries]
        found_sims: list[list[Matrix]] = [[] for _ in queries]
        usable = self.size if queries.shape[1] == self.vectors.shape[1] else 0
        for start in range(0, usable, _BLOCK):
            block = queries @ self.vectors[start : min(start + _BLOCK, usable)].T
            for at, line in enumerate(block):
                hits = np.flatnonzero(line >= floor)
                if len(hits):
                    found_rows[at].append(hits + start)
                    found_sims[at].append(line[hits])
        nothing = np.zeros(0, np.intp), np.zeros(0, np.float32)
        return [
            (np.concatenate(rows), np.concatenate(sims)) if rows else nothing
            for rows, sims in zip(found_rows, found_sims, strict=True)
        ]

    def _grow(self, width: int) -> None:
        room = max(1024, int(len(self.times) * 1.3))
        width = self.vectors.shape[1] or width
        for name, shape in (
            ("vectors", (room, width)),
            ("terms", (room, TERMS)),
            ("flags", (room, TERMS)),
            ("times", (room,)),
        ):
            old = getattr(self, name)
            new = np.zeros(shape, old.dtype)
            new[: self.size] = old[: self.size].reshape((self.size, *shape[1:]))
            setattr(self, name, new)
