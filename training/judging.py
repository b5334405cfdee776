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

    def __init__(self, words: Words, caps: Any, model: Backbone) -> None:
        self.model, self.words, self.caps, device = model, words, caps, model.device
        weight = torch.randn(1, 384, device=device) * 0.02
        self.heads = {
            "head.weight": torch.nn.Parameter(weight),
            "head.bias": torch.nn.Parameter(torch.full((1,), -1.0, device=device)),
        }

    def logits(self, ids: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """Return a logit for each laid-out pair."""
        return self.told(self.halfway(ids, lengths), lengths)

    def halfway(self, ids: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """Return the states below the layers that are taught."""
        device, ids = self.model.device, ids[:, : -(-int(lengths.max()) // 8) * 8]
        return self.model.halfway(
            torch.from_numpy(ids).to(device), torch.from_numpy(lengths).to(device)
        )

    def told(self, states: torch.Tensor, lengths: np.ndarray) -> torch.Tensor:
        """Return the logits of states."""
        means = self.model.rest(states, torch.from_numpy(lengths).to(self.model.device))
        return functional.linear(means, self.heads["head.weight"], self.heads["head.bias"])[:, 0]

    def start_from(self, path: Path) -> None:
        """Begin with stored changes, and with a stored head if it is a judge's."""
        self.model.start_from(path)
        with np.load(path) as stored:
            for name, value in self.heads.items():
                if name in stored.files and stored[name].shape == tuple(value.shape):
                    value.data.copy_(torch.from_numpy(stored[name]).float())

    @torch.no_grad()
    def scores(self, segments: np.ndarray) -> np.ndarray:
        """Return logits of pairs, in their order."""
        ids, lengths = self.words.lay(segments, self.caps)
        order, found = np.argsort(lengths), np.zeros(len(ids), np.float32)
        for at in range(0, len(order), 256):
            part = order[at : at + 256]
            found[part] = self.logits(ids[part], lengths[part]).float().cpu().numpy()
        return found


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return what the command line may say."""
    found = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    found.add_argument("--data", type=Path, required=True, help="folder of training.prepare")
    found.add_argument("--out", type=Path, required=True)
    found.add_argument("--limit", type=float, default=5400, help="seconds")
    found.add_argument("--steps", type=int, help="stop after so many steps, if that is sooner")
    found.add_argument("--start", type=Path, help="stored weights to begin with")
    found.add_argument("--held", type=int, default=10_000, help="measure on so many held out")
    found.add_argument("--everything", action="store_true", help="hold nothing out")
    found.add_argument("--rate", type=float, default=3e-4)
    found.add_argument("--batch", type=int, default=96)
    found.add_argument("--blur", type=float, default=0.05, help="share of words hidden")
    found.add_argument("--rank", type=int, default=32)
    found.add_argument("--seed", type=int, default=2)
    return found


def with_upper(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Return the parser with what teaching the upper layers alone needs."""
    parser.add_argument("--upper", type=int, help="teach so many upper layers only")
    parser.add_argument("--batches", type=int, default=256, help="with --upper: batches in all")
    return parser


def chosen(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return what the command line says, with the seed set."""
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


def halfway_batches(
    judge: TrainedJudge, rows: Iterator[tuple[np.ndarray, ...]], count: int
) -> list[tuple[Any, ...]]:
    """Return `count` batches with the states that the first taught layer reads, in 16 bits."""
    kept = []
    for _ in range(count):
        ids, *others = next(rows)
        kept.append((judge.halfway(ids, others[0]).to(torch.float16).cpu(), *others))
    return kept


def again(judge: TrainedJudge, kept: list[tuple[Any, ...]], seed: int) -> Iterator[tuple[Any, ...]]:
    """Return batches of `halfway_batches` without end, in another order each time."""
    chance, model = np.random.default_rng(seed), judge.model
    while True:
        for at in chance.permutation(len(kept)):
            states, *others = kept[at]
            yield states.to(model.device, model.dtype), *others


def run(source: Source, options: argparse.Namespace, caps: Any = CAPS) -> None:
    """Teach a judge from a source and store it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Backbone(options.data, device, options.rank, options.upper)
    judge = TrainedJudge(source.words, caps, model)
    if options.start:
        judge.start_from(options.start)
    rows: Iterator[tuple[Any, ...]] = batches(
        source, caps, options.batch, options.blur, options.seed
    )
    if options.upper:
        # before the time limit begins
        rows = again(judge, halfway_batches(judge, rows, options.batches), options.seed)
    else:
        rows = ((judge.halfway(ids, lengths), lengths, *others) for ids, lengths, *others in rows)

    def step() -> torch.Tensor:
        states, lengths, goals, weights = next(rows)
        goal, weight = (torch.from_numpy(one).float().to(device) for one in (goals, weights))
        losses = functional.binary_cross_entropy_with_logits(
            judge.told(states, lengths), goal, reduction="none"
        )
        return (losses * weight).mean()

    teach(judge.model, judge.heads, step, options.out, limit=options.limit, rate=options.rate,
          check=lambda: source.measure(judge), steps=options.steps)  # fmt: skip
