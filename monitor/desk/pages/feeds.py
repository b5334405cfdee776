"""`/feeds`: how every feed is doing, what may be done about it, and lists in and out."""

from __future__ import annotations

import asyncio
import math
import os
from dataclasses import dataclass

import yaml
from pydantic import ValidationError
from starlette.responses import Response

from monitor.config.feed_files import write_feeds
from monitor.config.field_checks import check_feed
from monitor.config.names import readable_id
from monitor.config.opml import read_opml, write_opml
from monitor.config.schema import FeedSource
from monitor.desk.ask import Ask, BadRequest
from monitor.desk.render import page, reason
from monitor.desk.services import Services
from monitor.errors import ConfigError
from monitor.folding import fold
from monitor.health.feed_remedies import remedy
from monitor.health.rules import feed_health, silent_feed
from monitor.identity import url_key
from monitor.model import FeedState
from monitor.observability.logs import get_logger
from monitor.parsing.document import ParsedFeed
from monitor.polling.inspection import inspect_feed
from monitor.polling.poll_decision import shown_url
from monitor.polling.recent_polls import RecentPoll, read_polls
from monitor.polling.schedule import items_per_day
from monitor.text import one_line

log = get_logger(__name__)

_INSPECT_SECONDS = 60.0
_LONGEST_LIST = 5_000  # feeds
_one_at_a_time = asyncio.Semaphore(1)  # an inspection starts a parser of its own
SHOWN = 500


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One feed: its settings, its state, and how it does.

    `trouble` says what is wrong and `remedy` what to do ("" if nothing), `polls` are its last ones,
    `rhythm` is how many stories a day it usually brings, `paused` until when it is paused (0: it
    is not).
    """

    feed: FeedSource
    state: FeedState
    health: str
    trouble: str
    remedy: str
    polls: tuple[RecentPoll, ...]
    rhythm: float
    paused: float


@dataclass(frozen=True, slots=True)
class FeedsPage:
    """What the page shows.

    `rows` are the feeds that match `words`, those with trouble first; `counts` is how many there
    are of each health; `hidden` is how many rows were left out; `writable` whether lists can be
    taken over into the configuration folder.
    """

    rows: tuple[FeedRow, ...]
    counts: dict[str, int]
    words: str
    hidden: int
    writable: bool


@dataclass(frozen=True, slots=True)
class InspectContext:
    """What the page on one address shows.

    `address` is what was typed, `parsed` its document or None, `trouble` and `remedy` why there is
    none; `lines` go into feeds.yaml; `known` is the id of the feed that has this address already.
    """

    address: str
    parsed: ParsedFeed | None
    trouble: str
    remedy: str
    lines: str
    known: str


async def show(ask: Ask) -> Response:
    """Show the feeds; `q` narrows them by name or id."""
    words = fold(ask.query.get("q", ""))
    rows = await feed_rows(ask.desk, ask.now)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.health] = counts.get(row.health, 0) + 1
    found = [row for row in rows if words in fold(f"{row.feed.id} {row.feed.name}")]
    found.sort(key=lambda row: (not row.trouble, row.feed.name or row.feed.id))
    context = FeedsPage(
        rows=tuple(found[:SHOWN]),
        counts=dict(sorted(counts.items())),
        words=ask.query.get("q", ""),
        hidden=max(0, len(found) - SHOWN),
        writable=os.access(ask.desk.folder, os.W_OK),
    )
    return await page(ask, "feeds.html", "Feeds", "/feeds", context)


async def feed_rows(desk: Services, now: float) -> list[FeedRow]:
    """Return every configured feed and how it does, in the order of the configuration."""
    feeds = desk.config().feeds
    states = await desk.feeds.load_states([feed.id for feed in feeds])
    paused = await desk.feeds.paused()
    return [
        _row(feed, state, now, paused.get(feed.id, 0.0))
        for feed, state in zip(feeds, states, strict=True)
    ]


async def poll(ask: Ask) -> Response:
    """Make a feed due at once."""
    await ask.desk.feeds.poll_now([_watched(ask)], ask.now)
    return ask.back("poll", "/feeds")


async def pause(ask: Ask) -> Response:
    """Poll a feed no more until someone resumes it."""
    await ask.desk.feeds.pause([_watched(ask)], math.inf)
    return ask.back("paused", "/feeds")


async def resume(ask: Ask) -> Response:
    """Poll a paused feed again."""
    await ask.desk.feeds.resume([_watched(ask)], ask.now)
    return ask.back("resumed", "/feeds")


async def inspect(ask: Ask) -> Response:
    """Fetch an address as the poller would, and show what is there; nothing is stored."""
    address = ask.form.get("url", "").strip()[:2000]
    if address and "://" not in address:
        address = f"https://{address}"
    try:
        source = FeedSource(id="inspected", url=address)
    except ValidationError as error:
        raise BadRequest(error.errors()[0]["msg"]) from None
    if fault := next((one.message for one in check_feed(source)), ""):
        raise BadRequest(fault)
    config, key = ask.desk.config(), url_key(address)
    try:
        async with _one_at_a_time, asyncio.timeout(_INSPECT_SECONDS):
            found = await inspect_feed(None, source, config.polling)
    except TimeoutError:
        raise BadRequest("this takes too long; try `wirewatch feeds inspect ADDRESS`") from None
    parsed = found.parsed
    lines = {"url": address.replace("${", "$${")}
    if parsed is not None and parsed.title:
        lines["name"] = one_line(parsed.title, 100).replace("${", "$${")
    context = InspectContext(
        address=address,
        parsed=parsed,
        trouble="" if parsed else f"{reason(str(found.reason))}: {found.message}".rstrip(": "),
        remedy="" if parsed else remedy(str(found.reason)),
        lines=yaml.safe_dump([lines], allow_unicode=True, sort_keys=False) if parsed else "",
        known=next((feed.id for feed in config.feeds if url_key(feed.url) == key), ""),
    )
    return await page(ask, "inspect.html", "Inspect an address", "/feeds", context)


async def export(ask: Ask) -> Response:
    """Send the configured feeds as a subscription list, without secrets."""
    feeds = ask.desk.config().feeds
    shown = [feed.model_copy(update={"url": shown_url(feed)}) for feed in feeds]
    headers = {"Content-Disposition": 'attachment; filename="feeds.opml"'}
    return Response(write_opml(shown), media_type="text/x-opml", headers=headers)


async def take_over(ask: Ask) -> Response:
    """Take over a subscription list: written to the folder `feeds` of the configuration."""
    outlines, faults = read_opml(ask.files.get("opml", b""), readable_id)
    if not outlines:
        raise BadRequest(faults[0][1])
    if len(outlines) > _LONGEST_LIST:
        more = "use `wirewatch feeds import FILE`"
        raise BadRequest(f"a list may have {_LONGEST_LIST} feeds here; {more}")
    name = readable_id(ask.form.get("name", "")[:60]) or "subscriptions"
    target = ask.desk.folder / "feeds" / f"{name}.yaml"
    try:
        known = ask.desk.config().feeds
        did = await asyncio.to_thread(write_feeds, target, outlines, known, "the desk")
    except ConfigError:
        raise BadRequest(f"{target.name} is there and is no such list; give another name") from None
    except OSError as error:
        raise BadRequest(f"{target} cannot be written: {error.strerror}") from None
    log.info("feeds_imported", by=ask.person.name, file=str(target), feeds=did.written)
    return ask.back("imported" if did.written or did.updated else "known", "/feeds")


def _watched(ask: Ask) -> str:
    feed = ask.form.get("feed", "")
    if not any(one.id == feed and one.enabled for one in ask.desk.config().feeds):
        raise BadRequest("no feed of that id is watched")
    return feed


def _row(feed: FeedSource, state: FeedState, now: float, paused: float) -> FeedRow:
    health, trouble = feed_health(state), ""
    if not feed.enabled:
        health = "off"
    elif paused > now:
        health = "paused"
    elif health == "failing":
        trouble = f"{reason(state.last_reason)}: {state.last_error}".rstrip(": ")
    elif health == "ended":
        trouble = "the feed says it is gone (410)"
    elif (silent := silent_feed(state, now)) is not None:
        health, trouble = "silent", silent.text
    return FeedRow(
        feed=feed,
        state=state,
        health=health,
        trouble=trouble,
        remedy=remedy(state.last_reason) if trouble and health != "silent" else "",
        polls=read_polls(state.recent),
        rhythm=items_per_day(state, now),
        paused=paused if paused > now else 0.0,
    )
