"""`/why`: why a story was told, or was not, by its address or by words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from monitor.analysis.explain_store import explain, find_stories
from monitor.desk.ask import Ask
from monitor.desk.render import moment, page

FOUND = 30


@dataclass(frozen=True, slots=True)
class Hit:
    """A story that the words found: `verdict` is what was decided, in a word or two."""

    id: str
    title: str
    source: str
    seen_at: float
    verdict: str


@dataclass(frozen=True, slots=True)
class WhyPage:
    """What the page shows.

    `asked` is what was typed; `told` is the whole explanation of one story (what `wirewatch explain
    --json` prints) or None; `hits` are the stories that words found; `days` is how long stories are
    kept; `names` the topics' names by id.
    """

    asked: str
    told: Mapping[str, Any] | None
    hits: tuple[Hit, ...]
    days: int
    names: Mapping[str, str]


async def show(ask: Ask) -> Response:
    """Explain one story (an address or an id), or list those in whose headline the words stand."""
    asked = ask.query.get("q", "").strip()[:2000]
    desk, told, hits = ask.desk, None, list[Hit]()
    if asked:
        told = await explain(desk.client, desk.keys, desk.config(), asked, moment)
        if told is None and not asked.startswith(("http://", "https://")):
            since = ask.now - desk.config().store.keep_stories
            found = await find_stories(desk.archive, asked, since, ask.now, FOUND)
            hits = [Hit(**row) for row in found]
    context = WhyPage(
        asked=asked,
        told=told,
        hits=tuple(hits),
        days=round(desk.config().store.keep_stories / 86400),
        names={topic.id: topic.name for topic in desk.config().topics},
    )
    return await page(ask, "why.html", "Why", "/why", context)
