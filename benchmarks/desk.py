"""What a desk sees on an ordinary day: every item of 24 outlets, ten topics, our own decisions.

    python -m benchmarks.desk --data ../shared/data [--day desk_dev] [--model NAME] [--read 10]

The day's items go through the analysis that `wirewatch replay` and the service use. A match counts
against the labels of matches (borderline items count neither way); a first alert is right, arguable
(a borderline item), off topic, or repeated: its happening was told before.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import yaml

from benchmarks.labelled import rows
from monitor.analysis.offline import offline_analysis
from monitor.analysis.replay import ReplayStory, replay
from monitor.config.schema import Config, Topic
from monitor.model import Match, Story
from monitor.observability import logs

RIGHT, ARGUABLE, OFF, REPEATED = "right", "arguable", "off", "repeated"


@dataclass
class Day:
    """One labelled day. Labels are 2 on topic, 1 arguable, 0 off, by story and topic."""

    stories: list[Story]
    events: dict[str, str]
    labels: dict[str, dict[str, int]]
    topics: tuple[Topic, ...]


@dataclass
class TopicDay:
    """What one topic came to."""

    topic: str
    scores: list[tuple[float, int]] = field(default_factory=list)  # score, label
    fired: list[tuple[bool, int]] = field(default_factory=list)
    alerts: list[tuple[str, str, float, str]] = field(default_factory=list)
    missed: list[tuple[float, str]] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)

    def count(self, kind: str) -> int:
        """Return how many first alerts were of a kind."""
        return sum(alert[0] == kind for alert in self.alerts)

    @property
    def precision_recall(self) -> tuple[int, int, int]:
        """Return how many matches were right, how many there were, and how many to find."""
        counted = [(fired, label == 2) for fired, label in self.fired if label != 1]
        right = sum(fired and truth for fired, truth in counted)
        return right, sum(f for f, _ in counted), sum(t for _, t in counted)

    @property
    def average_precision(self) -> float:
        """Return the average precision of the scores; not a number where nothing is on topic."""
        counted = [(score, label == 2) for score, label in self.scores if label != 1]
        hits = np.array([truth for _, truth in sorted(counted, key=lambda one: -one[0])])
        if not hits.any():
            return float("nan")
        return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def read_day(folder: Path, topics: Path | None = None) -> Day:
    """Read a labelled day."""
    stories, events, labels = [], {}, defaultdict(dict)
    for row in rows(folder / "items.tsv"):
        when = datetime.fromisoformat(row["published"]).astimezone(UTC).timestamp()
        stories.append(
            Story(
                id=row["n"], title=row["title"], summary=row["summary"], url=row["url"],
                source=row["source"], published=when, seen_at=when,
            )
        )  # fmt: skip
        alone = f"alone-{row['n']}"
        events[row["n"]] = row["event"] if row["event"] not in ("", "-") else alone
        for level in (1, 2):
            for topic in filter(None, (row[f"topics{level}"] or "").split(",")):
                labels[row["n"]][topic] = level
    raw = yaml.safe_load((topics or folder / "topics.yaml").read_text(encoding="utf-8"))["topics"]
    return Day(stories, events, dict(labels), tuple(Topic(**one) for one in raw))


def measure(day: Day, model: str | None) -> tuple[list[TopicDay], float]:
    """Return each topic's result, and how many seconds the day took."""
    settings = {"embedding": {"model": model}} if model else {}
    analysis, encoder = offline_analysis(Config(topics=day.topics, **settings))
    lines = [ReplayStory(at, story) for at, story in enumerate(day.stories)]
    results = {topic.id: TopicDay(topic.id) for topic in day.topics}
    for story, labels in day.labels.items():
        for topic, label in labels.items():
            if label == 2 and topic in results:
                results[topic].wanted.add(day.events[story])
    began = datetime.now(UTC)
    for _, outcome, matches in replay(lines, analysis, encoder, window=Config().events.window):
        story = outcome.item.story
        by_topic = {match.topic: match for match in matches}
        for topic, match in by_topic.items():
            label = day.labels.get(story.id, {}).get(topic, 0)
            results[topic].scores.append((match.score, label))
            results[topic].fired.append((match.fired, label))
            if label == 2 and not match.fired:
                results[topic].missed.append((match.score, story.title))
        for alert in outcome.alerts:
            _alerted(results[alert.topic], day, story, by_topic[alert.topic], alert.is_update)
    return list(results.values()), (datetime.now(UTC) - began).total_seconds()


def _alerted(result: TopicDay, day: Day, story: Story, match: Match, update: bool) -> None:
    event = day.events[story.id]
    label = day.labels.get(story.id, {}).get(result.topic, 0)
    kind = {2: RIGHT, 1: ARGUABLE, 0: OFF}[label]
    if label == 2 and event in result.told:
        kind = REPEATED
    if label == 2:
        result.told.add(event)
    if not update:
        result.alerts.append((kind, story.title, match.score, match.evidence))


def show(results: list[TopicDay], seconds: float, stories: int, read: int) -> None:
    """Print the table and, if wanted, alerts and near misses to read."""
    names = ("topic", "P", "R", "F1", "AP", "alerts", RIGHT, ARGUABLE, OFF, REPEATED, "told/wanted")
    print("  ".join(f"{name:>9}" for name in names))
    for one in results:
        print(_row(one.topic, *one.precision_recall, one.average_precision, [one]))
    sums = zip(*(one.precision_recall for one in results), strict=True)
    right, fired, wanted = (sum(column) for column in sums)
    mean = float(np.nanmean([one.average_precision for one in results]))
    print(_row("all", right, fired, wanted, mean, results))
    print(f"{stories} stories in {seconds:.0f} s, {stories / max(seconds, 1e-9):.1f} a second")
    for one in results if read else ():
        print(f"\n{one.topic}")
        for kind, title, score, _ in sorted(one.alerts, key=lambda a: -a[2])[:read]:
            print(f"  {score:.2f} {kind:9} {title[:110]}")
        for score, title in sorted(one.missed, reverse=True)[:read]:
            print(f"  {score:.2f} missed    {title[:110]}")


def _row(name: str, right: int, fired: int, wanted: int, ap: float, results: list[TopicDay]) -> str:
    precision, recall = right / max(fired, 1), right / max(wanted, 1)
    f1 = 2 * right / max(fired + wanted, 1)
    counts = [sum(one.count(kind) for one in results) for kind in (RIGHT, ARGUABLE, OFF, REPEATED)]
    told, events = sum(len(r.told) for r in results), sum(len(r.wanted) for r in results)
    cells = [f"{name[:9]:>9}", *(f"{value:9.3f}" for value in (precision, recall, f1, ap))]
    cells += [f"{sum(counts):9}", *(f"{count:9}" for count in counts), f"{told:>6}/{events}"]
    return "  ".join(cells)


def main() -> None:
    """Measure a day and print what a desk would have seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--day", default="desk_dev", help="folder of the day, inside the data")
    parser.add_argument("--topics", type=Path, help="other topics, in YAML")
    parser.add_argument("--model", help="another embedding.model")
    parser.add_argument("--read", type=int, default=0, help="alerts and misses shown a topic")
    options = parser.parse_args()
    day = read_day(options.data / options.day, options.topics)
    results, seconds = measure(day, options.model)
    show(results, seconds, len(day.stories), options.read)


if __name__ == "__main__":
    logs.configure()
    main()
