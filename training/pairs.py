"""Pairs of reports for the pair judge: do two reports tell of one happening (1) or of two (0)?

    python -m training.pairs --data ../shared/data --out pairs_train.jsonl      # four minutes

Each line of the result is [text, text, 0 or 1, source]. A text is a headline, or a headline and its
summary (400 characters). Sources: labelled headlines of a half year (`benchmarks/labels`), stories
grouped by others, headlines as outlets revised them, titles with their own summaries in 17
languages, parallel sentences, reports made up from templates (`pair_reports`), swaps of names
(`pair_swaps`), and families of reports of our own writing (`labels/happenings.jsonl`). Kept out,
because they measure: events_dev, desk_dev, everything dated 2026-08-12, the last day of Ground
News, every eighth AllSides story, one family in ten, and benchmarks/happenings.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from training.families import of_families
from training.pair_reports import Pair, Reports
from training.pair_swaps import Swaps

SEED = 5
LONG = 400  # characters of a report
KEPT_OUT_DAY = "2026-08-12"
_LABELS = Path(__file__).parents[1] / "benchmarks/labels"
csv.field_size_limit(10**9)


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table with tabs and without quoting, packed or not."""
    text = (
        gzip.decompress(path.read_bytes()).decode()
        if path.suffix == ".gz"
        else path.read_text(encoding="utf-8")
    )
    return list(csv.DictReader(text.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))


@dataclass
class Window:
    """Reports of one stretch of time, each with its happening and (maybe) a summary."""

    name: str
    titles: list[str] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def add(self, title: str, summary: str, event: str) -> None:
        """Add a report."""
        self.titles.append(title)
        self.summaries.append(summary)
        self.events.append(event)

    def text(self, at: int, rng: random.Random) -> str:
        """Return a report's text: with its summary in two of three draws, if it has one."""
        title, summary = self.titles[at], self.summaries[at]
        if not summary or rng.random() < 0.33:
            return title
        return f"{title}{'' if title[-1:] in '.!?。' else '.'} {summary}"[:LONG]


def without_outlet(title: str) -> str:
    """Return a headline without " - Outlet" at its end."""
    head, mark, tail = title.rpartition(" - ")
    return head if mark and len(tail.split()) <= 4 and len(head) > 20 else title


def measured(data: Path) -> set[str]:
    """Return the titles of the sets that measure, in lower case."""
    titles = [r["title"] for r in table(data / "events_dev.tsv")] + [
        r["title"] for r in table(data / "desk_dev/items.tsv")
    ]
    return {without_outlet(title).casefold() for title in titles}


def held_out_allsides(row: dict[str, str]) -> bool:
    """Whether an AllSides story measures: one in eight, by number."""
    return int(row["cluster_id"].rpartition("-")[2]) % 8 == 7


def windows(data: Path) -> list[Window]:
    """Return the labelled stretches that may be learned from."""
    found, out = list[Window](), measured(data)
    headlines, own = table(data / "headlines_2025-07_2026-01.tsv.gz"), dict[str, Window]()
    for row in table(_LABELS / "headlines.tsv"):
        title = without_outlet(headlines[int(row["row"])]["title"])
        if title.casefold() not in out:
            own.setdefault(row["window"], Window(f"own {row['window']}")).add(
                title, "", row["event"]
            )
    found += own.values()
    ground = table(data / "event_clusters/groundnews_2025.tsv.gz")
    days = sorted({row["cluster_id"].split("_")[1] for row in ground})
    for day in days[:-1]:  # the last day measures
        part = Window(f"ground news {day}")
        for row in ground:
            if row["cluster_id"].split("_")[1] == day:
                part.add(row["title"], row["summary"], row["cluster_id"])
        found.append(part)
    sides = [
        row for row in table(data / "event_clusters/allsides.tsv.gz") if not held_out_allsides(row)
    ]
    for at in range(0, len(sides), 240):
        part = Window(f"allsides {at}")
        for row in sides[at : at + 240]:
            part.add(row["title"], row["summary"], row["cluster_id"])
        found.append(part)
    revised = [
        r
        for r in table(data / "event_clusters/headline_revisions.tsv.gz")
        if r["live"] == "0" and 0.2 <= float(r["word_overlap"]) < 0.97
    ]
    for language in sorted({row["lang"] for row in revised}):
        mine = [
            row
            for row in revised
            if row["lang"] == language and not row["seen_a"].startswith(KEPT_OUT_DAY)
        ]
        for at in range(0, len(mine), 300):
            part = Window(f"revised {language} {at}")
            for number, row in enumerate(mine[at : at + 300]):
                if {row["title_a"].casefold(), row["title_b"].casefold()} & out:
                    continue
                part.add(row["title_a"], "", f"r{at + number}")
                part.add(row["title_b"], "", f"r{at + number}")
            found.append(part)
    day_items = day_of_feeds(data)
    if day_items.titles:
        found.append(day_items)
    return [part for part in found if len(part.titles) > 8]


