"""The window's arrays: one row for each story that others can link to.

Exact search, batched: similarities of a whole batch come from blocked matrix products, and of
each block only what may still be among a story's nearest is looked at.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monitor.events.features import TERMS, Member
from monitor.events.place_names import MOST
from monitor.events.text import BUCKETS
from monitor.model import Matrix, Vector

Hits = tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]  # rows, similarities

_ARRAYS = ("vectors", "terms", "flags", "times", "places", "main")
BLOCK = 16_384  # rows multiplied at once: bounds the similarity block to 16 MB for a batch of 256


class _Nearest:
    """The nearest rows of one query so far."""

    def __init__(self, floor: float, most: int) -> None:
        self._floor, self._most = floor, most
        self._rows: list[npt.NDArray[np.intp]] = []
        self._sims: list[npt.NDArray[np.float32]] = []
        self._count = 0

    def add(self, rows: npt.NDArray[np.intp], sims: npt.NDArray[np.float32]) -> float:
        """Take in rows, and return from which similarity further ones can be among the nearest."""
        self._rows.append(rows)
        self._sims.append(sims)
        self._count += len(rows)
        if self._count > 4 * self._most:
            rows, sims = self.hits()
            self._rows, self._sims, self._count = [rows], [sims], len(rows)
            self._floor = float(sims.min())
        return self._floor

    def hits(self) -> Hits:
        if not self._rows:
            return np.zeros(0, np.intp), np.zeros(0, np.float32)
        rows, sims = np.concatenate(self._rows), np.concatenate(self._sims)
        if len(rows) > self._most:
            top = np.argpartition(-sims, self._most)[: self._most]
            rows, sims = rows[top], sims[top]
        return rows, sims


class Rows:
    """Growing arrays of vectors, terms and times, and the document frequencies over them."""

    def __init__(self) -> None:
        self.size = 0
        self.model = ""
        self.ids: list[str] = []
        self.of: dict[str, int] = {}
        self.vectors: Matrix = np.zeros((0, 0), np.float32)
        self.terms: npt.NDArray[np.int32] = np.zeros((0, TERMS), np.int32)
        self.flags: npt.NDArray[np.uint8] = np.zeros((0, TERMS), np.uint8)
        self.times: npt.NDArray[np.float64] = np.zeros(0)
        self.places: npt.NDArray[np.uint16] = np.zeros((0, MOST), np.uint16)
        self.main: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.frequency: npt.NDArray[np.int32] = np.zeros(BUCKETS, np.int32)

    def expect(self, model: str, width: int) -> None:
        """Make room for vectors of a model; those of any other model are forgotten.

        Vectors of different models say nothing about one another: after a change of model, the
        stories of before are compared by address, headline and text only.
        """
        if not width or (model == self.model and width == self.vectors.shape[1]):
            return
        self.model = model
        self.vectors = np.zeros((len(self.times), width), np.float32)

    def add(self, member: Member) -> None:
        """Give a story a row; its vector is kept here alone from now on."""
        at = self.size
        if at == len(self.times):
            self._grow()
        if member.model == self.model and len(member.vector) == self.vectors.shape[1]:
            self.vectors[at] = member.vector
        else:
            self.vectors[at] = 0.0
        count = len(member.terms)
        self.terms[at, :count], self.terms[at, count:] = member.terms, 0
        self.flags[at, :count], self.flags[at, count:] = np.frombuffer(member.flags, np.uint8), 0
        self.times[at] = member.time
        self.places[at] = 0
        self.places[at, : len(member.places)] = member.places
        self.main[at] = member.main
        self.frequency[self.terms[at, :count]] += 1
        self.ids.append(member.id)
        self.of[member.id] = at
        self.size += 1

    def vector(self, story: str) -> Vector:
        """Return a story's vector; empty if it has none (a copy)."""
        row = self.of.get(story)
        return np.zeros(0, np.float32) if row is None else self.vectors[row]

    def similar(self, query: Vector, start: int) -> npt.NDArray[np.float32]:
        """Return the similarities of a query to all rows from `start`."""
        if len(query) != self.vectors.shape[1]:
            return np.zeros(self.size - start, np.float32)
        return np.asarray(self.vectors[start : self.size] @ query)

    def between(self, query: Vector, story: str) -> float:
        """Return the similarity of a query to one story; 1.0 where nothing can be said."""
        other = self.vector(story)
        if not len(query) or len(query) != len(other) or not other.any():
            return 1.0
        return float(query @ other)

    def drop(self, story: str) -> None:
        """Take a story's row out; the last row moves into its place."""
        at = self.of.pop(story, None)
        if at is None:
            return
        self.frequency[self.terms[at][self.terms[at] > 0]] -= 1
        last = self.size - 1
        if at != last:
            for name in _ARRAYS:
                array = getattr(self, name)
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

    def search(
        self, queries: list[Vector], floor: float, most: int, since: float = -np.inf
    ) -> list[Hits]:
        """Return, for each query, its nearest rows and their similarities, in no order.

        Args:
            queries: unit vectors; those of another width than the rows find nothing.
            floor: least similarity that counts.
            most: how many rows to return at most.
            since: rows of stories before this time are passed over.
        """
        width = self.vectors.shape[1]
        usable = [at for at, query in enumerate(queries) if len(query) == width and width]
        nearest = [_Nearest(floor, most) for _ in queries]
        if usable and self.size:
            stacked = np.stack([queries[at] for at in usable])
            floors = np.full(len(usable), floor, np.float32)
            for start in range(0, self.size, BLOCK):
                end = min(start + BLOCK, self.size)
                block = stacked @ self.vectors[start:end].T
                block[:, self.times[start:end] < since] = -1.0
                # One flat look is many times faster than one for each line.
                hits = np.flatnonzero(block >= floors[:, None])
                lines, columns = np.divmod(hits, end - start)
                ends = np.searchsorted(lines, np.arange(len(usable) + 1))
                for line in np.flatnonzero(np.diff(ends)):
                    part = columns[ends[line] : ends[line + 1]]
                    found = nearest[usable[line]]
                    floors[line] = found.add(part + start, block[line, part])
        return [found.hits() for found in nearest]

    def _grow(self) -> None:
        room = max(1024, int(len(self.times) * 1.3))
        for name in _ARRAYS:
            old = getattr(self, name)
            new = np.zeros((room, *old.shape[1:]), old.dtype)
            new[: self.size] = old[: self.size]
            setattr(self, name, new)
