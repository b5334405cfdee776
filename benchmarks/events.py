"""How well stories gather into events, beside plain methods.

    python -m benchmarks.events --data ../shared/data               # the tables, some minutes
    python -m benchmarks.events --data ../shared/data --only dev    # events_dev.tsv alone
    python -m benchmarks.events --data ../shared/data --errors      # what went wrong, to read

Every plain method is shown with its best threshold in hindsight; ours with the default settings.
The folder holds events_dev.tsv and uci_news_stories.tsv.gz; vectors are kept under --cache. Ours
has learned from events_dev and the day of feeds; `benchmarks.fit_events` prints figures for news
that it did not learn from.
Speed and memory: `benchmarks.events_scale`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.labelled import (
    Embedded,
    embed,
    measure,
    model,
    read_day,
    read_desk,
    read_dev,
    read_pairs,
    read_uci,
)
from monitor.config.schema import EventSettings
from monitor.embedding import PairJudge, embed_stories, pair_judge
from monitor.events import EventIndex, Owners
from monitor.events.text import bucket, strip_outlet, tokens
from monitor.model import Assignment, EmbeddedStory
from monitor.observability import logs

WINDOW = 72 * 3600.0


def ours(items: list[EmbeddedStory], owners: Owners, judge: PairJudge | None = None) -> list[str]:
    """Return the events our index ends up with, at the default settings."""
    index = EventIndex(EventSettings(), owners)
    found: dict[str, str] = {}
    for at in range(0, len(items), 64):
        batch = items[at : at + 64]
        moves = judged(index, batch, judge)
        found.update({item.story.id: move.event for item, move in zip(batch, moves, strict=True)})
        for story in index.changed():
            found[story] = index.event_of(story)
        index.forget(batch[0].story.published - WINDOW)
    return [found[item.story.id] for item in items]


def judged(
    index: EventIndex, batch: list[EmbeddedStory], judge: PairJudge | None
) -> list[Assignment]:
    """Assign a batch as the product does: with the judge's answers, where there is a judge."""
    if judge is None:
        return index.assign(batch)
    prepared = index.prepare(batch, ask=True)
    asked, answers = prepared.questions, {}
    if asked:
        scores = judge.score([q.one for q in asked], [q.two for q in asked])
        answers = {(q.story, q.other): float(s) for q, s in zip(asked, scores, strict=True)}
    return index.assign(prepared, answers)


def happenings(owners: Owners, judge: PairJudge | None) -> None:
    """Print how many of our own pairs come out apart and joined, and which confirm wrongly.

    Pairs of families are counted by themselves.
    """
    counts: Counter[tuple[str, str, bool]] = Counter()
    false_sources: Counter[str] = Counter()
    for verdict, why, stories in read_pairs():
        index = EventIndex(EventSettings(), owners)
        found = [judged(index, embed_stories(model(), [s], 4), judge)[0] for s in stories]
        right = (found[0].event == found[1].event) == (verdict == "joined")
        kind = why if why == "family" else "all"
        for name in {why, kind}:
            counts[verdict, name, right] += 1
        if verdict == "apart" and len(found[1].sources) > 1:
            false_sources[kind] += 1
            print("confirmed wrongly:", stories[0].title, "|", stories[1].title)
    for verdict, why in sorted({key[:2] for key in counts}):
        right, wrong = counts[verdict, why, True], counts[verdict, why, False]
        total = right + wrong
        print(f"{verdict:7} {why:12} {right:4} of {total:4} right ({right / total:.1%})")
    print(f"false corroborations: {false_sources['all']}, in families {false_sources['family']}")


# --- plain methods ---------------------------------------------------------------------------


def term_vectors(items: list[EmbeddedStory], width: int = 2048) -> np.ndarray:
    """Return TF-IDF vectors (idf of this very set, in hindsight), hashed to `width`."""
    words = [{word.stem for word in tokens(strip_outlet(i.story.title))} for i in items]
    counts = Counter(word for found in words for word in found)
    matrix = np.zeros((len(items), width), np.float32)
    for row, found in zip(matrix, words, strict=True):
        for word in found:
            row[bucket(word) % width] += np.log(len(items) / counts[word]) + 1e-3
    return matrix / (np.linalg.norm(matrix, axis=1, keepdims=True) + 1e-9)


