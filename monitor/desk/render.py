"""Templates: HTML that escapes everything, and the few words and shapes that pages share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from monitor.delivery.formatting import link
from monitor.desk.ask import Ask
from monitor.desk.people import Person
from monitor.polling.recent_polls import KEPT, RecentPoll
from monitor.text import ago, on_page, one_line, span

HERE = Path(__file__).parent
STATIC = HERE / "static"
# What was done, said on the page that follows: a code in the address, never text from it.
DONE = {
    "relevant": "Noted: it belongs. Stories like it match more easily from now on.",
    "not_relevant": "Noted: it does not belong. Stories like it match only where they are surer.",
    "muted": "This event is muted.",
    "claimed": "You are on it. Everyone can see that.",
    "released": "You are no longer on it.",
    "silenced": "Silenced.",
    "ended": "The silence is over.",
    "requeued": "Back in the queue.",
    "dropped": "Dropped.",
    "poll": "The feed is polled next.",
    "paused": "The feed is paused; nothing known of it is lost.",
    "resumed": "The feed is polled again.",
    "imported": "The list is taken over; the service reads it within seconds.",
    "known": "Every feed of this list is configured already; nothing was written.",
    "saved": "Saved; the service takes it over within seconds.",
    "apart": "Kept apart from now on; the service sorts the stories afresh within seconds.",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its own part.

    `here` is the address of the screen in the menu, `path` that of this very page with its query,
    `last` the id of the newest thing that happened when the page was made.
    """

    title: str
    here: str
    path: str
    person: Person | None
    done: str
    last: str
    now: float


async def page(
    ask: Ask, template: str, title: str, here: str, context: Any, status: int = 200
) -> Response:
    """Render a page: its frame and its own documented context."""
    frame = Frame(
        title=title,
        here=here,
        path=_path(ask),
        person=ask.person,
        done=DONE.get(ask.query.get("done", ""), ""),
        last=await ask.desk.live.last_id(),
        now=ask.now,
    )
    return HTMLResponse(render(template, frame, context), status)


def render(template: str, frame: Frame, context: Any) -> str:
    """Return a page as HTML; `context` is a dataclass whose fields the template knows by name."""
    assert is_dataclass(context)
    values = {field.name: getattr(context, field.name) for field in fields(context)}
    return environment().get_template(template).render(frame=frame, **values)


@cache
def environment() -> Environment:
    """Return the one environment of all templates: escaping is on, unknown names are mistakes."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        finalize=on_page,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": ago,
        "span": span,
        "moment": moment,
        "clock": clock,
        "hour": hour,
        "iso": iso,
        "link": link,
        "line": one_line,
        "reason": reason,
    }
    made.globals |= {"asset": asset, "bars": bars, "strip": strip}
    return made


@cache
def asset(name: str) -> str:
    """Return the address of a static file, with its hash: browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _path(ask: Ask) -> str:
    url = ask.request.url
    return url.path + (f"?{url.query}" if url.query else "")


def moment(at: float) -> str:
    """Return an instant as "26 Nov 2026, 14:05 UTC", or "–" for none."""
    if not at:
        return "–"
    then = datetime.fromtimestamp(at, UTC)
    return f"{then.day} {then:%b %Y, %H:%M} UTC"


def clock(at: float) -> str:
    """Return an instant as "14:05:09", or "–" for none."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}" if at else "–"


def hour(at: float, now: float) -> str:
    """Return an instant as "14:05", or, where it is not of today, "26 Nov, 14:05"."""
    then, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    return f"{then:%H:%M}" if then.date() == today.date() else f"{then.day} {then:%b, %H:%M}"


def iso(at: float) -> str:
    """Return an instant for machines: 2026-11-26T14:05:09Z."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def reason(name: str) -> str:
    """Return a named reason as words: "already_told" reads "already told"."""
    return name.replace("_", " ")


_BAR = Markup('<rect x="{}" y="{}" width="11" height="{}" class="bar"><title>{}</title></rect>')
_CHART = Markup(
    '<svg class="{}" role="img" viewBox="0 0 {} {}" width="{}" height="{}">'
    "<title>{}</title>{}</svg>"
)


def bars(rows: Sequence[tuple[str, int]], label: str) -> Markup:
    """Return counts by name (days, hours) as a bar chart in SVG; `label` says what it shows."""
    most = max([count for _, count in rows], default=0) or 1
    heights = [round(56 * count / most) for _, count in rows]
    cells = Markup("").join(
        _BAR.format(place * 14, 60 - height, height, f"{name}: {count}")
        for place, ((name, count), height) in enumerate(zip(rows, heights, strict=True))
    )
    width = max(1, len(rows)) * 14
    return _CHART.format("bars", width, 60, width, 60, label, cells)


_POLL = Markup('<rect x="{}" y="{}" width="3" height="{}" class="{}"><title>{}</title></rect>')


def strip(polls: Sequence[RecentPoll], label: str) -> Markup:
    """Return polls, oldest first, as a strip in SVG: high where they failed or brought stories."""
    cells = []
    for place, poll in enumerate(polls):
        kind = "poll-new" if poll.well and poll.new else "poll-same" if poll.well else "poll-bad"
        high = 6 if kind == "poll-same" else 16
        found = f", {poll.new} new" if poll.new else ""
        title = f"{moment(poll.at)}: {reason(poll.reason)}{found}"
        cells.append(_POLL.format(place * 4, 16 - high, high, kind, title))
    width = 4 * KEPT
    return _CHART.format("strip", width, 16, width, 16, label, Markup("").join(cells))
