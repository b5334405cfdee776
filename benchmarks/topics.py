"""How good topic matching is: average precision and F1 over labelled headlines, ours and plain.

    python -m benchmarks.topics --data ../shared/data              # the table, a minute
    python -m benchmarks.topics --data ../shared/data --headlines  # + false alarms, own archive
    python -m benchmarks.topics --speed                            # 1,000 stories x 1,000 topics

The folder holds topics_dev/topics.yaml and topics_dev/topics.tsv (columns topic_id, first_seen,
title, label: 2 on topic, 1 borderline, 0 off). Borderline rows are left out of every figure.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from benchmarks.ranking import average_precision, best_f1, quality
from monitor.config.schema import Topic
from monitor.embedding.transformer import DEFAULT_MODEL, TransformerEmbedder
from monitor.matching import Background, TopicMatcher, texts
from monitor.model import EmbeddedStory, Matrix, Passage, Story
from monitor.observability import logs


@dataclass(frozen=True)
class LabelledStories:
    """One topic's rows."""

    topic: dict
    titles: list[str]
    seen: list[str]
    vectors: Matrix
    truth: np.ndarray


@dataclass
class Row:
    """One line of the table: means over topics."""

    name: str
    ap: float
    f1: float
    precision: float = float("nan")
    recall: float = float("nan")
    hindsight: float = float("nan")

    def __str__(self) -> str:
        cells = (self.ap, self.f1, self.precision, self.recall, self.hindsight)
        return f"| {self.name:<52} | " + " | ".join(f"{cell:5.3f}" for cell in cells) + " |"


HEAD = f"| {'':<52} | AP    | F1    | P     | R     | best  |\n|{'-' * 54}|" + "-------|" * 5


