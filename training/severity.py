"""Teach how grave the happening of a report is: one of five levels.

    python -m training.severity --data /tmp/prepared --out severity.npz --start topic_judge.npz

Four logits for each report, one for each "at least this level", on the mean of the last states.
`--start` may be weights of another task, or of this one: then its logits are taken over as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from training import data, judging
from training.data import NONE, Words, blur, kappa
from training.loop import teach
from training.model import Backbone

LEVELS = 5
BATCH = 32
BLUR = 0.05  # share of words hidden
CAPS = ((2, 4), (3, 123), (1, 1))  # begin and `query:`; title, dot, summary; end
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


class SeverityLessons:
    """Draws the reports that are taught, each once a round."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.words, self.table = Words(folder), data.read_table(folder, "severity")
        self.taught = np.flatnonzero(self.table["held"] == 0)
        self.chance = np.random.default_rng(seed)

    def laid(self, rows: np.ndarray, *, vary: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the words of reports as the service reads them, and their lengths."""
        words, count = self.words, len(rows)
        titles, summaries = self.table["title"][rows], self.table["summary"][rows]
        told = words.story(titles, summaries)
        if vary:
            told[self.chance.random(count) < 0.2, 1:] = NONE
        first, query, last = (
            np.full((count, 1), one, np.int32) for one in (words.bos, words.query, words.eos)
        )
        return words.lay(np.concatenate([first, query, told, last], axis=1), CAPS)

    def batches(self) -> Iterator[Rows]:
        """Return words, lengths and levels without end; texts of like length together."""
        while True:
            rows = self.chance.permutation(self.taught)
            ids, lengths = self.laid(rows, vary=True)
            blur(ids, lengths, 1, BLUR, self.chance)
            near = lengths + self.chance.integers(0, 8, len(rows))
            groups = np.array_split(np.argsort(near), len(rows) // BATCH)
            for at in self.chance.permutation(len(groups)):
                part = groups[at]
                yield ids[part], lengths[part], self.table["level"][rows[part]]


class SeverityLearner:
    """The model and its four logits."""

    def __init__(self, folder: Path, lessons: SeverityLessons, device: str, rank: int) -> None:
        self.lessons, self.model = lessons, Backbone(folder, device, rank)
        offsets = torch.linspace(2, -2, LEVELS - 1, device=device)
        self.heads = {
            "head.weight": torch.nn.Parameter(torch.randn(LEVELS - 1, 384, device=device) * 0.02),
            "head.bias": torch.nn.Parameter(offsets),
        }

    def start_from(self, path: Path) -> None:
        """Begin with stored changes, and with stored logits if they are of this task."""
        self.model.start_from(path)
        with np.load(path) as stored:
            for name, head in self.heads.items():
                if name in stored.files and stored[name].shape == tuple(head.shape):
                    head.data.copy_(torch.from_numpy(stored[name]))

    def logits(self, ids: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """Return four logits for each text, shape (texts, 4)."""
        device = self.model.device
        ids = ids[:, : -(-int(lengths.max()) // 8) * 8]
        states = self.model(torch.from_numpy(ids).to(device), torch.from_numpy(lengths).to(device))
        return functional.linear(states, self.heads["head.weight"], self.heads["head.bias"])

    def loss(self, ids: np.ndarray, lengths: np.ndarray, levels: np.ndarray) -> torch.Tensor:
        """Return the loss of a batch. A level between two counts half for the upper one."""
        level = torch.from_numpy(levels).float().to(self.model.device)[:, None]
        steps = torch.arange(LEVELS - 1, device=self.model.device)
        goal = (level - steps).clamp(0, 1)
        return functional.binary_cross_entropy_with_logits(self.logits(ids, lengths), goal)

    @torch.no_grad()
    def levels(self, rows: np.ndarray) -> np.ndarray:
        """Return the level of reports: the sum of the four probabilities, rounded."""
        ids, lengths = self.lessons.laid(rows, vary=False)
        found = np.zeros(len(rows))
        order = np.argsort(lengths)
        for at in range(0, len(order), 64):
            part = order[at : at + 64]
            found[part] = self.logits(ids[part], lengths[part]).sigmoid().sum(1).cpu().numpy()
        return found.round()

    def measure(self) -> str:
        """Return how well levels of held-out days and languages are told."""
        table, told = self.lessons.table, []
        for number, name in ((1, "days"), (2, "languages")):
            rows = np.flatnonzero(table["held"] == number)
            levels = self.levels(rows)
            told.append(f"{name}: kappa {kappa(table['level'][rows].round(), levels):.3f}")
        return ", ".join(told)


def main() -> None:
    """Teach and store."""
    chosen = judging.chosen(judging.parser(__doc__))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    lessons = SeverityLessons(chosen.data, chosen.seed)
    learner = SeverityLearner(chosen.data, lessons, device, chosen.rank)
    if chosen.start:
        learner.start_from(chosen.start)
    rows = lessons.batches()
    teach(
        learner.model,
        learner.heads,
        lambda: learner.loss(*next(rows)),
        chosen.out,
        limit=chosen.limit,
        rate=chosen.rate,
        check=learner.measure,
        steps=chosen.steps,
    )


if __name__ == "__main__":
    main()