def day_of_feeds(data: Path) -> Window:
    """Return the labelled items of the folder's feeds: titles with summaries."""
    from benchmarks.labelled import read_day

    part = Window("day of feeds")
    for labelled in read_day(data):
        for story, event in zip(labelled.stories, labelled.gold, strict=True):
            part.add(story.title, story.summary or story.body[:LONG], event)
    return part


# --- pairs of labelled reports -------------------------------------------------------------------


def of_one(part: Window, rng: random.Random, swaps: Swaps, most: int) -> list[Pair]:
    """Return pairs of reports of one happening, and swaps of them."""
    groups, found = defaultdict(list), list[Pair]()
    for at, event in enumerate(part.events):
        groups[event].append(at)
    for places in groups.values():
        both = [
            (i, k)
            for n, i in enumerate(places)
            for k in places[n + 1 :]
            if part.titles[i] != part.titles[k]
        ]
        for i, k in rng.sample(both, min(most, len(both))):
            one, two = part.text(i, rng), part.text(k, rng)
            found.append((one, two, 1, "event"))
            found += swapped(one, two, rng, swaps)
    return found


def swapped(one: str, two: str, rng: random.Random, swaps: Swaps) -> list[Pair]:
    """Return swaps of a true pair: in one report (two happenings) or in both alike (still one)."""
    found, mine, theirs = list[Pair](), swaps.named(one), swaps.named(two)
    shared = mine & theirs or {
        n for n in theirs if swaps.is_place(n) and swaps.country_of[n] in swaps.places(one)
    }
    if shared:
        whole = swaps.mapping(two)
        places = [name for name in shared if swaps.is_place(name)]
        few = swaps.mapping(two, only=places or sorted(shared)[:1])
        for mapping in (whole, few):
            if mapping and rng.random() < 0.6:
                found.append((one, swaps.apply(mapping, two), 0, "swap"))
        if (both := swaps.mapping(one, two)) is not None:
            changed = swaps.apply(both, one), swaps.apply(both, two)
            found.append((*changed, 1, "swap in both"))
            if rng.random() < 0.4 and (more := swaps.mapping(two)) is not None:
                found.append((changed[0], swaps.apply(more, two), 0, "swap, two ways"))
    if (grown := swaps.more(two)) is not None and rng.random() < 0.7:
        found.append((one, grown, 1, "count grown"))
        if shared and (mapping := swaps.mapping(two)) is not None:
            found.append((one, swaps.apply(mapping, grown), 0, "count and place"))
    if (moved := swaps.another_date(two)) is not None and swaps.another_date(one) is not None:
        found.append((one, moved, 0, "another date"))
    return found


def neighbours(
    part: Window, rng: random.Random, similarity: np.ndarray, share: float, each: int
) -> list[Pair]:
    """Return nearest neighbours of different happenings."""
    found, events = list[Pair](), np.array(part.events)
    for at in rng.sample(range(len(part.titles)), int(len(part.titles) * share)):
        row = np.where(events == events[at], -1.0, similarity[at])
        for other in np.argsort(-row)[:each]:
            if row[other] > 0.08:
                found.append((part.text(at, rng), part.text(int(other), rng), 0, "neighbour"))
    return found


def similarity_of(texts: Sequence[str]) -> np.ndarray:
    """Return the cosines of TF-IDF vectors of words and of letters: near in wording."""
    words = TfidfVectorizer(
        sublinear_tf=True,
        token_pattern=r"\w+",  # noqa: S106
        stop_words="english",
    ).fit_transform(texts)
    letters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 4), max_features=40_000, sublinear_tf=True
    ).fit_transform(texts)
    return ((words @ words.T) * 0.6 + (letters @ letters.T) * 0.4).toarray()


# --- pairs from single items ---------------------------------------------------------------------


def titles_with_summaries(data: Path, rng: random.Random, swaps: Swaps) -> list[Pair]:
    """Return pairs of titles and summaries: of one item, of items of other times, and swaps."""
    out, found = measured(data), list[Pair]()
    by_language: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in table(data / "topics_train/items.tsv.gz"):
        if row["date"].startswith(KEPT_OUT_DAY) or without_outlet(row["title"]).casefold() in out:
            continue
        if row["set"] in ("headlines", "uci") or len(row["title"]) < 12:
            continue
        by_language[row["lang"]].append((row["title"], row["summary"] or "", row["date"]))
    for language, items in by_language.items():
        items = items if len(items) < 3000 else rng.sample(items, 3000)
        near = similarity_of([f"{title} {summary[:200]}" for title, summary, _ in items])
        for at, (title, summary, date) in enumerate(items):
            if len(summary) > 50:
                whole = f"{title}. {summary}"[:LONG]
                halves = [
                    (title, summary[:LONG]),
                    (title, whole),
                    (f"{title}. {summary[:60]}", summary[60:LONG] or summary),
                ]
                one, two = halves[0] if rng.random() < 0.7 else rng.choice(halves[1:])
                found.append((one, two, 1, f"title and summary, {language}"))
                found += swapped(one, two, rng, swaps)
            else:
                mapping = swaps.mapping(title)
                if mapping and language != "en":
                    found.append((title, swaps.apply(mapping, title), 0, "swap in a title"))
                    found.append(
                        (title, title.rstrip(".") + ".", 1, "the same")
                    ) if rng.random() < 0.3 else None
            order = [
                k
                for k in np.argsort(-near[at])[1:8]
                if items[k][2][:7] != date[:7] and 0.1 < near[at][k] < 0.8
            ]
            for k in order[:2]:
                other = items[k]
                text = (
                    other[0]
                    if rng.random() < 0.5 or not other[1]
                    else f"{other[0]}. {other[1]}"[:LONG]
                )
                mine = title if rng.random() < 0.5 or not summary else f"{title}. {summary}"[:LONG]
                found.append((mine, text, 0, f"another time, {language}"))
    return found