class TopicBench:
    """The labelled sets with their vectors, and the ways to score them."""

    def __init__(self, folder: Path, model: str, cache: Path | None) -> None:
        self.embedder = TransformerEmbedder(model)
        self.model = self.embedder.fingerprint
        self.cache = cache
        self.vectors: dict[str, np.ndarray] = {}
        self.sets = self._read(folder)
        self.background = Background.of(self.model, self.embedder.encode)

    def _read(self, folder: Path) -> list[LabelledStories]:
        topics = yaml.safe_load((folder / "topics.yaml").read_text(encoding="utf-8"))["topics"]
        with (folder / "topics.tsv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        rows = [row for row in rows if row["label"] != "1"]
        found = self.encode([row["title"] for row in rows])
        sets = []
        for topic in topics:
            at = [index for index, row in enumerate(rows) if row["topic_id"] == topic["id"]]
            sets.append(
                LabelledStories(
                    topic,
                    [rows[index]["title"] for index in at],
                    [rows[index]["first_seen"] for index in at],
                    found[at],
                    np.array([rows[index]["label"] == "2" for index in at]),
                )
            )
        return sets

    def encode(self, lines: Sequence[str]) -> Matrix:
        """Embed, remembering long lists on disk where a cache folder is given."""
        if self.cache is None or len(lines) < 500:
            return self.embedder.encode(lines)
        key = hashlib.sha256("\0".join([self.model, *lines]).encode()).hexdigest()[:16]
        path = self.cache / f"{key}.npy"
        if not path.is_file():
            self.cache.mkdir(parents=True, exist_ok=True)
            np.save(path, self.embedder.encode(lines).astype(np.float16))
        return np.load(path).astype(np.float32)

    def build(self, topics: Sequence[Topic], background: Background) -> TopicMatcher:
        """Make topics ready."""
        missing = [text for text in texts(topics) if text not in self.vectors]
        self.vectors |= zip(missing, self.embedder.encode(missing), strict=True)
        return TopicMatcher.build(topics, self.vectors, background)

    def stories(self, titles: Sequence[str], vectors: Matrix) -> list[EmbeddedStory]:
        """Return headlines as embedded stories."""
        return [
            EmbeddedStory(
                Story(id=str(at), title=title),
                (Passage(0, "title", title, title),),
                vector[None],
                self.model,
            )
            for at, (title, vector) in enumerate(zip(titles, vectors, strict=True))
        ]


def make_topic(data: dict, parts: str, **more: object) -> Topic:
    """Return a topic with its name, or with its description and examples too."""
    fields: dict[str, object] = {"id": data["id"], "name": data["name"]}
    if "d" in parts:
        fields["description"] = data["description"].strip()
    if "e" in parts:
        fields["examples"] = list(data["examples"])
    return Topic(**{**fields, **more})  # type: ignore[arg-type]


PARTS = {"name + description + examples": "de", "name + description": "d", "name only": ""}


def ours(bench: TopicBench, parts: str, background: Background | None = None) -> list[tuple]:
    """Score every labelled set with the product's own matcher: (scores, truth) for each topic."""
    topics = [make_topic(one.topic, parts) for one in bench.sets]
    matcher = bench.build(topics, background or bench.background)
    return [
        (matcher.score(bench.stories(one.titles, one.vectors)).score[:, at], one.truth)
        for at, one in enumerate(bench.sets)
    ]


def summarise(name: str, scored: Sequence[tuple], line: float = 0.5) -> Row:
    """Return the means over topics at one line."""
    marks = [quality((scores >= line).tolist(), truth) for scores, truth in scored]
    return Row(
        name,
        float(np.mean([average_precision(scores, truth) for scores, truth in scored])),
        float(np.mean([mark.f1 for mark in marks])),
        float(np.mean([mark.precision for mark in marks])),
        float(np.mean([mark.recall for mark in marks])),
        float(np.mean([best_f1(scores, truth) for scores, truth in scored])),
    )


def plain(bench: TopicBench, parts: str, how: str) -> list[tuple]:
    """Score with a textbook method: the cosine to the mean of the phrases, raw or as z-score."""
    scored = []
    for one in bench.sets:
        topic = make_topic(one.topic, parts)
        phrases = [topic.name, *([topic.description] if topic.description else []), *topic.examples]
        mean = bench.embedder.encode(phrases).mean(axis=0)
        mean /= np.linalg.norm(mean)
        scores = one.vectors @ mean
        if how == "z":
            ordinary = bench.background.vectors @ mean
            scores = (scores - ordinary.mean()) / ordinary.std()
        scored.append((scores, one.truth))
    return scored


def best_common_line(scored: Sequence[tuple]) -> float:
    """Return the one line for all topics that has the best mean F1 in hindsight."""
    values = np.unique(np.concatenate([scores for scores, _ in scored]))
    grid = np.quantile(values, np.linspace(0, 1, 200))
    return max(
        grid,
        key=lambda line: np.mean([quality((s >= line).tolist(), t).f1 for s, t in scored]),
    )


def with_feedback(bench: TopicBench, good: int, bad: int, draws: int = 5) -> Row:
    """Score the rest after so many good and bad answers, given as examples and counter-examples."""
    scored = []
    for one in bench.sets:
        clean = [" ".join(title.split()) for title in one.titles]
        for draw in range(draws):
            random = np.random.default_rng(draw)
            yes = random.permutation(np.flatnonzero(one.truth))
            no = random.permutation(np.flatnonzero(~one.truth))
            rest = np.concatenate([yes[20:], no[20:]])
            answers = {clean[at]: one.vectors[at] for at in (*yes[:good], *no[:bad])}
            bench.vectors |= answers
            topic = make_topic(
                one.topic,
                "d",
                examples=[*one.topic["examples"], *(clean[at] for at in yes[:good])],
                not_=[clean[at] for at in no[:bad]],
            )
            matcher = bench.build([topic], bench.background)
            stories = bench.stories([one.titles[at] for at in rest], one.vectors[rest])
            scored.append((matcher.score(stories).score[:, 0], one.truth[rest]))
    return summarise(f"ours, {good} good and {bad} bad answers, rest of the rows", scored)


def logistic_head(bench: TopicBench, draws: int = 5) -> Row:
    """Score the rest with a logistic regression on 20 + 20 labelled vectors."""
    from sklearn.linear_model import LogisticRegression

    scored = []
    for one in bench.sets:
        for draw in range(draws):
            random = np.random.default_rng(draw)
            yes = random.permutation(np.flatnonzero(one.truth))
            no = random.permutation(np.flatnonzero(~one.truth))
            seen = np.concatenate([yes[:20], no[:20]])
            rest = np.concatenate([yes[20:], no[20:]])
            head = LogisticRegression(C=10, max_iter=1000)
            head.fit(one.vectors[seen], one.truth[seen])
            scored.append((head.predict_proba(one.vectors[rest])[:, 1], one.truth[rest]))
    return summarise("logistic head on 20 + 20 answers, rest of the rows", scored)


def own_archive(
    bench: TopicBench, headlines: list[dict], vectors: Matrix, parts: str
) -> list[tuple]:
    """Score as a service would that has read the headlines so far: renewed every two weeks."""
    seen = np.array([row["first_seen"] for row in headlines])
    turns = sorted({stamp[:8] + ("01" if stamp[8:10] < "15" else "15") for stamp in seen})
    topics = [make_topic(one.topic, parts) for one in bench.sets]
    scores = [np.zeros(len(one.titles)) for one in bench.sets]
    for turn, following in zip(turns, [*turns[1:], "9999"], strict=True):
        background = bench.background.refreshed(vectors[seen < turn])
        matcher = bench.build(topics, background)
        for at, one in enumerate(bench.sets):
            rows = [i for i, stamp in enumerate(one.seen) if turn <= stamp < following]
            if rows:
                stories = bench.stories([one.titles[i] for i in rows], one.vectors[rows])
                scores[at][rows] = matcher.score(stories).score[:, at]
    return [(score, one.truth) for score, one in zip(scores, bench.sets, strict=True)]


def false_alarms(bench: TopicBench, headlines: list[dict], vectors: Matrix) -> None:
    """Print how many of the background headlines each topic fires on, and 50 of them to read."""
    topics = [make_topic(one.topic, "de") for one in bench.sets]
    matcher = bench.build(topics, bench.background)
    titles = [row["title"] for row in headlines]
    score = matcher.score(bench.stories(titles, vectors)).score
    days = len({row["first_seen"][:10] for row in headlines})
    print(f"\nFired of {len(titles)} headlines over {days} days:")
    for at, topic in enumerate(topics):
        counts = [int((score[:, at] >= line).sum()) for line in (0.65, 0.5, 0.35)]
        print(
            f"  {topic.id:<18} strict {counts[0]:>5}  balanced {counts[1]:>5} "
            f"({counts[1] / days:.1f} a day)  broad {counts[2]:>5}"
        )
    random = np.random.default_rng(50)
    pairs = np.argwhere(score >= 0.5)
    for row, at in pairs[random.permutation(len(pairs))[:50]]:
        print(f"  {topics[at].id:<16} {score[row, at]:.2f}  {titles[row]}")


def speed(stories: int, topics: int) -> None:
    """Time scoring with vectors at hand; random vectors cost what real ones do."""
    random = np.random.default_rng(0)
    model = "speed/0/t1"

    def unit(n: int) -> Matrix:
        rows = random.standard_normal((n, 384)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    made = [
        Topic(
            id=f"t{at}",
            name=f"subject{at} talks deal",
            description=f"what belongs to {at}",
            examples=tuple(f"example {at} {n}" for n in range(4)),
        )
        for at in range(topics)
    ]
    needed = texts(made)
    vectors = dict(zip(needed, unit(len(needed)), strict=True))
    background = Background.from_vectors(unit(10_000), model)
    began = time.perf_counter()
    matcher = TopicMatcher.build(made, vectors, background)
    print(f"building {topics} topics: {time.perf_counter() - began:.2f} s")
    batch = [
        EmbeddedStory(
            Story(id=str(at), title=f"headline {at}"),
            (Passage(0, "title", "a", "a"), Passage(1, "lead", "b", "b")),
            rows,
            model,
        )
        for at, rows in enumerate(np.split(unit(2 * stories), stories))
    ]
    for _ in range(3):
        began = time.perf_counter()
        scores = matcher.score(batch)
        for at in range(stories):
            scores.fired(at)
        print(f"{stories} stories x {topics} topics: {time.perf_counter() - began:.2f} s")


def read_headlines(folder: Path) -> list[dict]:
    """Read the background headlines."""
    path = folder / "headlines_2025-07_2026-01.tsv.gz"
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--labels", default="topics_dev", help="folder in --data with the labels")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--headlines", action="store_true", help="also use the 32,074 headlines")
    parser.add_argument("--cache", type=Path, help="folder to remember vectors in")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    args = parser.parse_args()
    if args.speed:
        speed(1000, 1000)
        return 0
    if not (args.data / args.labels).is_dir():
        print(f"no labelled topics at {args.data / args.labels}; name the folder with --data")
        return 2
    bench = TopicBench(args.data / args.labels, args.model, args.cache)
    print(f"model {bench.model} ({bench.embedder.precision}), {bench.background.origin} background")
    rows = []
    for label in ("name + description + examples", "name only"):
        for how, title in (("raw", "one cosine threshold"), ("z", "one z-score threshold")):
            scored = plain(bench, PARTS[label], how)
            line = best_common_line(scored)
            rows.append(summarise(f"mean cosine, {title} (hindsight), {label}", scored, line))
    for label, parts in PARTS.items():
        scored = ours(bench, parts)
        rows.append(summarise(f"ours at balanced, {label}", scored))
        if label != "name + description":
            for one, (scores, truth) in zip(bench.sets, scored, strict=True):
                rows.append(summarise(f"    {one.topic['id']}", [(scores, truth)]))
    rows.append(logistic_head(bench))
    for count in (5, 10, 20):
        rows.append(with_feedback(bench, count, count))
    headlines: list[dict] = []
    if args.headlines:
        headlines = read_headlines(args.data)
        vectors = bench.encode([row["title"] for row in headlines])
        for label in ("name + description + examples", "name only"):
            scored = own_archive(bench, headlines, vectors, PARTS[label])
            rows.append(summarise(f"ours with its own archive, {label}", scored))
    print(HEAD, *rows, sep="\n")
    if args.headlines:
        false_alarms(bench, headlines, vectors)
    if args.json:
        args.json.write_text(json.dumps([vars(row) for row in rows], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    logs.configure()
    sys.exit(main())
