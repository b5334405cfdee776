"""Alerts of the history as CSV or JSON lines, for a spreadsheet or an analyst. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from monitor.history.records import AlertRecord

COLUMNS = (
    "id", "decided_at", "published", "seen_at", "topic", "topic_name", "urgency", "reason", "title",
    "lead", "url", "source", "owner", "sources", "outlets", "story_count", "score", "line",
    "nearest", "novelty", "note", "event", "parent", "story", "feed", "language",
)  # fmt: skip
_TIMES = ("decided_at", "published", "seen_at")
# A spreadsheet runs what begins like a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def as_csv(alerts: AsyncIterator[AlertRecord]) -> AsyncIterator[str]:
    """Yield a header and a row for each alert; times in UTC (ISO 8601), lists joined by "; "."""
    yield _row(COLUMNS)
    async for alert in alerts:
        yield _row([_cell(name, getattr(alert, name)) for name in COLUMNS])


async def as_json_lines(alerts: AsyncIterator[AlertRecord]) -> AsyncIterator[str]:
    """Yield a JSON object and a newline for each alert; times are Unix seconds."""
    async for alert in alerts:
        yield json.dumps(alert.to_dict(), ensure_ascii=False) + "\n"


def _cell(name: str, value: object) -> str:
    if name in _TIMES:
        assert isinstance(value, float | int)
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds") if value else ""
    text = "; ".join(value) if isinstance(value, tuple) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: object) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)  # type: ignore[arg-type]
    return out.getvalue()
