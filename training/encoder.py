"""Teach the encoder's adapter: one vector a text, for topics and for events.

    python -m training.encoder --data /tmp/prepared --out encoder.npz --limit 5400

Three losses. Reports of one event lie nearer each other than any other report of their time. A
topic lies nearer its stories than others. Texts of many languages keep the neighbours that the
base model gives them, so that languages stay aligned.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from training import data
from training.data import NONE, Words
from training.loop import teach
from training.model import Backbone, in_groups

TEMPERATURE = 0.05
BASE_TEMPERATURE = 0.02  # of the base model, whose cosines are all between .7 and 1
EACH = 0.3  # share of the loss that judges each pair by itself, so that one line fits all
SHARE = {"topics": 0.7, "languages": 0.5, "parallel": 0.5}  # of losses; events 1
GROUPS = 4  # texts of like length go through the model together
MORE = {"n": 2, "a": 6, "b": 6, "c": 6, "w": 4, "m": 4, "k": 1}  # how often a topic is taken


class Batches:
    """Draws texts for each loss. Segments have 14 columns: begin, `query:`, text, end."""

    def __init__(self, folder: Path, seed: int, *, everything: bool) -> None:
        self.words, self.chance = Words(folder), np.random.default_rng(seed)
        self.events, self.items = (data.read_table(folder, one) for one in ("events", "items"))
        self.pairs = data.read_table(folder, "pairs")
        topics = [one for one in data.read_topics(folder) if everything or not one["held"]]
        self.topics = [one for one in topics if any(label == 2 for _, label in one["rows"])]
        often = np.array([MORE[one["kind"]] for one in self.topics], float)
        self.often = often / often.sum()
        use = np.ones(len(self.events["kind"]), bool) if everything else self.events["held"] == 0
        kind, window = self.events["kind"], self.events["window"]
        self.windows = [
            [np.flatnonzero(use & (kind == one) & (window == at))
             for at in np.unique(window[use & (kind == one)])] for one in range(4)
        ]  # fmt: skip
        self.windows = [[w for w in windows if len(w) > 20] for windows in self.windows]
        self.held = np.flatnonzero((self.events["held"] == 1) & (kind == 0))
        self.foreign = np.flatnonzero(self.items["language"] != 0)
        self.english = np.flatnonzero(self.items["language"] == 0)
        parallel = [at for at, one in enumerate(self.pairs["sources"]) if "parallel" in one]
        same = self.pairs["label"] > 0.5
        self.parallel = np.flatnonzero(np.isin(self.pairs["source"], parallel) & same)

    def texts(self, body: np.ndarray) -> np.ndarray:
        """Return whole segments around the columns of texts."""
        words, count = self.words, len(body)
        wide = np.full((count, 11), NONE, np.int32)
        wide[:, : body.shape[1]] = body
        mark = [np.full((count, 1), one, np.int32) for one in (words.bos, words.query, words.eos)]
        return np.concatenate([mark[0], mark[1], wide, mark[2]], axis=1)

    def reports(self, table: data.Table, rows: np.ndarray, *, vary: bool = True) -> np.ndarray:
        """Return the texts of reports of a table."""
        chance = self.chance if vary else None
        return self.texts(self.words.story(table["title"][rows], table["summary"][rows], chance))

    def blocks(self) -> list[np.ndarray]:
        """Return rows of reports, a block each of one time and kind."""
        chance = self.chance
        found = []
        for kind, size in ((0, 128), (0, 128), (1, 96), (2, 96), (3, 64)):
            rows = self.windows[kind][chance.integers(len(self.windows[kind]))]
            begin = int(chance.integers(max(1, len(rows) - size + 1)))
            if kind == 1:  # its day is long: take whole stories
                stories = np.unique(self.events["event"][rows])
                chosen = chance.choice(stories, min(10, len(stories)), replace=False)
                rows, begin = rows[np.isin(self.events["event"][rows], chosen)], 0
                rows = chance.permutation(rows)
            found.append(rows[begin : begin + size])
        return found

    def topic_batch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return topics, stories, and known labels (topics, stories): 2, 1, 0, or -1 unknown."""
        chance = self.chance
        chosen = chance.choice(len(self.topics), 48, replace=False, p=self.often)
        texts, items = [], []
        for at in chosen:
            topic = self.topics[at]
            modes = (0, 1, 1, 2) if topic["examples"] else (0, 1, 1)
            texts.append(self.words.topic(topic, modes[chance.integers(len(modes))], chance))
            for label, most in ((2, 3), (0, 3)):
                rows = [item for item, one in topic["rows"] if one == label]
                items += list(chance.permutation(rows)[:most])
        items += list(chance.choice(self.foreign, 32)) + list(chance.choice(self.english, 32))
        every = np.unique(np.array(items))
        labels = np.full((len(chosen), len(every)), -1, np.int8)
        for row, at in enumerate(chosen):
            known = dict(self.topics[at]["rows"])
            labels[row] = [known.get(int(item), -1) for item in every]
        topics = self.texts(np.array(texts, np.int32))
        return topics, self.reports(self.items, every), labels


