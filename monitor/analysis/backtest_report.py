"""The backtest's report: one HTML file, its plots drawn inside, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from monitor.text import on_page

WIDTH, HEIGHT, LEFT, BOTTOM = 520, 150, 36, 24


def render_report(page: Mapping[str, Any]) -> str:
    """Return the page for what `backtest` found.

    `page` has title, summary, topics (each with id, name, line, counts, scores, days, list, silent,
    above, below) and differences; every text in it is untrusted and is escaped.
    """
    return environment().get_template("backtest.html").render(page)


def environment() -> Environment:
    """Return the environment of the page's template."""
    made = Environment(
        loader=PackageLoader("monitor.analysis", "templates"),
        autoescape=True,
        finalize=on_page,
        undefined=StrictUndefined,
    )
    made.globals |= {"histogram": histogram, "bars": bars, "link": _link}
    return made


def _link(url: str) -> str:
    """Return an address a reader may open, or "": never a script of somebody's."""
    return url if url.startswith(("http://", "https://")) else ""


def histogram(scores: Sequence[float], line: float, bins: int = 40) -> Markup:
    """Draw how many stories have which score, with the threshold; counts on a square-root scale.

    Most stories score near 0: on a plain scale the few near the threshold would not be seen.
    """
    counts = [0] * bins
    for score in scores:
        counts[min(bins - 1, int(score * bins))] += 1
    top = max([1, *counts]) ** 0.5
    step = (WIDTH - LEFT) / bins
    shapes = []
    for at, count in enumerate(counts):
        tall = (HEIGHT - BOTTOM) * count**0.5 / top
        kind = "hit" if (at + 0.5) / bins >= line else "miss"
        shapes.append(
            f'<rect class="{kind}" x="{LEFT + at * step:.1f}" y="{HEIGHT - BOTTOM - tall:.1f}" '
            f'width="{step - 1:.1f}" height="{tall:.1f}">'
            f"<title>{count} stories score {at / bins:.2f} to {(at + 1) / bins:.2f}</title></rect>"
        )
    x = LEFT + line * (WIDTH - LEFT)
    shapes.append(f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT - BOTTOM}"/>')
    shapes.append(f'<text x="{x + 4:.1f}" y="11">threshold {line:.2f}</text>')
    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        where = LEFT + mark * (WIDTH - LEFT)
        anchor = "end" if mark == 1.0 else "middle"
        shapes.append(
            f'<text x="{where:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{mark:.2f}</text>'
        )
    return _svg(shapes, "Scores of all stories")


def bars(days: Sequence[tuple[str, int]]) -> Markup:
    """Draw how many alerts there were on each day."""
    top = max([1, *(count for _, count in days)])
    step = (WIDTH - LEFT) / max(1, len(days))
    shapes = [
        f'<text x="{LEFT - 4}" y="11" text-anchor="end">{top}</text>',
        f'<text x="{LEFT - 4}" y="{HEIGHT - BOTTOM}" text-anchor="end">0</text>',
    ]
    for at, (day, count) in enumerate(days):
        tall = (HEIGHT - BOTTOM) * count / top
        shapes.append(
            f'<rect class="hit" x="{LEFT + at * step:.1f}" y="{HEIGHT - BOTTOM - tall:.1f}" '
            f'width="{max(0.5, step - 1):.1f}" height="{tall:.1f}">'
            f"<title>{day}: {count}</title></rect>"
        )
    if days:
        shapes.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">{days[0][0]}</text>')
        shapes.append(f'<text x="{WIDTH}" y="{HEIGHT - 6}" text-anchor="end">{days[-1][0]}</text>')
    return _svg(shapes, "Alerts a day")


def _svg(shapes: Sequence[str], label: str) -> Markup:
    # Only our own numbers and dates stand in the shapes.
    return Markup(  # noqa: S704
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        + "".join(shapes)
        + "</svg>"
    )
