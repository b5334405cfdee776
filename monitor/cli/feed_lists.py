"""What `feeds discover` does, without the command line."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from monitor.clock import Clock, SystemClock
from monitor.config.schema import PollingSettings
from monitor.errors import FetchError
from monitor.net.fetcher import FEED_TYPES, Fetched, Fetcher
from monitor.parsing.discovery import USUAL_PATHS, news_sitemaps
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.fetch_result import classify_status
from monitor.polling.polite_fetcher import REFUSALS, host_slot_of
from monitor.reasons import FetchReason

_CANDIDATES = 25
_AT_ONCE = 4


async def discover_feeds(
    url: str, settings: PollingSettings, clock: Clock | None = None
) -> tuple[list[dict[str, Any]], str]:
    """Return the feeds of a site, each fetched and read, and why there are none, if so.

    Looks at the page itself (it may be a feed), at the feeds it names, at the news sitemaps in
    robots.txt and, only where that gives nothing, at the usual places until one has a feed.
    """
    clock = clock or SystemClock()
    fetcher = Fetcher(settings, clock)
    parsers = ParserPool(settings.model_copy(update={"parser_processes": 2}))
    visitor = _Visitor(fetcher, clock, settings.host_spacing)
    try:
        try:
            page = await visitor.fetch(url, "text/html, */*;q=0.5")
        except FetchError as error:
            return [], f"{error.reason}: {error}"
        if (itself := await _read(parsers, page)) is not None:
            return [itself], ""
        links = await parsers.links(page.body, page.url)
        links += await _from_robots(visitor, page.url)
        found = await _read_all(visitor, parsers, links)
        for path in () if found else USUAL_PATHS:
            if (row := await _visit(visitor, parsers, urljoin(page.url, path))) is not None:
                return [row], ""
        nothing = f"{page.url} names no feed, and the usual places have none"
        return found, "" if found else visitor.refusal or nothing
    finally:
        await parsers.aclose()
        await fetcher.aclose()


class _Visitor:
    """Fetches with a poll's manners: one request at a time to a host, spaced, none after a refusal.

    `refusal` is what the last host that refused us said.
    """

    def __init__(self, fetcher: Fetcher, clock: Clock, spacing: float) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._spacing = spacing
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: set[str] = set()
        self._closed: set[str] = set()
        self.refusal = ""

    async def fetch(self, url: str, accept: str = FEED_TYPES) -> Fetched:
        host = self._host(url)
        async with self._turns[host]:
            if host in self._closed:
                raise FetchError(FetchReason.RATE_LIMITED, "it refused us a moment ago")
            if host in self._asked:
                await self._clock.sleep(self._spacing)
            self._asked.add(host)
            answer = await self._fetcher.fetch(url, accept=accept)
            self._asked.add(self._host(answer.url))
            reason, message = classify_status(answer)
            if reason in REFUSALS:
                self.refusal = f"{reason}: {message}"
                self._closed.add(host)
                raise FetchError(reason, message)
        return answer

    def _host(self, url: str) -> str:
        return host_slot_of(url, self._fetcher.guard).host


async def _from_robots(visitor: _Visitor, url: str) -> list[str]:
    try:
        robots = await visitor.fetch(urljoin(url, "/robots.txt"), "text/plain, */*;q=0.1")
    except FetchError:
        return []
    return news_sitemaps(robots.body.decode("utf-8", "replace")) if robots.status == 200 else []


async def _read_all(
    visitor: _Visitor, parsers: ParserPool, links: Sequence[str]
) -> list[dict[str, Any]]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(link: str) -> dict[str, Any] | None:
        async with gate:
            return await _visit(visitor, parsers, link)

    unique = list(dict.fromkeys(links))[:_CANDIDATES]
    found = await asyncio.gather(*(one(link) for link in unique))
    by_address = {row["url"]: row for row in found if row is not None}
    return list(by_address.values())


async def _visit(visitor: _Visitor, parsers: ParserPool, url: str) -> dict[str, Any] | None:
    try:
        return await _read(parsers, await visitor.fetch(url))
    except FetchError:
        return None


async def _read(parsers: ParserPool, answer: Fetched) -> dict[str, Any] | None:
    if answer.status != 200:
        return None
    try:
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
