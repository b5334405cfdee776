"""What of a story the model reads: its headline, its lead, and each stretch of its body.

The default model reads 256 word pieces and forgets the rest, and a vector of a whole article
hides its one paragraph on another subject. So a story is embedded in passages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.model import EmbeddedStory, Passage, Story

# Part of every model fingerprint: raise it when the rules below change what a vector means.
TEXT_VERSION = 1

SHORT = 45  # words; shorter neighbouring paragraphs are read together
HAPPENING = 600  # characters of headline and lead that a happening is told by
LONG = 150  # words; about 200 word pieces, so that headline and paragraph fit the model's 256

_BLANK = re.compile(r"\n\s*\n|\r\n\s*\r\n|\n")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"”’')\]]*\s+(?=[\"“‘'(\[]?[^\W\d_a-z]|\d)")


def headline(story: Story) -> str:
    """Return the title without a trailing ` - Outlet` that aggregators add."""
    title = " ".join(story.title.split())
    if story.source:
        for dash in (" - ", " – ", " — ", " | "):
            if title.endswith(dash + story.source):
                return title[: -len(dash + story.source)].rstrip()
    return title


def passages(story: Story, limit: int = 24) -> tuple[Passage, ...]:
    """Return what to embed of a story: at least the headline, at most `limit` passages.

    "title" is the headline, "lead" headline and summary (where there is a summary), "body" one
    stretch of the text. A body longer than the limit allows is cut into longer stretches, up to
    what the model reads; only what is left then goes unread.
    """
    title = headline(story)
    found = [("title", title, title)]
    summary = " ".join(story.summary.split())
    if summary and summary != title:
        found.append(("lead", summary, f"{_closed(title)} {summary}"))
    for stretch in _stretches(story.body, limit - len(found)):
        if stretch not in (summary, title):
            found.append(("body", stretch, stretch))
    return tuple(
        Passage(index, kind, text, embedded)
        for index, (kind, text, embedded) in enumerate(found[: max(1, limit)])
    )


def event_text(parts: Sequence[Passage]) -> str:
    """Return what tells one happening from others: headline and the beginning of the lead."""
    told = [part.embedded for part in parts if part.kind in ("title", "lead")]
    return (told[-1] if told else parts[0].embedded)[:HAPPENING]


def event_passage(parts: Sequence[Passage]) -> int:
    """Return which passage tells one event from others: the lead, or else the headline."""
    return max((part.index for part in parts if part.kind in ("title", "lead")), default=0)


def reading(embedded: EmbeddedStory, index: int) -> str:
    """Return the text of one passage for people."""
    return embedded.passages[index].text


def _closed(title: str) -> str:
    return title if title.endswith((".", "!", "?", "…", ":")) else f"{title}."


def _stretches(body: str, room: int) -> list[str]:
    """Cut a body into at most `room` stretches of roughly even length along its paragraphs."""
    if room <= 0 or not body.strip():
        return []
    units = [unit for part in _BLANK.split(body) for unit in _units(part)]
    words = sum(len(unit.split()) for unit in units)
    target = min(LONG, max(SHORT, -(-words // room)))
    while True:
        stretches = _gather(units, target)
        if len(stretches) <= room or target >= LONG:
            return stretches[:room]
        target = min(LONG, target + max(8, target // 4))


def _units(paragraph: str) -> list[str]:
    """Return a paragraph whole, or its sentences where it is long, or slices of a long sentence."""
    text = " ".join(paragraph.split())
    if not text:
        return []
    if len(text.split()) <= 2 * SHORT:
        return [text]
    units = []
    for sentence in _SENTENCE.split(text):
        words = sentence.split()
        units += [" ".join(words[at : at + LONG]) for at in range(0, len(words), LONG)]
    return units


def _gather(units: list[str], target: int) -> list[str]:
    """Join neighbouring units until each stretch has about `target` words, never above LONG."""
    stretches: list[list[str]] = []
    size = 0
    for unit in units:
        length = len(unit.split())
        if not stretches or size >= target or size + length > max(LONG, target):
            stretches.append([])
            size = 0
        stretches[-1].append(unit)
        size += length
    return [" ".join(stretch) for stretch in stretches]
