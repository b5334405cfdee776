"""Teach the judge that reads two reports together: do they tell of one happening?

python -m training.pair_judge --data /tmp/prepared --out pair_judge.npz --start topic_judge.npz
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training import data, judging
from training.data import Words


class PairLessons:
    """Pairs in either order; one in twenty is held out."""

    def __init__(self, folder: Path, seed: int, *, everything: bool, held: int) -> None:
        self.words = Words(folder)
        self.pairs = data.read_table(folder, "pairs")
        self.chance = np.random.default_rng(seed)
        # held out by the first report, so that no report is on both sides
        apart = (self.pairs["a"] % 20 == 7) | (self.pairs["b"] % 20 == 7)
        self.held = np.flatnonzero(apart)[:held]
        every = np.arange(len(apart))
        self.taught = every if everything else np.flatnonzero(~apart)

    def _segments(self, rows: np.ndarray, swap: np.ndarray) -> np.ndarray:
        a, b = self.pairs["a"][rows], self.pairs["b"][rows]
        first, second = np.where(swap, b, a), np.where(swap, a, b)
        empty = np.full((len(rows), 2), data.NONE, np.int32)
        right = np.concatenate([second[:, None], empty], axis=1).astype(np.int32)
        return judging.side_by_side(self.words, first[:, None].astype(np.int32), right)

    def epoch(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return parts of an epoch."""
        order = self.chance.permutation(self.taught)
        for part in np.array_split(order, max(1, len(order) // 6144)):
            goals = np.clip(self.pairs["label"][part], 0.02, 0.98)
            yield (
                self._segments(part, self.chance.random(len(part)) < 0.5),
                goals,
                np.ones(len(part)),
            )

    def measure(self, judge: judging.Judge) -> str:
        """Return the average precision on pairs held out, by where they come from."""
        if not len(self.held):
            return "nothing"
        rows = self.held
        scores = judge.scores(self._segments(rows, np.zeros(len(rows), bool)))
        truth, source = self.pairs["label"][rows] > 0.5, self.pairs["source"][rows]
        told = [f"AP {data.average_precision(scores, truth):.3f}"]
        told += [
            f"{name} {np.mean((scores[source == at] > 0) == truth[source == at]):.3f}"
            for at, name in enumerate(self.pairs["sources"])
            if (source == at).any()
        ]
        return ", ".join(told)


def main() -> None:
    """Teach and store."""
    options = judging.chosen(judging.with_upper(judging.parser(__doc__)))
    lessons = PairLessons(
        options.data, options.seed, everything=options.everything, held=options.held
    )
    judging.run(lessons, options, judging.PAIR_CAPS)


if __name__ == "__main__":
    main()
