"""Read the prepared folder, and lay texts side by side as the models read them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

BOS, PAD, EOS, UNK = 0, 1, 2, 3  # of the vocabulary
TOPIC_TOKENS, STORY_TOKENS = 112, 128
NONE = -1

Ints = npt.NDArray[np.int32]
Table = dict[str, npt.NDArray[Any]]


class Words:
    """All texts as one row of numbers, and texts laid one after the other."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "texts.npz") as data:
            ends, words = data["ends"].astype(np.int64), data["words"]
            self.query, self.dot, self.bar = (int(data[name]) for name in ("query", "dot", "bar"))
        # two texts more, of one mark each; NONE, the last, is a text without words
        self.words = np.concatenate([words, [BOS, EOS]]).astype(np.int32)
        self.begin = np.concatenate([ends[:-1], [len(words), len(words) + 1, 0]])
        self.length = np.concatenate([np.diff(ends), [1, 1, 0]])
        self.bos, self.eos = len(ends) - 1, len(ends)

    def lay(self, segments: Ints, caps: Sequence[tuple[int, int]]) -> tuple[Ints, Ints]:
        """Return padded words (texts, width) and lengths for texts made of several.

        `segments` holds numbers of texts, NONE where there is none; `caps` cuts runs of columns,
        (columns, most words) one after the other.
        """
        lengths = self.length[segments]
        at = 0
        for columns, most in caps:
            part = lengths[:, at : at + columns]
            room = most - (np.cumsum(part, axis=1) - part)
            lengths[:, at : at + columns] = np.clip(room, 0, part)
            at += columns
        totals = lengths.sum(1)
        flat = lengths.ravel()
        before = np.cumsum(flat) - flat
        steps = np.arange(flat.sum()) - np.repeat(before, flat)
        words = self.words[np.repeat(self.begin[segments].ravel(), flat) + steps]
        row = np.repeat(np.arange(len(segments)), totals)
        column = np.arange(len(words)) - np.repeat(np.cumsum(totals) - totals, totals)
        padded = np.full((len(segments), -(-int(totals.max()) // 8) * 8), PAD, np.int32)
        padded[row, column] = words
        return padded, totals.astype(np.int32)

    def story(
        self, titles: Ints, summaries: Ints, chance: np.random.Generator | None = None
    ) -> Ints:
        """Return the segments of stories: title and summary; one of them alone now and then."""
        dot = np.where((titles != NONE) & (summaries != NONE), self.dot, NONE)
        found = np.stack([titles, dot, summaries], axis=1)
        if chance is not None:
            luck = chance.random(len(titles))
            found[luck < 0.3, 1:] = NONE
            without_title = (luck > 0.92) & (summaries != NONE)
            found[without_title, :2] = NONE
        return found.astype(np.int32)

    def topic(self, topic: dict[str, Any], mode: int, chance: np.random.Generator) -> list[int]:
        """Return the segments of a topic: 0 its name, 1 and its description, 2 and examples."""
        described = mode >= 1 and topic["description"] != NONE
        found = [topic["name"], *((self.dot, topic["description"]) if described else (NONE, NONE))]
        examples = topic["examples"] if mode == 2 else []
        count = int(chance.integers(1, 5)) if examples else 0
        for one in chance.permutation(examples)[:count] if count else []:
            found += [self.bar, int(one)]
        return found + [NONE] * (11 - len(found))


def read_table(folder: Path, name: str) -> Table:
    """Return the columns of a table of the folder."""
    with np.load(folder / f"{name}.npz") as data:
        return {key: data[key] for key in data.files}


def read_topics(folder: Path) -> list[dict[str, Any]]:
    """Return all topics with their labels."""
    with gzip.open(folder / "topics.json.gz", "rt") as file:
        found: list[dict[str, Any]] = json.load(file)
    return found


def blur(words: Ints, lengths: Ints, start: int, share: float, chance: np.random.Generator) -> None:
    """Replace a share of the words from `start` on by the unknown word, in place."""
    hidden = chance.random(words.shape) < share
    hidden &= (np.arange(words.shape[1]) >= start)[None] & (words > UNK)
    words[hidden] = UNK


def average_precision(scores: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Return the mean precision at each right one; not a number where none is right."""
    hits = truth[np.argsort(-scores, kind="stable")]
    if not hits.any():
        return float("nan")
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits > 0].mean())


def best_f1(scores: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Return the best F1 that one line over all scores can have."""
    hits = truth[np.argsort(-scores, kind="stable")]
    right = np.cumsum(hits)
    return float((2 * right / (np.arange(1, len(hits) + 1) + hits.sum())).max())


def kappa(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Return the quadratic weighted kappa of two readings in whole levels (Cohen 1968)."""
    levels = np.union1d(one, other)
    shares = np.array([[(side == level).mean() for level in levels] for side in (one, other)])
    far = np.subtract.outer(levels, levels) ** 2
    by_chance = (far * np.outer(*shares)).sum()
    return float(1 - ((one - other) ** 2).mean() / by_chance)