def parallel(data: Path, rng: random.Random, swaps: Swaps) -> list[Pair]:
    """Return sentences with their translations, with a neighbour's, and with swapped places."""
    found = list[Pair]()
    tables = {
        path.stem: {r["index_id"]: r["text"] for r in table(path)}
        for path in sorted((data / "sib200").glob("*.tsv"))
    }
    languages = sorted(tables)
    for number in sorted(tables["eng_Latn"]):
        for language in languages:
            base = "eng_Latn" if rng.random() < 0.6 else rng.choice(languages)
            if base == language or number not in tables[base] or number not in tables[language]:
                continue
            one, two = tables[base][number], tables[language][number]
            found.append((one, two, 1, "parallel"))
            found += [
                pair
                for pair in swapped(one, two, rng, swaps)
                if pair[3] in ("swap", "swap in both")
            ]
            found.append(
                (
                    one,
                    tables[language][rng.choice(sorted(tables[language].keys() - {number}))],
                    0,
                    "parallel, another",
                )
            )
    return found


def judged(data: Path) -> list[Pair]:
    """Return pairs that people judged, in Russian and English, short and long."""
    found = list[Pair]()
    for row in table(data / "event_clusters/ru_en_pairs.tsv.gz"):
        label = int(row["label"] == "OK")
        found.append((row["title_a"], row["title_b"], label, "judged"))
        long = [f"{row[f'title_{x}']}. {row[f'text_{x}']}"[:LONG] for x in "ab"]
        found += [(long[0], long[1], label, "judged"), (row["title_a"], long[1], label, "judged")]
    return found


def balanced(pairs: Iterable[Pair], rng: random.Random, most: int) -> list[Pair]:
    """Return at most `most` pairs: each once, as many of one happening as of two."""
    unique = {
        (a, b): (a, b, y, s) for a, b, y, s in pairs if a.strip() and b.strip() and (a != b or y)
    }
    groups: dict[int, list[Pair]] = {0: [], 1: []}
    for pair in unique.values():
        groups[pair[2]].append(pair)
    size = min(most // 2, len(groups[1]), len(groups[0]))
    chosen = rng.sample(groups[0], min(len(groups[0]), int(size * 1.15))) + rng.sample(
        groups[1], size
    )
    rng.shuffle(chosen)
    return chosen


def main() -> None:
    """Write the file and print how many pairs each source gave."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled news")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--written", type=int, default=90_000, help="pairs made up from templates")
    parser.add_argument("--most", type=int, default=520_000, help="pairs in all")
    options = parser.parse_args()
    rng = random.Random(SEED)
    parts = windows(options.data)
    swaps = Swaps([title for part in parts for title in part.titles], rng)
    print(f"{len(parts)} windows, {len(swaps.persons)} persons", file=sys.stderr)
    pairs = list[Pair]()
    for part in parts:
        own = part.name.startswith("own")
        revised = part.name.startswith("revised")
        pairs += of_one(part, rng, swaps, most=12 if own else 4 if revised else 30)
        near = similarity_of(
            [f"{t} {s[:150]}" for t, s in zip(part.titles, part.summaries, strict=True)]
        )
        pairs += neighbours(
            part, rng, near, share=0.4 if revised else 0.9, each=2 if not own else 3
        )
    print("labelled:", len(pairs), file=sys.stderr)
    pairs += titles_with_summaries(options.data, rng, swaps)
    pairs += parallel(options.data, rng, swaps)
    pairs += judged(options.data)
    reports = Reports(swaps, rng)
    pairs += reports.pairs(options.written) + reports.staged(options.written // 8)
    chosen = balanced(pairs, rng, options.most) + of_families(rng, apart=18)
    rng.shuffle(chosen)
    with options.out.open("w", encoding="utf-8") as file:
        for pair in chosen:
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")
    for (source, label), count in sorted(Counter((p[3], p[2]) for p in chosen).items()):
        print(f"{count:8,}  {label}  {source}")
    print(f"{len(chosen):,} pairs, {sum(p[2] for p in chosen):,} of one happening")


if __name__ == "__main__":
    main()
