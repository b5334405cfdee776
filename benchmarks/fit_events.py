"""Learn what tells happenings apart: the model's second view, its space, the weights of a link.

    python -m benchmarks.fit_events --data ../shared/data --work /tmp/fit     # an hour and a half

Everything is learned from labelled headlines (`benchmarks.labelled`). The changes to the
model are learned four times: once from all stretches, which is what is written into the package
(event_adapter.npz, vector_space.npz), and thrice with two months of the half year left out. Those
three give each stretch vectors by a model that saw neither it nor the news of its weeks; from them
come the weights for `monitor/events/pair_score.py`, which are printed, and figures for news that
was not learned from, with the weights that pair_score.py has.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from benchmarks.events import ours
from benchmarks.labelled import (
    Embedded,
    LabelledNews,
    embed,
    measure,
    read_day,
    read_dev,
    read_own,
    told_by,
)
from monitor.embedding import event_adapter
from monitor.embedding.transformer import DEFAULT_WEIGHTS, open_weights
from monitor.events import Owners, groups, pair_score, vector_space
from monitor.events.features import mean_of, reduce
from monitor.events.index import FLOOR
from monitor.events.index_rows import Rows
from monitor.events.text import strip_outlet
from monitor.model import Matrix
from monitor.observability import logs

FOLDS = 3
WIDTH = 192  # of the space
RANK = 16  # of the changes to each matrix of the model
_EPOCHS = 3  # of two passes
_RATE = 5e-4
_BATCH = 128  # headlines of one stretch at a time
_ALIKE = 32  # of those, texts of like length that go through the model together
_TEMPERATURE = 0.05
_AVERAGED = 0.97  # of the running mean of the changes, which is what is kept
_PARTS = ("attention.self.query", "attention.self.key", "attention.self.value",
          "attention.output.dense", "intermediate.dense", "output.dense")  # fmt: skip

Text = tuple[list[str], list[str]]  # texts of one stretch and the happening of each


class Changed(torch.nn.Module):
    """A linear layer with a change of low rank beside it (LoRA, Hu et al. 2021)."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.down = torch.nn.Parameter(torch.randn(RANK, layer.in_features) * 0.05)
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, RANK))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer and the change."""
        return self.layer(inputs) + (inputs @ self.down.T) @ self.up.T


@dataclass
class PairLearner:
    """The model with its changes, and where changed layers are."""

    model: Any
    layers: dict[str, Changed]

    @staticmethod
    def start() -> PairLearner:
        """Return the packaged model with changes that change nothing yet."""
        model = open_weights()
        model.requires_grad_(requires_grad=False)
        layers = {}
        for name, layer in list(model.named_modules()):
            if name.endswith(_PARTS) and isinstance(layer, torch.nn.Linear):
                changed = layers[name[name.index("encoder.") :]] = Changed(layer)
                parent, _, last = name.rpartition(".")
                setattr(model.get_submodule(parent), last, changed)
        return PairLearner(model, layers)

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Return unit vectors, to learn from."""
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        found = []
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for start in range(0, len(order), _ALIKE):
                alike = [texts[at] for at in order[start : start + _ALIKE]]
                found.append(self.model(self.model.preprocess(alike))["sentence_embedding"])
        back = torch.tensor(order).argsort()
        return functional.normalize(torch.cat(found).float()[back], dim=1)


