"""Small helpers for text that came from outside: make it visible, single-line and bounded."""

from __future__ import annotations

import re
from typing import TypeVar

T = TypeVar("T")

# What never belongs in a headline: control characters, the bidirectional overrides and marks that
# can make a line read backwards (CVE-2021-42574), zero-width spaces, the soft hyphen, interlinear
# marks, tag characters and lone surrogates. The zero-width joiners stay: Persian, Indic scripts
# and emoji need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
_BREAKS = re.compile("[\r\x0b\x85\u2028\u2029]")


def strip_invisible(text: str) -> str:
    """Return `text` without control, bidi, zero-width and surrogate characters.

    Line breaks of every kind become newlines and stay.
    """
    return _INVISIBLE.sub("", _BREAKS.sub("\n", text))


def on_page(value: T) -> T:
    """Return what a page shows: of a text what `strip_invisible` leaves. For Jinja."""
    return type(value)(strip_invisible(value)) if isinstance(value, str) else value


def one_line(text: str, limit: int = 0) -> str:
    """Return `text` as one clean line; cut with "…" beyond `limit`."""
    line = " ".join(strip_invisible(text).split())
    return shorten(line, limit) if limit else line


def paragraphs(text: str, limit: int = 0) -> str:
    """Return `text` clean, with single newlines as spaces and blank lines between paragraphs."""
    blocks: list[str] = []
    lines: list[str] = []
    for raw in strip_invisible(text).split("\n"):
        line = " ".join(raw.split())
        if line:
            lines.append(line)
        elif lines:
            blocks.append(" ".join(lines))
            lines = []
    if lines:
        blocks.append(" ".join(lines))
    joined = "\n\n".join(blocks)
    return joined[:limit].rstrip() if limit else joined


def shorten(text: str, limit: int) -> str:
    """Cut `text` to at most `limit` characters, at a word where one is near, ending in "…"."""
    if len(text) <= limit:
        return text
    cut = text[: max(0, limit - 1)]
    space = cut.rfind(" ", limit * 3 // 4)
    return (cut[:space] if space > 0 else cut).rstrip() + "…"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 feed", "2 feeds", "3 stories"."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}s"


def span(seconds: float) -> str:
    """Return a duration in its largest fitting unit: "45 s", "12 min", "3 h", "2 days"."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{max(0.0, seconds) / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} days"


def spelled_span(seconds: float) -> str:
    """Return a duration for a sentence: "45 seconds", "12 minutes", "3 hours", "2 days"."""
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0.0, seconds):.0f} seconds"


def ago(at: float, now: float) -> str:
    """Return how long ago an instant was, "in …" for a later one, or "never"."""
    if not at:
        return "never"
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"
