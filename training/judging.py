"""What both judges share: two texts in one sequence, the mean of the states, one logit."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn import functional

from training.data import STORY_TOKENS, TOPIC_TOKENS, Words, blur
from training.loop import teach
from training.model import Backbone


class Source(Protocol):
    """Where rows come from, and how what is held out is measured."""

    words: Words

    def epoch(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return parts of an epoch: segments, goals between 0 and 1, weights."""

    def measure(self, judge: TrainedJudge) -> str:
        """Return figures in words."""


def side_by_side(words: Words, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return segments: begin, 11 columns of the first text, end, end, 3 of the second, end."""
    count = len(first)
    wide = np.full((count, 11), -1, np.int32)
    wide[:, : first.shape[1]] = first
    mark = [np.full((count, 1), one, np.int32) for one in (words.bos, words.eos)]
    return np.concatenate([mark[0], wide, mark[1], mark[1], second, mark[1]], axis=1)


CAPS = ((1, 1), (11, TOPIC_TOKENS - 2), (2, 2), (3, STORY_TOKENS - 2), (1, 1))
PAIR_CAPS = ((1, 1), (11, STORY_TOKENS - 2), (2, 2), (3, STORY_TOKENS - 2), (1, 1))


class TrainedJudge:
    """The model with its head."""

    def __init__(self, folder: Path, words: Words, device: str, caps: Any, rank: int) -> None:
        self.model = Backbone(folder, device, rank)
        self.words, self.caps = words, caps
        weight = torch.randn(1, 384, device=device) * 0.02
        self.heads = {
            "head.weight": torch.nn.Parameter(weight),
            "head.bias": torch.nn.Parameter(torch.full((1,), -1.0, device=device)),
        }

    def logits(self, ids: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """Return a logit for each laid-out pair."""
        device = self.model.device
        ids = ids[:, : -(-int(lengths.max()) // 8) * 8]
        told = self.model(torch.from_numpy(ids).to(device), torch.from_numpy(lengths).to(device))
        return functional.linear(told, self.heads["head.weight"], self.heads["head.bias"])[:, 0]

    @torch.no_grad()
    def scores(self, segments: np.ndarray) -> np.ndarray:
        """Return logits of pairs, in their order."""
        ids, lengths = self.words.lay(segments, self.caps)
        order, found = np.argsort(lengths), np.zeros(len(ids), np.float32)
        for at in range(0, len(order), 256):
            part = order[at : at + 256]
            found[part] = self.logits(ids[part], lengths[part]).float().cpu().numpy()
        return found


def options(doc: str | None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of training.prepare")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=float, default=5400, help="seconds")
    parser.add_argument("--steps", type=int, help="stop after so many steps, if that is sooner")
    parser.add_argument("--start", type=Path, help="stored weights to begin with")
    parser.add_argument(
        "--held", type=int, default=10_000, help="measure on so many topics held out"
    )
    parser.add_argument("--everything", action="store_true", help="hold nothing out")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--blur", type=float, default=0.05, help="share of words hidden")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--seed", type=int, default=2)
    found = parser.parse_args()
    torch.manual_seed(found.seed)
    return found


def batches(
    source: Source, caps: Any, size: int, share: float, seed: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Return batches without end: words, lengths, goals, weights; those of like length together."""
    chance = np.random.default_rng(seed)
    while True:
        for segments, goals, weights in source.epoch():
            ids, lengths = source.words.lay(segments, caps)
            if share:
                blur(ids, lengths, 1, share, chance)
            groups = np.array_split(np.argsort(lengths), max(1, len(ids) // size))
            for at in chance.permutation(len(groups)):
                part = groups[at]
                yield ids[part], lengths[part], goals[part], weights[part]


def run(source: Source, chosen: argparse.Namespace, caps: Any = CAPS) -> None:
    """Teach a judge from a source and store it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    judge = TrainedJudge(chosen.data, source.words, device, caps, chosen.rank)
    if chosen.start:
        judge.model.start_from(chosen.start)
    rows = batches(source, caps, chosen.batch, chosen.blur, chosen.seed)

    def step() -> torch.Tensor:
        ids, lengths, goals, weights = next(rows)
        goal, weight = (torch.from_numpy(one).float().to(device) for one in (goals, weights))
        losses = functional.binary_cross_entropy_with_logits(
            judge.logits(ids, lengths), goal, reduction="none"
        )
        return (losses * weight).mean()

    teach(judge.model, judge.heads, step, chosen.out, limit=chosen.limit, rate=chosen.rate,
          check=lambda: source.measure(judge), steps=chosen.steps)  # fmt: skip
