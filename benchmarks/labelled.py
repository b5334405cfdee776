"""Stories whose happenings are labelled: read from a folder of labelled news, embedded, measured.

`labels/` holds labels of our own for the headlines and feeds of that folder, by the number of a row
or by a hash of an item's address and title, and no text: see docs/explanation/events-measured.md.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from monitor.config.schema import EmbeddingSettings
from monitor.embedding import Embedder, embed_stories, open_embedder
from monitor.embedding.event_adapter import version
from monitor.embedding.passages import event_text, passages
from monitor.errors import ParseError
from monitor.languages.detect import story_language
from monitor.model import EmbeddedStory, Story
from monitor.parsing.detect_format import parse
from training.families import written

_LABELS = Path(__file__).parent / "labels"
_HEADLINES = "headlines_2025-07_2026-01.tsv.gz"


@dataclass
class LabelledNews:
    """One stretch of stories in order of time, and the happening of each."""

    name: str
    stories: list[Story]
    gold: list[str]


@dataclass
class Embedded(LabelledNews):
    """Labelled stories with their vectors."""

    items: list[EmbeddedStory]

    def first(self, count: int) -> Embedded:
        """Return the first stories of the stretch."""
        return Embedded(self.name, self.stories[:count], self.gold[:count], self.items[:count])


def rows(path: Path) -> list[dict[str, str]]:
    """Return the lines of a table with tabs and without quoting, packed or not."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return list(csv.DictReader(text.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE))


def _seen(row: dict[str, str], name: str) -> Story:
    when = datetime.fromisoformat(row["first_seen"]).replace(tzinfo=UTC).timestamp()
    return Story(id=name, title=row["title"], source=row["source"], published=when, seen_at=when)


def read_dev(folder: Path) -> list[LabelledNews]:
    """Return the windows of events_dev.tsv."""
    found: dict[str, LabelledNews] = {}
    for row in rows(folder / "events_dev.tsv"):
        part = found.setdefault(row["window"], LabelledNews(row["window"], [], []))
        part.stories.append(_seen(row, f"{row['window']}-{int(row['n']):04}"))
        part.gold.append(row["event"])
    return list(found.values())


def read_own(folder: Path) -> list[LabelledNews]:
    """Return the stretches of the half year of headlines that have labels of our own."""
    headlines, found = rows(folder / _HEADLINES), dict[str, LabelledNews]()
    for row in rows(_LABELS / "headlines.tsv"):
        part = found.setdefault(row["window"], LabelledNews(f"own {row['window']}", [], []))
        part.stories.append(_seen(headlines[int(row["row"])], f"h{int(row['row']):07}"))
        part.gold.append(row["event"])
    return list(found.values())


def read_day(folder: Path) -> list[LabelledNews]:
    """Return the labelled items of two days of the folder's feeds: titles with summaries."""
    gold = {row["item"]: row["event"] for row in rows(_LABELS / "day_of_feeds.tsv")}
    found: dict[str, Story] = {}
    for path in sorted((folder / "feeds").iterdir()):
        try:
            document = parse(path.read_bytes(), "https://feed.invalid/")
        except ParseError:
            continue
        for item in document.items:
            key = item_key(item.get("link", ""), item.get("title", ""))
            if key in gold and key not in found:
                when = item.get("published") or item.get("updated") or 0.0
                found[key] = Story(
                    id=key, title=item.get("title", ""), source=document.title, published=when,
                    seen_at=when, url=item.get("link", ""), summary=item.get("summary", ""),
                    body=item.get("content", ""),
                )  # fmt: skip
    stories = sorted(found.values(), key=lambda story: (story.published, story.id))
    return [LabelledNews("day of feeds", stories, [gold[story.id] for story in stories])]


def read_desk(folder: Path) -> list[LabelledNews]:
    """Return the labelled day of world outlets: titles with summaries, in order of time."""
    part = LabelledNews("desk_dev", [], [])
    for row in rows(folder / "desk_dev/items.tsv"):
        when = datetime.fromisoformat(row["published"]).timestamp()
        part.stories.append(
            Story(
                id=f"d{int(row['n']):04}", title=row["title"], url=row["url"],
                summary=row["summary"], source=row["source"], published=when, seen_at=when,
            )
        )  # fmt: skip
        alone = row["event"] == "-"
        part.gold.append(f"alone {row['n']}" if alone else row["event"])
    return [part]


def read_pairs() -> list[tuple[str, str, tuple[Story, Story]]]:
    """Return our own pairs: "apart" or "joined", of what kind, and two reports six hours apart.

    Those of kind "family" are the first report of a family that the judge was not taught, and each
    other report of it (`training/labels/happenings.jsonl`).
    """
    texts = []
    for row in rows(Path(__file__).parent / "happenings/pairs.tsv"):
        if row["verdict"]:
            one, two = (tuple(row[side].partition(" // ")[::2]) for side in ("one", "two"))
            texts.append((row["verdict"], row["why"], one, two))
    for (first, *others), *apart in written(held=True):
        texts += [("joined", "family", first, report) for report in others]
        texts += [("apart", "family", first, report) for one in apart for report in one]
    found = []
    for number, (verdict, why, *both) in enumerate(texts):
        one, two = (
            Story(
                id=f"p{number:03}{side}", title=title, summary=summary,
                source=("Northern Post", "Evening Ledger")[side],
                published=1.7e9 + side * 6 * 3600, seen_at=1.7e9 + side * 6 * 3600,
                language=story_language("", title, summary),
            )
            for side, (title, summary) in enumerate(both)
        )  # fmt: skip
        found.append((verdict, why, (one, two)))
    return found


def item_key(link: str, title: str) -> str:
    """Return by what an item is found again without naming its text."""
    return hashlib.blake2b(f"{link}\n{title}".encode(), digest_size=6).hexdigest()


def read_uci(folder: Path) -> list[LabelledNews]:
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
    return [LabelledNews("uci", stories, [row["story"] for row in lines])]


def embed(part: LabelledNews, folder: Path) -> Embedded:
    """Return stories with vectors of the packaged model, computed once and kept in a folder."""
    found = [passages(story) for story in part.stories]
    texts = [passage.embedded for parts in found for passage in parts]
    digest = hashlib.blake2b("\0".join([*texts, version()]).encode(), digest_size=8).hexdigest()
    path = folder / f"events-{digest}.npz"
    if not path.exists():
        encoder, made = model(), list[EmbeddedStory]()
        for at in range(0, len(part.stories), 512):
            made += embed_stories(encoder, part.stories[at : at + 512], limit=24)
            print(f"\r  embedded {len(made):,}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            model=encoder.fingerprint,
            vectors=np.concatenate([item.vectors for item in made]).astype(np.float16),
            happenings=np.stack([item.happening for item in made]).astype(np.float16),
        )
    with np.load(path) as data:
        fingerprint = str(data["model"])
        vectors, happenings = (data[key].astype(np.float32) for key in ("vectors", "happenings"))
    ends = np.cumsum([len(parts) for parts in found])
    items = [
        EmbeddedStory(story, parts, vectors[end - len(parts) : end], fingerprint, happening)
        for story, parts, end, happening in zip(part.stories, found, ends, happenings, strict=True)
    ]
    return Embedded(part.name, part.stories, part.gold, items)


@cache
def model() -> Embedder:
    return open_embedder(EmbeddingSettings())


def told_by(stories: Sequence[Story]) -> list[str]:
    """Return what tells the happening of each story: headline and lead."""
    return [event_text(passages(story)) for story in stories]


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
