"""What an outside list of happenings had: reading it, comparing it, and the words for a message.

`wirewatch missed` and the daily message (`workers/missed_message.py`) both go through here.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from monitor.analysis.archive import AnalysisStore
from monitor.config.schema import Config, FeedSource
from monitor.editors.missed import AFTER, BEFORE, Checked, Judge, SeenStory, check, counts
from monitor.editors.outside_list import Outside, from_entries, from_table
from monitor.editors.severity import severity_of
from monitor.model import EmbeddedStory, Entry, Matrix, Story, Vector
from monitor.reasons import MissedReason, Severity
from monitor.text import one_line

WORDS = {"told": "told", "held": "held", "below": "below the threshold", "never_seen": "never seen"}
_PAGE = 2 * 3600.0  # seconds of the archive that are held whole at one time
_MOST = 5_000  # stories of a page
_LARGEST = 64_000_000  # bytes of a list, unpacked
_LISTED = 8  # happenings that the message names

Encode = Callable[[Sequence[Story]], list[EmbeddedStory]]  # embeds, and reads how grave they are


class ListUnreadable(Exception):
    """A list could not be read; says which and why, without what an address may hide."""


async def read_list(where: str, config: Config) -> tuple[list[Outside], list[str]]:
    """Return the happenings of a list, and what was left out of a table.

    Args:
        where: the address of a feed, or a file: a feed, or a table, packed by gzip or not.
        config: how feeds are fetched; a configured feed is asked with its own settings.

    Raises:
        ListUnreadable: there is no list.
    """
    if "://" in where:
        return from_entries(await _entries(where, None, config)), []
    try:
        raw = await asyncio.to_thread(_unpacked, Path(where))
    except OSError as error:
        raise ListUnreadable(f"{where} cannot be read: {error.strerror or error}") from None
    except (ValueError, zlib.error) as error:
        raise ListUnreadable(f"{where} cannot be unpacked: {error}") from None
    if raw.lstrip()[:1] in (b"<", b"{"):
        return from_entries(await _entries(where, raw, config)), []
    try:
        return from_table(raw.decode("utf-8", "replace"))
    except ValueError as error:
        raise ListUnreadable(f"{where}: {error}") from None


def _unpacked(path: Path) -> bytes:
    raw = path.read_bytes()
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    unpacker = zlib.decompressobj(wbits=31)
    data = unpacker.decompress(raw, _LARGEST)
    if unpacker.unconsumed_tail:
        raise ValueError(f"it holds more than {_LARGEST:,} bytes")
    return data


async def _entries(where: str, document: bytes | None, config: Config) -> tuple[Entry, ...]:
    from monitor.polling.inspection import inspect_feed  # starts a parser process

    source = next((feed for feed in config.feeds if feed.url == where), None)
    source = source or FeedSource.model_validate({"id": "outside-list", "url": where})
    found = await inspect_feed(document, source, config.polling)
    if found.parsed is None:
        raise ListUnreadable(f"{shown(where)}: {found.message or found.reason}")
    return found.parsed.entries


def shown(where: str) -> str:
    """Return how a list is named to people: of an address, the host alone."""
    return urlsplit(where).hostname or "the list" if "://" in where else Path(where).name


async def archived(
    archive: AnalysisStore, model: str, start: float, end: float
) -> list[tuple[SeenStory, Vector]]:
    """Return the archived stories around a stretch of time, each with the vector it goes by."""
    found = []
    async for items in _pages(archive, model, start - BEFORE, end + AFTER):
        for item, record in items:
            story = replace(item.story, body="")
            found.append((SeenStory(story, record), vector_of(item)))
    return found


async def _pages(
    archive: AnalysisStore, model: str, start: float, end: float
) -> AsyncIterator[list[tuple[EmbeddedStory, dict[str, object]]]]:
    while start < end:
        yield await archive.newest(start, min(start + _PAGE, end), model, _MOST)
        start += _PAGE


def compare(
    outside: Sequence[Outside],
    seen: Sequence[tuple[SeenStory, Vector]],
    encode: Encode,
    judge: Judge | None,
    feeds: Sequence[FeedSource],
) -> list[Checked]:
    """Return what became of each outside happening, with how grave it is where that is known."""
    items = encode([Story(id=str(n), title=one.text) for n, one in enumerate(outside)])
    vectors = _stacked([vector_of(item) for item in items])
    held = _stacked([vector for _, vector in seen])
    checked = check(outside, vectors, [one for one, _ in seen], held, feeds, judge)
    return [
        replace(one, severity=severity_of(item)) for one, item in zip(checked, items, strict=True)
    ]


def report(checked: Sequence[Checked], faults: Sequence[str] = ()) -> str:
    """Return the message: how much was told, and what was not, the gravest first.

    `faults` say which lists could not be read.
    """
    total = counts(checked)[""]
    parts = ", ".join(f"{total[name]} {word}" for name, word in WORDS.items())
    lines = [f"What we missed: of {len(checked)} happenings {parts}."]
    if not checked:
        lines = ["What we missed: the list has no happening of these hours, so nothing is known."]
        if faults:
            lines = ["What we missed: no list could be read, so nothing is known."]
    lines += [one_line(fault, 300) for fault in faults]
    misses = sorted((one for one in checked if one.reason is not MissedReason.TOLD), key=_rank)
    for one in misses[:_LISTED]:
        grave = one.severity if Severity.rank(one.severity) > 1 else ""
        head = " · ".join(part for part in (WORDS[one.reason], grave) if part)
        why = f" ({one_line(one.why, 110)})" if one.why else ""
        lines.append(f"{head[:1].upper()}{head[1:]}: {one_line(one.outside.text, 170)}{why}")
    more = len(misses) - _LISTED
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


def _rank(one: Checked) -> tuple[int, int, float]:
    order = (MissedReason.NEVER_SEEN, MissedReason.HELD, MissedReason.BELOW)
    return -Severity.rank(one.severity), order.index(one.reason), -one.outside.at


def vector_of(item: EmbeddedStory) -> Vector:
    """Return what a story is compared by: its view of the happening, or its headline."""
    return item.happening if len(item.happening) else item.vectors[0]


def _stacked(vectors: Sequence[Vector]) -> Matrix:
    return np.stack(vectors) if vectors else np.zeros((0, 1), np.float32)
