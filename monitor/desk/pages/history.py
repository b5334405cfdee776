"""`/history`: every alert of the last year, searched by words, topic, outlet and day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from monitor.desk.ask import Ask, BadRequest
from monitor.desk.render import page
from monitor.desk.services import topic_names
from monitor.history.export import as_csv, as_json_lines
from monitor.history.records import AlertRecord
from monitor.history.search import Query

SHOWN = 50


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """What the page shows.

    `rows` are the alerts found, `cursor` asks for older ones ("" at the end). `words`, `topic`,
    `outlet` and `day` are what was asked for, `problem` what is wrong with it ("" if nothing).
    `topics` (id to name) fills the choice, `days` is how long alerts are kept, `query` is what was
    asked as the tail of an address.
    """

    rows: tuple[AlertRecord, ...]
    cursor: str
    words: str
    topic: str
    outlet: str
    day: str
    problem: str
    topics: Mapping[str, str]
    days: int
    query: str


async def show(ask: Ask) -> Response:
    """Show what a search finds, a page at a time."""
    found, cursor, problem = list[AlertRecord](), "", ""
    try:
        result = await ask.desk.history.search(read_query(ask), SHOWN, ask.query.get("before", ""))
        found, cursor = list(result.alerts), result.cursor
    except BadRequest as error:
        problem = str(error)
    context = HistoryPage(
        rows=tuple(found),
        cursor=cursor,
        words=ask.query.get("q", ""),
        topic=ask.query.get("topic", ""),
        outlet=ask.query.get("outlet", ""),
        day=ask.query.get("day", ""),
        problem=problem,
        topics=topic_names(ask.desk.config()),
        days=round(ask.desk.config().store.keep_history / 86400),
        query=tail(ask),
    )
    status = 400 if problem else 200
    return await page(ask, "history.html", "History", "/history", context, status)


async def export_csv(ask: Ask) -> Response:
    """Send everything the search finds as CSV."""
    lines = as_csv(ask.desk.history.export(read_query(ask)))
    return StreamingResponse(lines, media_type="text/csv", headers=_attached("alerts.csv"))


async def export_json(ask: Ask) -> Response:
    """Send everything the search finds as JSON lines."""
    lines = as_json_lines(ask.desk.history.export(read_query(ask)))
    headers = _attached("alerts.jsonl")
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


def read_query(ask: Ask) -> Query:
    """Return what the address asks for.

    Raises:
        BadRequest: the day is not a day.
    """
    names = {"words": "q", "topic": "topic", "outlet": "outlet", "urgency": "urgency", "day": "day"}
    try:
        return Query.of(**{name: ask.query.get(field, "") for name, field in names.items()})
    except ValueError as error:
        raise BadRequest(str(error)) from None


def tail(ask: Ask) -> str:
    """Return what was asked for as the tail of an address, without the cursor."""
    from urllib.parse import urlencode

    asked = {name: ask.query.get(name, "") for name in ("q", "topic", "outlet", "urgency", "day")}
    return urlencode({name: value for name, value in asked.items() if value})


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
