"""`/`: what is being told now, one row for each happening, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response, StreamingResponse

from monitor.desk.ask import Ask
from monitor.desk.happenings import Happening, happenings
from monitor.desk.live import TooManyPages
from monitor.desk.render import page
from monitor.desk.services import topic_names
from monitor.history.search import Query

SHOWN = 60


@dataclass(frozen=True, slots=True)
class NowPage:
    """What the page shows.

    `rows` are the happenings, `more` whether there are older ones in the history; `topics` (id to
    name) and `urgencies` fill the filters, `topic`, `urgency` and `words` are those chosen.
    `troubles` are sentences an operator should read.
    """

    rows: tuple[Happening, ...]
    more: bool
    topics: Mapping[str, str]
    urgencies: tuple[str, ...]
    topic: str
    urgency: str
    words: str
    troubles: tuple[str, ...]


async def show(ask: Ask) -> Response:
    """Show the newest happenings; the filters stand in the address."""
    words, topic = ask.query.get("q", ""), ask.query.get("topic", "")
    urgency = ask.query.get("urgency", "")
    rows = await happenings(ask.desk, Query.of(words, topic, urgency=urgency), ask.now)
    context = NowPage(
        rows=rows[:SHOWN],
        more=len(rows) > SHOWN,
        topics=topic_names(ask.desk.config()),
        urgencies=("critical", "high", "normal", "low"),
        topic=topic,
        urgency=urgency,
        words=words,
        troubles=tuple(await ask.desk.troubles()),
    )
    return await page(ask, "now.html", "Now", "/", context)


async def live(ask: Ask) -> Response:
    """Stream the ids of what happens from now on, or from where the page was."""
    last = ask.request.headers.get("last-event-id") or ask.query.get("after", "")
    lines = ask.desk.live.events(last)
    try:
        first = await anext(lines)
    except TooManyPages:
        return JSONResponse({"error": "too many open pages; try again later"}, 503)

    async def body() -> object:
        yield first
        async for line in lines:
            yield line

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(body(), media_type="text/event-stream", headers=headers)  # type: ignore[arg-type]


async def since(ask: Ask) -> Response:
    """Return what happened since an id, for pages that cannot keep a line open."""
    found = await ask.desk.live.since(ask.query.get("after", ""))
    events = [{"id": h.id, "kind": h.kind, "alert": h.alert, "event": h.event} for h in found]
    return JSONResponse({"events": events}, headers={"Cache-Control": "no-store"})
