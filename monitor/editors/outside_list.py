"""An outside list of happenings: rows of a table, or the entries of a feed. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.model import Entry
from monitor.text import one_line

NOON = 12 * 3600.0  # the instant of a row that names a day alone
_TEXT, _TIME = ("text", "title"), ("at", "published", "date", "day")


@dataclass(frozen=True, slots=True)
class Outside:
    """One happening of the list. `at` is Unix seconds, 0 where the list does not say."""

    text: str
    at: float = 0.0
    subject: str = ""
    link: str = ""


def from_table(text: str) -> tuple[list[Outside], list[str]]:
    """Read tab-separated rows under a header; return the happenings and what was left out.

    Columns: `text` (or `title`), `day` (or `date`, `at`, `published`; ISO 8601), and, if there,
    `subject` and `link`.

    Raises:
        ValueError: the header lacks a text or a time.
    """
    rows = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    names = [name.strip().casefold() for name in next(rows, [])]
    said = next((names.index(name) for name in _TEXT if name in names), -1)
    when = next((names.index(name) for name in _TIME if name in names), -1)
    if said < 0 or when < 0:
        raise ValueError(
            'the first line must name the columns, among them "text" and "day", parted by tabs'
        )
    found, faults = [], []
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = dict(zip(names, row, strict=False))
        try:
            at = instant(row[when])
            line = one_line(row[said], 1000)
        except (ValueError, IndexError):
            faults.append(f"line {number}: no day as in 2026-01-31; the line was left out")
            continue
        if line:
            subject = one_line(cells.get("subject", ""), 100)
            found.append(Outside(line, at, subject, one_line(cells.get("link", ""), 2000)))
    return found, faults


def from_entries(entries: Iterable[Entry]) -> list[Outside]:
    """Return the entries of a feed as happenings; those without a date are left out."""
    found = []
    for entry in entries:
        at = entry.published or entry.updated or 0.0
        if at > 0 and (line := one_line(entry.title, 1000)):
            found.append(Outside(line, at, "", entry.link))
    return found


def instant(text: str) -> float:
    """Return Unix seconds of an ISO 8601 date or time; a day alone is its noon, UTC.

    Raises:
        ValueError: it is neither.
    """
    moment = datetime.fromisoformat(text.strip())
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return seconds + (NOON if len(text.strip()) <= 10 else 0.0)