def nearest(items: list[EmbeddedStory], score: Callable[[int, int, int], np.ndarray]):  # type: ignore[no-untyped-def]
    """Return each story's nearest earlier story within the window, and how near it is."""
    times = np.array([item.story.published for item in items])
    near, value = np.zeros(len(items), int) - 1, np.zeros(len(items))
    step = 256
    for start in range(0, len(items), step):
        end = min(start + step, len(items))
        first = int(np.searchsorted(times, times[start] - WINDOW))
        block = score(start, end, first)
        for at in range(start, end):
            line = block[at - start, : at - first].copy()
            line[times[first:at] < times[at] - WINDOW] = -1
            if len(line):
                near[at] = first + int(line.argmax())
                value[at] = line.max()
    return near, value


def chained(near: np.ndarray, value: np.ndarray, threshold: float) -> list[int]:
    """Return events made by joining each story to its nearest earlier one, if near enough."""
    label = list(range(len(near)))
    for at in range(len(near)):
        if near[at] >= 0 and value[at] >= threshold:
            label[at] = label[near[at]]
    return label


def average(items: list[EmbeddedStory], vectors: list[np.ndarray], threshold: float) -> list[int]:
    """Return events by one-pass average link on the mean of two similarities."""
    sums = [np.zeros((1024, matrix.shape[1]), np.float32) for matrix in vectors]
    sizes, last = np.zeros(1024), np.full(1024, -np.inf)
    count, labels = 0, []
    live = np.zeros(0, int)
    for at, item in enumerate(items):
        now = item.story.published
        if at % 64 == 0:
            live = np.flatnonzero(last[:count] >= now - WINDOW)
        best = -1.0
        if len(live):
            means = sum(s[live] @ m[at] for s, m in zip(sums, vectors, strict=True))
            means /= len(vectors) * sizes[live]
            best = float(means.max())
        if best >= threshold:
            place = int(live[means.argmax()])
        else:
            place, count = count, count + 1
            live = np.append(live, place)
            if count == len(sizes):
                sums = [np.concatenate([s, np.zeros_like(s)]) for s in sums]
                sizes = np.concatenate([sizes, np.zeros_like(sizes)])
                last = np.concatenate([last, np.full_like(last, -np.inf)])
        for s, m in zip(sums, vectors, strict=True):
            s[place] += m[at]
        sizes[place], last[place] = sizes[place] + 1, now
        labels.append(place)
    return labels


def overlap_nearest(items: list[EmbeddedStory]):  # type: ignore[no-untyped-def]
    """Return nearest neighbours by the share of headline words in common."""
    words = [{word.stem for word in tokens(strip_outlet(i.story.title))} for i in items]
    vocabulary = {word: at for at, word in enumerate(sorted(set().union(*words)))}
    sizes = np.array([len(found) for found in words])
    from scipy.sparse import csr_matrix

    places = [vocabulary[word] for found in words for word in found]
    table = csr_matrix(
        (np.ones(len(places), np.float32), places, np.concatenate([[0], np.cumsum(sizes)])),
        shape=(len(items), len(vocabulary)),
    )

    def score(start: int, end: int, first: int) -> np.ndarray:
        shared = (table[start:end] @ table[first:end].T).toarray()
        return shared / (sizes[start:end, None] + sizes[None, first:end] - shared + 1e-9)

    return nearest(items, score)


