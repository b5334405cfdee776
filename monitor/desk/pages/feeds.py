"""`/feeds`: how every feed is doing."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from monitor.config.schema import FeedSource
from monitor.desk.ask import Ask, BadRequest
from monitor.desk.render import page
from monitor.desk.services import Services
from monitor.folding import fold
from monitor.health.rules import feed_health, silent_feed
from monitor.model import FeedState

SHOWN = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One feed: its settings, its state, and in words what is wrong with it ("" if nothing)."""

    feed: FeedSource
    state: FeedState
    health: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Context:
    """What the page shows.

    `rows` are the feeds that match `words`, those with trouble first; `counts` is how many there
    are of each health; `hidden` is how many rows were left out.
    """

    rows: tuple[Row, ...]
    counts: dict[str, int]
    words: str
    hidden: int


async def show(ask: Ask) -> Response:
    """Show the feeds; `q` narrows them by name or id."""
    words = fold(ask.query.get("q", ""))
    rows = await feed_rows(ask.desk, ask.now)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.health] = counts.get(row.health, 0) + 1
    found = [row for row in rows if words in fold(f"{row.feed.id} {row.feed.name}")]
    found.sort(key=lambda row: (not row.trouble, row.feed.name or row.feed.id))
    context = Context(
        rows=tuple(found[:SHOWN]),
        counts=dict(sorted(counts.items())),
        words=ask.query.get("q", ""),
        hidden=max(0, len(found) - SHOWN),
    )
    return await page(ask, "feeds.html", "Feeds", "/feeds", context)


async def feed_rows(desk: Services, now: float) -> list[Row]:
    """Return every configured feed and how it does, in the order of the configuration."""
    feeds = desk.config().feeds
    states = await desk.feeds.load_states([feed.id for feed in feeds])
    return [_row(feed, state, now) for feed, state in zip(feeds, states, strict=True)]


async def poll(ask: Ask) -> Response:
    """Make a feed due at once."""
    feed = ask.form.get("feed", "")
    if not any(one.id == feed and one.enabled for one in ask.desk.config().feeds):
        raise BadRequest("no feed of that id is watched")
    await ask.desk.feeds.poll_now([feed], ask.now)
    return ask.back("poll", "/feeds")


def _row(feed: FeedSource, state: FeedState, now: float) -> Row:
    health = feed_health(state) if feed.enabled else "off"
    if health == "failing":
        return Row(feed, state, health, f"{state.last_reason}: {state.last_error}".rstrip(": "))
    if health == "ended":
        return Row(feed, state, health, "the feed says it is gone (410); remove it or correct it")
    silent = silent_feed(state, now) if feed.enabled else None
    if silent is not None:
        return Row(feed, state, "silent", silent.text)
    return Row(feed, state, health, "")
