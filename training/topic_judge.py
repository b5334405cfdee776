"""Teach the judge that reads a topic and a story together: does the story belong to the topic?

    python -m training.topic_judge --data /tmp/prepared --out topic_judge.npz --limit 5400

A topic's text varies: its name, with its description, with some of its examples. Stories that no
one labelled for a topic, drawn from ordinary news of all languages, count as off topic: they are
what a desk mostly sees. One in a hundred of them does belong; the loss of those is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from training import data, judging
from training.data import Words

NEAR = 0.35  # what a borderline story counts as
MORE = {"n": 3, "a": 1, "b": 1, "c": 1, "w": 2, "m": 2, "k": 1, "s": 1}  # times an epoch
ORDINARY = 10  # stories that nobody labelled, a topic and epoch
OFF = 0.6  # of those labelled off topic, an epoch


class TopicLessons:
    """Rows of (topic, item, label) for one epoch after the other.

    `others` is the share, of topics whose stories are real, that an epoch takes: to go on teaching
    with those of our own writing.
    """

    def __init__(
        self, folder: Path, seed: int, *, everything: bool, held: int, others: float = 1.0
    ) -> None:
        self.words = Words(folder)
        self.others = others
        self.items = data.read_table(folder, "items")
        self.topics = data.read_topics(folder)
        self.chance = np.random.default_rng(seed)
        # those of our own first, of which there are few
        held_out = [one for one in self.topics if one["held"]]
        self.held = sorted(held_out, key=lambda one: "snabcmwk".index(one["kind"]))[:held]
        self.taught = self.topics if everything else [t for t in self.topics if not t["held"]]
        english, real = self.items["language"] == 0, self.items["ours"] == 0
        self.pools = [np.flatnonzero(english & real), np.flatnonzero(~english & real)]

    def epoch(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return parts of an epoch: segments, labels and weights."""
        rows: list[tuple[list[int], int, int]] = []
        chance, words = self.chance, self.words
        for topic in self.taught:
            for _ in range(MORE[topic["kind"]]):
                if topic["kind"] == "s" or chance.random() < self.others:
                    rows += self._rows(topic)
        for part in np.array_split(chance.permutation(len(rows)), max(1, len(rows) // 6144)):
            chosen = [rows[at] for at in part]
            items = np.array([row[1] for row in chosen])
            labels = np.array([row[2] for row in chosen])
            stories = words.story(self.items["title"][items], self.items["summary"][items], chance)
            topics = np.array([row[0] for row in chosen], np.int32)
            goal = np.where(labels == 2, 1.0, np.where(labels == 1, NEAR, 0.0))
            weight = np.where(labels == 1, 0.5, 1.0)
            yield judging.side_by_side(words, topics, stories), goal, weight

    def _rows(self, topic: dict[str, Any]) -> list[tuple[list[int], int, int]]:
        chance = self.chance
        modes = (0, 1, 1, 1, 2, 2) if topic["examples"] else (0, 1, 1, 1)
        found = [(item, label) for item, label in topic["rows"]
                 if label or chance.random() < OFF]  # fmt: skip
        wide = topic["kind"] in "kn"
        found += [row for row in topic["rows"] if row[1] == 2] if wide else []
        known = {item for item, _ in topic["rows"]}
        for pool, count in zip(self.pools, (ORDINARY * 3 // 4, ORDINARY // 4 + 1), strict=True):
            found += [(int(one), 0) for one in chance.choice(pool, count) if int(one) not in known]
        texts = {mode: self.words.topic(topic, mode, chance) for mode in set(modes)}
        return [(texts[modes[chance.integers(len(modes))]], item, label) for item, label in found]

    def measure(self, judge: judging.Judge) -> str:
        """Return how well held-out topics are told, by name and description."""
        chance, found, pooled = np.random.default_rng(0), {}, []
        for topic in self.held:
            rows = [row for row in topic["rows"] if row[1] != 1]
            truth = np.array([row[1] == 2 for row in rows])
            if not truth.any():
                continue
            items = np.array([row[0] for row in rows])
            stories = self.words.story(self.items["title"][items], self.items["summary"][items])
            topics = np.tile(np.array(self.words.topic(topic, 1, chance), np.int32), (len(rows), 1))
            scores = judge.scores(judging.side_by_side(self.words, topics, stories))
            found.setdefault(topic["kind"], []).append(data.average_precision(scores, truth))
            pooled.append((scores, truth))
        scores, truth = (np.concatenate(one) for one in zip(*pooled, strict=True))
        told = [f"AP {kind} {np.mean(values):.3f}" for kind, values in found.items()]
        loss = functional.binary_cross_entropy_with_logits(
            torch.from_numpy(scores).float(), torch.from_numpy(truth).float()
        )
        return f"{', '.join(told)}, F1 {data.best_f1(scores, truth):.3f}, loss {loss:.4f}"


def main() -> None:
    """Teach and store."""
    parser = judging.with_upper(judging.parser(__doc__))
    parser.add_argument("--others", type=float, default=1.0, help="share of topics with real news")
    options = judging.chosen(parser)
    lessons = TopicLessons(
        options.data,
        options.seed,
        everything=options.everything,
        held=options.held,
        others=options.others,
    )
    judging.run(lessons, options)


if __name__ == "__main__":
    main()