def baselines(sets: list[Embedded]) -> dict[str, list[tuple[float, ...]]]:
    """Return each plain method's measures on each set, at its best threshold over all of them."""
    dense, terms, found = [], [], {}
    grid = np.arange(0.1, 0.95, 0.025)
    results: dict[str, dict[float, list[tuple[float, ...]]]] = {}

    def note(name: str, threshold: float, part: Embedded, labels: list[int]) -> None:
        results.setdefault(name, {}).setdefault(threshold, []).append(measure(part.gold, labels))

    for part in sets:
        vectors = np.stack([item.vectors[0] for item in part.items]).astype(np.float32)
        counted = term_vectors(part.items)
        dense.append(vectors)
        terms.append(counted)
        for name, matrix in (("embeddings, nearest", vectors), ("TF-IDF, nearest", counted)):
            near = nearest(part.items, lambda s, e, f, m=matrix: m[s:e] @ m[f:e].T)
            for threshold in grid:
                note(name, threshold, part, chained(*near, threshold))
        near = overlap_nearest(part.items)
        note("word overlap ≥ 0.6", 0.6, part, chained(*near, 0.6))
        few = grid if len(part.items) < 2000 else (0.2, 0.3, 0.4)
        for threshold in few:
            labels = average(part.items, [vectors, counted], threshold)
            note("both mixed, average link", threshold, part, labels)
    for name, by_threshold in results.items():
        best = max(
            by_threshold.values(),
            key=lambda parts: float(
                np.mean([p[2] for p in parts]) + np.mean([p[5] for p in parts])
            ),
        )
        found[name] = best
    return found


# --- reports ---------------------------------------------------------------------------------


def table(results: dict[str, list[tuple[float, ...]]], sets: list[Embedded]) -> str:
    head = "| method | pairwise P / R / F1 | B³ P / R / F1 |"
    if len(sets) > 1:
        head += " F1 by window |"
    lines = [head, "|---" * (head.count("|") - 1) + "|"]
    for name, parts in results.items():
        mean = np.mean(parts, axis=0)
        cells = [" / ".join(f"{x:.3f}" for x in mean[:3]), " / ".join(f"{x:.3f}" for x in mean[3:])]
        if len(sets) > 1:
            cells.append(", ".join(f"{p[2]:.2f}" for p in parts))
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def errors(part: Embedded, found: list[str]) -> None:
    """Print events joined wrongly and events torn apart, for reading."""
    for title, one, two in (("joined", found, part.gold), ("apart", part.gold, found)):
        groups: dict[str, list[int]] = {}
        for at, name in enumerate(one):
            groups.setdefault(name, []).append(at)
        for name, places in groups.items():
            if len({two[at] for at in places}) > 1:
                print(f"\n[{part.name}] {title}: {name}")
                for at in sorted(places, key=lambda at: two[at]):
                    print(f"   {two[at][:30]:30}  {part.items[at].story.title[:110]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled news")
    parser.add_argument("--only", choices=("dev", "desk", "day", "uci", "pairs"))
    parser.add_argument("--limit", type=int, default=0, help="so many stories of uci only")
    parser.add_argument("--errors", action="store_true", help="print errors, to read")
    cache = Path(tempfile.gettempdir()) / "wirewatch-benchmarks"
    parser.add_argument("--cache", type=Path, default=cache, help="where vectors are kept")
    options = parser.parse_args()
    owners, judge = Owners.load(), pair_judge(model())
    if options.only in (None, "pairs"):
        happenings(owners, judge)
    for kind, read in (
        ("dev", read_dev),
        ("desk", read_desk),
        ("day", read_day),
        ("uci", read_uci),
    ):
        if options.only not in (None, kind):
            continue
        sets = [embed(part, options.cache) for part in read(options.data)]
        if options.limit and kind == "uci":
            sets = [part.first(options.limit) for part in sets]
        begun = time.perf_counter()
        found = [ours(part.items, owners, judge) for part in sets]
        count = sum(len(part.items) for part in sets)
        rate = count / (time.perf_counter() - begun)
        if options.errors:
            for part, labels in zip(sets, found, strict=True):
                errors(part, labels)
            continue
        results = baselines(sets)
        results["Wirewatch"] = [
            measure(part.gold, labels) for part, labels in zip(sets, found, strict=True)
        ]
        print(f"\n{kind}: {count:,} stories, {rate:,.0f}/s\n\n{table(results, sets)}", flush=True)


if __name__ == "__main__":
    logs.configure()
    main()
