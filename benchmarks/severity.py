"""How well severity is told, beside a word list and the topic's urgency.

    python -m benchmarks.severity --data ../shared/data [--read 30]

Three sets that no training has seen: a whole day of 24 outlets (desk_dev, every item), reports of
three spans of the half year with many grave ones among them, and sixteen other languages than
English. Levels are read by the product's own reader; labels are under `labels/` and
`../training/labels/` (numbers of items, and a level from 0 none to 4 flash).
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.labelled import rows
from monitor.analysis.offline import load_encoder, severity_reader
from monitor.config.schema import EmbeddingSettings
from monitor.editors.severity import severity_of
from monitor.embedding import embed_stories
from monitor.embedding.hashing import HashingEmbedder
from monitor.model import Story
from monitor.observability import logs
from monitor.reasons import Severity
from training.data import kappa

HERE = Path(__file__).parent
_GRAVE = re.compile(
    r"\b(massacre|genocide|war|invasion|coup|earthquake|tsunami|nuclear|hundreds|thousands)\b", re.I
)
_SERIOUS = re.compile(
    r"\b(kill\w*|dead|deadly|dies|died|deaths?|attack\w*|explosion|blast|missiles?|drones?|bomb\w*"
    r"|crash\w*|collapse\w*|emergency|outbreak|hurricane|typhoon|flood\w*|resign\w*)\b",
    re.I,
)
_FIRM = re.compile(
    r"\b(sanction\w*|court|sentenced|guilty|law|strikes?|fires?|wildfires?|tariffs?|ban\w*|recall\w*"
    r"|evacuat\w*|shutdown|layoffs|arrest\w*|protests?|ceasefire|election)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class GradedReport:
    """A report and the level that its reader gave."""

    story: Story
    level: int
    group: str
    watched: bool = False  # a topic of the day takes it


def desk_day(data: Path) -> list[GradedReport]:
    """Return every item of the day."""
    levels = {row["n"]: int(row["level"]) for row in rows(HERE / "labels/severity_desk_dev.tsv")}
    return [
        GradedReport(
            _story(row["n"], row["title"], row["summary"]),
            levels[row["n"]],
            "day",
            bool(row["topics2"]),
        )
        for row in rows(data / "desk_dev/items.tsv")
    ]


def held_out(data: Path) -> list[GradedReport]:
    """Return the reports of the half year and of other languages that are not taught."""
    known = {row["item"]: row for row in rows(data / "topics_train/items.tsv.gz")}
    for at, row in enumerate(rows(data / "current_events_2025-09_2026-01.tsv.gz")):
        known[f"ce{at}"] = {"title": row["text"], "summary": "", "lang": "en"}
    levels = defaultdict(list)
    for row in rows(HERE.parent / "training/labels/severity_held.tsv"):
        levels[row["item"]].append(int(row["level"]))
    found = []
    for name, read in levels.items():
        item = known[name]
        group = "half year" if item["lang"] == "en" else item["lang"]
        level = round(sum(read) / len(read))
        found.append(GradedReport(_story(name, item["title"], item["summary"]), level, group))
    return found


def by_words(story: Story) -> int:
    """Return the level that a list of words gives."""
    text = f"{story.title} {story.summary}"
    steps = ((_GRAVE, 3), (_SERIOUS, 2), (_FIRM, 2))
    return next((level for words, level in steps if words.search(text)), 1)


def by_product(cases: list[GradedReport]) -> list[int]:
    """Return the levels that Wirewatch gives."""
    reader = severity_reader(load_encoder(EmbeddingSettings()))
    assert reader is not None
    plain, found = HashingEmbedder(), []  # only passages are needed, no vectors
    for at in range(0, len(cases), 64):
        stories = [case.story for case in cases[at : at + 64]]
        items = reader.over(embed_stories(plain, stories, 2))
        found += [max(0, Severity.rank(severity_of(item))) for item in items]
    return found


def table(name: str, right: list[int], told: list[int]) -> str:
    """Return a line: kappa, same level, within one level, and both errors of the upper levels."""
    pairs = list(zip(right, told, strict=True))
    same = sum(one == other for one, other in pairs) / len(pairs)
    near = sum(abs(one - other) < 2 for one, other in pairs) / len(pairs)
    agreed = kappa(np.array(right), np.array(told))
    parts = [f"{name:24} {len(pairs):5}   {agreed:5.3f}   {same:4.0%}   {near:4.0%}"]
    for level in (2, 3, 4):
        hits = sum(one >= level and other >= level for one, other in pairs)
        called, meant = (sum(one >= level for one in side) for side in (told, right))
        parts.append(f"{hits:3}/{called:<3} {hits:3}/{meant:<3}")
    return "   ".join(parts)


def main() -> None:
    """Print the table, and errors to read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--read", type=int, default=0, help="print so many of the worst errors")
    options = parser.parse_args()
    cases = desk_day(options.data) + held_out(options.data)
    told = by_product(cases)
    groups: dict[str, list[int]] = defaultdict(list)
    for at, case in enumerate(cases):
        groups[case.group].append(at)
        if case.group not in ("day", "half year"):
            groups["other languages"].append(at)
    print(
        f"{'':24} {'items':>5}   kappa   same   near"
        "   notable+ P, R     major+ P, R       flash P, R"
    )
    for name, places in groups.items():
        right = [cases[at].level for at in places]
        print(table(name, right, [told[at] for at in places]))
        if name in ("day", "half year"):  # what the words of a list would say
            words = [by_words(cases[at].story) for at in places]
            print(table(f"{name}, by words", right, words))
        if name == "day":  # a topic's urgency is one word for all that it takes
            urgent = [2 if cases[at].watched else 1 for at in places]
            print(table("day, by urgency", right, urgent))
    errors = sorted(range(len(cases)), key=lambda at: -abs(cases[at].level - told[at]))
    for at in errors[: options.read]:
        case = cases[at]
        print(f"{case.level} told {told[at]}  {case.group:10} {case.story.title[:150]}")


def _story(name: str, title: str, summary: str) -> Story:
    return Story(id=name, title=title, summary=summary)


if __name__ == "__main__":
    logs.configure()
    main()
