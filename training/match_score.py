"""Fit how encoder and judge are put together: the weights in monitor/matching/match_score.py.

    python -m training.match_score --data ../shared/data          # half an hour on two cores

Weights come from six labelled topics that neither model was taught (topics_dev, with as many right
as wrong); the constant from topics of our own that the judge was not taught, every item of whose
chunks is labelled, weighed so that one item in a hundred is on topic. The encoder was taught those,
so they say nothing about its weight. Prints the fitted numbers; rounded by hand into the product.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from sklearn.linear_model import LogisticRegression

from monitor.analysis.offline import build_matcher
from monitor.config.schema import Topic
from monitor.embedding import embed_stories
from monitor.embedding.multilingual import MultilingualEmbedder
from monitor.matching.judge_text import topic_text
from monitor.model import Story
from monitor.observability import logs
from training.prepare import HERE, LEAD, lines, table, title_of

HELD = ("04", "09", "14")  # chunks of our own that the judge was not taught
NATURAL = 2.5  # times that an item off topic is commoner in the news than in a chunk
READ = 22  # stories of a topic that the judge reads, the likeliest


def pairs(encoder: MultilingualEmbedder, topics: list[Topic], stories: list[Story], labels: np.ndarray) -> np.ndarray:  # fmt: skip  # noqa: E501
    """Return rows of (closeness, logit, 1 or 0) for labels (stories, topics); -1 where none."""
    matcher = build_matcher(topics, encoder)
    close = matcher.closeness(embed_stories(encoder, stories, 2))
    margins = np.array([one.max(axis=0) for one in close])
    found = []
    for at, topic in enumerate(topics):
        known = np.flatnonzero(np.isin(labels[:, at], (0, 2)))
        read = known[np.argsort(-margins[known, at])][: READ if len(known) > 200 else None]
        texts = [f"{stories[k].title}. {stories[k].summary}".rstrip(". ") for k in read]
        logits = encoder.library.topic_judge.score([topic_text(topic)] * len(read), texts)
        found.append(np.stack([margins[read, at], logits, labels[read, at] == 2], axis=1))
    return np.concatenate(found)


def developed(data: Path) -> tuple[list[Topic], list[Story], np.ndarray]:
    """Return the six topics with their headlines."""
    raw = yaml.safe_load((data / "topics_dev/topics.yaml").read_text(encoding="utf-8"))["topics"]
    topics = [Topic(id=one["id"], name=one["name"], description=one["description"]) for one in raw]
    rows = table(data / "topics_dev/topics.tsv")
    labels = np.full((len(rows), len(topics)), -1)
    for at, row in enumerate(rows):
        labels[at, [topic.id for topic in topics].index(row["topic_id"])] = int(row["label"])
    stories = [Story(id=str(at), title=title_of(row["title"])) for at, row in enumerate(rows)]
    return topics, stories, labels


def natural(data: Path) -> tuple[list[Topic], list[Story], np.ndarray]:
    """Return topics of our own that the judge was not taught, with their chunks."""
    known = {row["item"]: row for row in table(data / "topics_train/items.tsv.gz")}
    chunks = {one["chunk"]: one["items"] for one in lines([HERE / "labels/chunks.jsonl"])}
    own = [one for one in lines([HERE / "labels/topics.jsonl"]) if one["chunk"] in HELD]
    items = [item for chunk in HELD for item in chunks[chunk]]
    labels = np.full((len(items), len(own)), -1)
    for at, topic in enumerate(own):
        for item in chunks[topic["chunk"]]:
            level = 2 if item in topic["on"] else 1 if item in topic["near"] else 0
            labels[items.index(item), at] = level
    topics = [
        Topic(id=f"t{at}", name=one["name"], description=one["description"],
              examples=tuple(one["examples"])) for at, one in enumerate(own)
    ]  # fmt: skip
    stories = [
        Story(id=item, title=known[item]["title"], summary=known[item]["summary"][:LEAD])
        for item in items
    ]
    return topics, stories, labels


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    encoder = MultilingualEmbedder()
    rows = pairs(encoder, *developed(options.data))
    fitted = LogisticRegression(C=100).fit(rows[:, :2], rows[:, 2])
    print(f"topics_dev: closeness {fitted.coef_[0, 0]:.2f}, logit {fitted.coef_[0, 1]:.2f}")
    rows = pairs(encoder, *natural(options.data))
    weight = np.where(rows[:, 2] == 1, 1.0, NATURAL)
    alone = LogisticRegression(C=100).fit(rows[:, 1:2], rows[:, 2], weight)
    print(f"natural rate, judge alone: {alone.coef_[0, 0]:.2f}, {alone.intercept_[0]:.2f}")


if __name__ == "__main__":
    logs.configure()
    main()