class EncoderLearner:
    """The model, its heads, and the losses of one step."""

    def __init__(self, folder: Path, batches: Batches, device: str, rank: int) -> None:
        self.batches, self.device = batches, device
        self.model = Backbone(folder, device, rank)
        self.base = Backbone(folder, device, rank).requires_grad_(requires_grad=False)
        values = {
            "events": torch.tensor([3.0, -2.7]),
            "topics": torch.tensor([3.0, -2.7]),
        }
        self.heads = {key: torch.nn.Parameter(one.to(device)) for key, one in values.items()}

    def encode(self, segments: np.ndarray, model: Backbone | None = None) -> torch.Tensor:
        """Return unit vectors of texts."""
        ids, lengths = self.batches.words.lay(segments, ((2, 8), (11, 150), (1, 1)))
        return functional.normalize(in_groups(model or self.model, ids, lengths, GROUPS), dim=1)

    def step(self) -> torch.Tensor:
        """Return the loss of a new batch."""
        b = self.batches
        blocks = b.blocks()
        topics, stories, labels = b.topic_batch()
        mixed = np.concatenate([b.chance.choice(b.foreign, 96), b.chance.choice(b.english, 32)])
        some = b.chance.permutation(b.parallel)[:32]
        parallel = np.concatenate([b.pairs["a"][some], b.pairs["b"][some]])[:, None]
        language_texts = b.reports(b.items, mixed)
        parts = [*(b.reports(b.events, rows) for rows in blocks), topics, stories, language_texts,
                 b.texts(parallel.astype(np.int32))]  # fmt: skip
        vectors = self.encode(np.concatenate(parts)).split([len(one) for one in parts])
        loss = torch.zeros((), device=self.device)
        for rows, found in zip(blocks, vectors, strict=False):
            loss = loss + self._events(found, b.events["event"][rows]) / len(blocks)
        _, _, _, _, _, topic, story, language, same = vectors
        loss = loss + SHARE["topics"] * self._topics(topic, story, labels)
        loss = loss + SHARE["languages"] * self._languages(language, language_texts)
        if len(some):
            names = np.tile(np.arange(len(some)), 2)
            loss = loss + SHARE["parallel"] * self._events(same, names)
        return loss

    def _events(self, vectors: torch.Tensor, events: np.ndarray) -> torch.Tensor:
        gold = torch.from_numpy(events).to(self.device)
        cosines = vectors @ vectors.T
        itself = torch.eye(len(gold), dtype=torch.bool, device=self.device)
        same = (gold[:, None] == gold) & ~itself
        pairs = same.sum().clamp(min=1)
        sharp = (cosines / TEMPERATURE).masked_fill(itself, -1e4)
        others = sharp.masked_fill(same, -1e4).logsumexp(1, keepdim=True)
        nearer = (functional.softplus(others - sharp) * same).sum() / pairs
        scale, bias = self.heads["events"] * 10
        each = functional.binary_cross_entropy_with_logits(
            scale * cosines + bias, same.float(), reduction="none"
        )
        return nearer + EACH * each.masked_fill(itself, 0).sum() / pairs

    def _topics(
        self, topics: torch.Tensor, stories: torch.Tensor, labels: np.ndarray
    ) -> torch.Tensor:
        known = torch.from_numpy(labels).to(self.device)
        cosines = topics @ stories.T
        right, near = known == 2, known == 1
        sharp = cosines / TEMPERATURE
        others = sharp.masked_fill(right | near, -1e4).logsumexp(1, keepdim=True)
        nearer = (functional.softplus(others - sharp) * right).sum() / right.sum().clamp(min=1)
        scale, bias = self.heads["topics"] * 10
        each = functional.binary_cross_entropy_with_logits(
            scale * cosines + bias, right.float(), reduction="none"
        )
        return nearer + EACH * each.masked_fill(near, 0).sum() / right.sum().clamp(min=1)

    def _languages(self, vectors: torch.Tensor, segments: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            base = self.encode(segments, self.base)
        itself = torch.eye(len(base), dtype=torch.bool, device=self.device)
        goal = (base @ base.T / BASE_TEMPERATURE).masked_fill(itself, -1e4).softmax(1)
        told = (vectors @ vectors.T / TEMPERATURE).masked_fill(itself, -1e4).log_softmax(1)
        return -(goal * told).sum(1).mean()

    @torch.no_grad()
    def measure(self) -> str:
        """Return how well pairs of reports of held-out months are told apart by cosine."""
        b, found = self.batches, []
        for window in np.unique(b.events["window"][b.held])[:24]:
            rows = b.held[b.events["window"][b.held] == window]
            vectors = self.encode(b.reports(b.events, rows, vary=False))
            event = b.events["event"][rows]
            upper = np.triu_indices(len(rows), 1)
            cosines = (vectors @ vectors.T).float().cpu().numpy()[upper]
            found.append(data.average_precision(cosines, (event[:, None] == event)[upper]))
        return f"pairs of one event, AP {np.mean(found):.3f} over {len(found)} windows"


def main() -> None:
    """Teach and store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of training.prepare")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=float, default=5400, help="seconds")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--everything", action="store_true", help="hold nothing out")
    chosen = parser.parse_args()
    torch.manual_seed(chosen.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    batches = Batches(chosen.data, chosen.seed, everything=chosen.everything)
    learner = EncoderLearner(chosen.data, batches, device, chosen.rank)
    if chosen.start:
        learner.model.start_from(chosen.start)
    teach(learner.model, learner.heads, learner.step, chosen.out, limit=chosen.limit,
          rate=chosen.rate, check=learner.measure, steps=chosen.steps)  # fmt: skip


if __name__ == "__main__":
    main()