def loss(
    learner: PairLearner, texts: Text, scale: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Return how far from right a batch is: each pair among all others, and each by itself."""
    names = {name: at for at, name in enumerate(dict.fromkeys(texts[1]))}
    gold = torch.tensor([names[name] for name in texts[1]])
    vectors = learner.encode(texts[0])
    cosines = vectors @ vectors.T
    self_pair = torch.eye(len(gold), dtype=torch.bool)
    same = (gold[:, None] == gold) & ~self_pair
    pairs = same.sum().clamp(min=1)
    sharp = (cosines / _TEMPERATURE).masked_fill(self_pair, -1e9)
    others = sharp.masked_fill(same, -1e9).logsumexp(1, keepdim=True)
    nearer = (functional.softplus(others - sharp) * same).sum() / pairs
    judged = functional.binary_cross_entropy_with_logits(
        scale * cosines + bias, same.float(), reduction="none"
    ).masked_fill(self_pair, 0)
    return nearer + judged.sum() / pairs


def learn(stretches: list[Text], seed: int) -> PairLearner:
    """Return the model as changed by stretches of labelled texts."""
    torch.manual_seed(seed)
    chance = random.Random(seed)
    learner = PairLearner.start()
    scale, bias = (torch.nn.Parameter(torch.tensor(value)) for value in (12.0, -6.0))
    changes = [value for layer in learner.layers.values() for value in (layer.down, layer.up)]
    optimizer = torch.optim.AdamW(
        [
            {"params": changes, "lr": _RATE, "weight_decay": 0.01},
            {"params": [scale, bias], "lr": 0.02, "weight_decay": 0},
        ]
    )
    full = [group["lr"] for group in optimizer.param_groups]
    kept = [value.detach().clone() for value in changes]
    begun, steps, step = time.perf_counter(), _EPOCHS * 2 * len(stretches), 0
    for epoch in range(_EPOCHS):
        learner.model.train()
        order = list(range(len(stretches))) * 2
        chance.shuffle(order)
        total = 0.0
        for at in order:
            step += 1
            done = step / steps
            for group, rate in zip(optimizer.param_groups, full, strict=True):
                group["lr"] = rate * min(1, done * 10) * max(0.02, 1 - done)
            texts, gold = stretches[at]
            chosen = sorted(chance.sample(range(len(texts)), min(_BATCH, len(texts))))
            value = loss(
                learner, ([texts[i] for i in chosen], [gold[i] for i in chosen]), scale, bias
            )
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(changes, 1.0)
            optimizer.step()
            total += value.item()
            for mean, now in zip(kept, changes, strict=True):
                mean.mul_(_AVERAGED).add_(now.detach(), alpha=1 - _AVERAGED)
        print(f"epoch {epoch + 1}: loss {total / len(order):.3f}, "
              f"{time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
    for value, mean in zip(changes, kept, strict=True):
        value.data.copy_(mean)
    return learner


def write_changes(learner: PairLearner, path: Path) -> None:
    """Write the changes for `monitor.embedding.event_adapter`, in half precision."""
    arrays: dict[str, Any] = {"weights": DEFAULT_WEIGHTS}
    for name, layer in learner.layers.items():
        arrays[f"{name}.weight/down"] = layer.down.detach().numpy().astype(np.float16)
        arrays[f"{name}.weight/up"] = layer.up.detach().numpy().astype(np.float16)
    np.savez_compressed(path, **arrays)


def texts_of(parts: Sequence[LabelledNews]) -> Iterator[Text]:
    """Return what to learn from: headlines, and where there are leads, headlines with leads."""
    for part in parts:
        yield [strip_outlet(story.title, story.source) for story in part.stories], part.gold
        if any(story.summary for story in part.stories):
            yield told_by(part.stories), part.gold


def read(data: Path) -> list[LabelledNews]:
    """Return everything there is to learn from."""
    return read_own(data) + read_dev(data) + read_day(data)


def folds(parts: Sequence[LabelledNews]) -> list[int]:
    """Return the fold of each stretch: as many stretches each, and each a time of its own."""
    order = np.argsort([part.stories[0].published for part in parts], kind="stable")
    ranks = np.empty(len(parts), int)
    ranks[order] = np.arange(len(parts))
    return [int(rank) * FOLDS // len(parts) for rank in ranks]


def learn_one(data: Path, path: Path, left_out: int | None) -> None:
    """Learn the changes from all stretches but those of a fold, and write them, unless done."""
    if path.exists():
        return
    torch.set_num_threads(1)
    parts = read(data)
    kept = [part for part, fold in zip(parts, folds(parts), strict=True) if fold != left_out]
    write_changes(learn(list(texts_of(kept)), seed=0), path)


@dataclass
class Viewed:
    """A stretch with both views: by a model that learned from it, and by one that did not."""

    part: Embedded
    mean: Matrix  # unit rows
    seen: Matrix
    unseen: Matrix


def view(parts: Sequence[Embedded], work: Path) -> list[Viewed]:
    """Return both views of every stretch."""
    plain, found = open_weights(), []
    models = [event_adapter.adapted(plain, work / f"{name}.npz") for name in (*range(FOLDS), None)]
    for part, fold in zip(parts, folds(parts), strict=True):
        texts = told_by(part.stories)
        unseen, seen = (
            model.encode(texts, normalize_embeddings=True, batch_size=64)
            for model in (models[fold], models[-1])
        )
        means = np.stack([mean_of(item) for item in part.items])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        found.append(Viewed(part, means, seen, unseen))
    return found


def projection(views: Sequence[Viewed]) -> Matrix:
    """Return the strongest directions of both views laid end to end, shape (768, WIDTH)."""
    stacked = np.concatenate([vector_space.joined(v.mean, v.seen) for v in views])
    return np.linalg.svd(stacked, full_matrices=False)[2][:WIDTH].T.astype(np.float16)


def pairs(viewed: Viewed, owners: Owners) -> tuple[Matrix, npt.NDArray[np.bool_], Matrix]:
    """Return features, truth and plain cosine of each pair that search would bring up."""
    members = [
        reduce(replace(item, happening=vector), owners)
        for item, vector in zip(viewed.part.items, viewed.unseen, strict=True)
    ]
    rows = Rows()
    rows.expect(members[0].model, len(members[0].vector))
    for member in members:
        rows.add(member)
    idf, gold = rows.idf(*pair_score.prior()), np.array(viewed.part.gold)
    tables, truths, plain = [], [], []
    for at, member in enumerate(members[1:], 1):
        meaning = rows.vectors[:at] @ member.vector
        same = gold[:at] == gold[at]
        kept = np.flatnonzero((meaning > FLOOR) | same)
        others = pair_score.Others(
            rows.terms[kept], rows.flags[kept], rows.times[kept], rows.places[kept], rows.main[kept]
        )
        tables.append(pair_score.features(member, meaning[kept], others, idf))
        truths.append(same[kept])
        plain.append(viewed.mean[kept] @ viewed.mean[at])
    return np.concatenate(tables), np.concatenate(truths), np.concatenate(plain)


def weigh(views: Sequence[Viewed]) -> None:
    """Print the weights of a link, and how plain cosines are read in the space."""
    owners = Owners.load()
    found = [pairs(viewed, owners) for viewed in views]
    table, truth, plain = (np.concatenate([part[at] for part in found]) for at in range(3))
    fitted = LogisticRegression(C=10, max_iter=2000).fit(table, truth)
    slope, offset = np.polyfit(plain, table[:, 0], 1)
    print("weights", dict(zip(pair_score.FEATURES, fitted.coef_[0].round(2).tolist(), strict=True)))
    print(
        f"bias {fitted.intercept_[0]:.2f}; pairs {len(truth):,}, of one happening {truth.sum():,}"
    )
    print(f"a plain cosine c reads as {slope:.2f} c {offset:+.2f}")


def judge(views: Sequence[Viewed]) -> None:
    """Print figures through the index itself, and what they would be if groups joined otherwise."""
    owners, before = Owners.load(), groups.JOIN
    for join in (before, *np.arange(before - 0.12, before + 0.13, 0.04)):
        groups.JOIN = float(join)
        for kind in ("unseen", "seen")[: 2 if join == before else 1]:
            found: dict[str, list[tuple[float, ...]]] = {}
            for viewed in views:
                items = [
                    replace(item, happening=vector)
                    for item, vector in zip(viewed.part.items, getattr(viewed, kind), strict=True)
                ]
                name = viewed.part.name.split()[0]
                found.setdefault(name, []).append(measure(viewed.part.gold, ours(items, owners)))
            for name, values in found.items():
                mean = " ".join(f"{x:.3f}" for x in np.mean(values, axis=0))
                print(f"join {join:.2f}, {name}, {kind}: {mean}", flush=True)
    groups.JOIN = before


def main() -> None:
    """Learn, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled news")
    parser.add_argument("--work", type=Path, required=True, help="keeps what is learned")
    parser.add_argument("--jobs", type=int, default=2, help="processor cores to use")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for done in [
            pool.submit(learn_one, options.data, options.work / f"{fold}.npz", fold)
            for fold in (*range(FOLDS), None)
        ]:
            done.result()
    shutil.copy(options.work / "None.npz", event_adapter.FILE)
    views = view([embed(part, options.work) for part in read(options.data)], options.work)
    np.savez_compressed(
        vector_space.FILE, model=DEFAULT_WEIGHTS[:12], version=event_adapter.version(),
        projection=projection(views),
    )  # fmt: skip
    weigh(views)
    judge(views)


if __name__ == "__main__":
    logs.configure()
    main()
