"""What `feeds import` and `feeds discover` do, without the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import yaml

from monitor.clock import SystemClock
from monitor.config.names import slug
from monitor.config.opml import Outline
from monitor.config.schema import FeedSource, PollingSettings
from monitor.errors import FetchError
from monitor.feeds.fetch import Fetcher
from monitor.feeds.pool import ParserPool
from monitor.feeds.site import USUAL_PATHS, news_sitemaps
from monitor.identity import url_key

_CANDIDATES = 25
_AT_ONCE = 4


def write_feeds(
    target: Path, outlines: Sequence[Outline], known: Iterable[FeedSource], origin: str
) -> tuple[int, int]:
    """Write the outlines that are not known yet as a feeds file; return (written, left out)."""
    known = list(known)
    addresses = {url_key(feed.url) or feed.url for feed in known}
    ids = {feed.id for feed in known}
    rows: list[dict[str, Any]] = []
    for outline in outlines:
        address = url_key(outline.url) or outline.url
        if address in addresses:
            continue
        addresses.add(address)
        feed_id = _free(slug(outline.name) or slug(address) or "feed", ids)
        ids.add(feed_id)
        row: dict[str, Any] = {"id": feed_id, "url": outline.url}
        if outline.name:
            row["name"] = outline.name
        if outline.tags:
            row["tags"] = list(outline.tags)
        rows.append(row)
    if rows:
        target.parent.mkdir(parents=True, exist_ok=True)
        body = yaml.safe_dump({"feeds": rows}, allow_unicode=True, sort_keys=False, width=100)
        target.write_text(f"# Imported from {origin}.\n{body}", encoding="utf-8")
    return len(rows), len(outlines) - len(rows)


def _free(wish: str, taken: set[str]) -> str:
    wish = wish[:70]
    if wish not in taken:
        return wish
    return next(name for n in range(2, 10**6) if (name := f"{wish}-{n}") not in taken)


async def discover_feeds(url: str, settings: PollingSettings) -> tuple[list[dict[str, Any]], str]:
    """Return the feeds of a site, each fetched and read, and why there are none, if so.

    Looks at the page itself (it may be a feed), at the feeds it names, at the news sitemaps in
    robots.txt and, only where that gives nothing, at the usual places.
    """
    fetcher = Fetcher(settings, SystemClock())
    parsers = ParserPool(settings.model_copy(update={"parser_processes": 2}))
    try:
        try:
            page = await fetcher.fetch(url, accept="text/html, */*;q=0.5")
        except FetchError as error:
            return [], f"{error.reason}: {error}"
        if (itself := await _read(fetcher, parsers, url)) is not None:
            return [itself], ""
        links = await parsers.links(page.body, page.url)
        links += await _from_robots(fetcher, page.url)
        found = await _read_all(fetcher, parsers, links)
        if not found:
            guesses = [urljoin(page.url, path) for path in USUAL_PATHS]
            found = await _read_all(fetcher, parsers, guesses)
        return found, "" if found else f"{page.url} names no feed, and the usual places have none"
    finally:
        await parsers.aclose()
        await fetcher.aclose()


async def _from_robots(fetcher: Fetcher, url: str) -> list[str]:
    try:
        robots = await fetcher.fetch(urljoin(url, "/robots.txt"), accept="text/plain, */*;q=0.1")
    except FetchError:
        return []
    return news_sitemaps(robots.body.decode("utf-8", "replace")) if robots.status == 200 else []


async def _read_all(
    fetcher: Fetcher, parsers: ParserPool, links: Sequence[str]
) -> list[dict[str, Any]]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(link: str) -> dict[str, Any] | None:
        async with gate:
            return await _read(fetcher, parsers, link)

    unique = list(dict.fromkeys(links))[:_CANDIDATES]
    found = await asyncio.gather(*(one(link) for link in unique))
    by_address = {row["url"]: row for row in found if row is not None}
    return list(by_address.values())


async def _read(fetcher: Fetcher, parsers: ParserPool, url: str) -> dict[str, Any] | None:
    try:
        answer = await fetcher.fetch(url)
        if answer.status != 200:
            return None
        content_type = answer.headers.get("content-type", "")
        parsed = await parsers.parse(answer.body, answer.url, content_type)
    except FetchError:
        return None
    dates = [entry.published or entry.updated or 0.0 for entry in parsed.entries]
    newest = max(dates, default=0.0)
    return {
        "url": answer.url,
        "title": parsed.title,
        "version": parsed.version,
        "entries": len(parsed.entries),
        "newest": datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%d") if newest else None,
    }
