"""Full texts: new stories get the text of their article's page, where the site lets robots in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import urljoin

from monitor.clock import Clock
from monitor.errors import FetchError
from monitor.feeds.fetch import Fetcher
from monitor.feeds.pool import ParserPool
from monitor.logs import get_logger
from monitor.model import Story
from monitor.reasons import FetchReason

log = get_logger(__name__)

_PAGE_BYTES = 4_000_000
_ROBOTS_BYTES = 512_000  # RFC 9309 section 2.5: at least 500 KiB are to be read
_SECONDS = 20.0
_ROBOTS_KEPT = 86400.0  # section 2.4
_SITES = 256


class Articles:
    """Reads articles' pages under the guards of every fetch; a page that fails costs nothing.

    Args:
        fetcher: fetches pages and robots.txt.
        parsers: a pool for the job "article".
        clock: says when a robots.txt is to be asked for anew.
        spacing: seconds between two requests to one site.
    """

    def __init__(self, fetcher: Fetcher, parsers: ParserPool, clock: Clock, spacing: float) -> None:
        self._fetcher = fetcher
        self._parsers = parsers
        self._clock = clock
        self._spacing = spacing
        self._robots: dict[str, tuple[float, bytes | None]] = {}

    async def read(self, stories: tuple[Story, ...]) -> tuple[Story, ...]:
        """Return the stories of one feed, the new ones with their article's text.

        What was there before us or is old keeps the feed's text; so does everything that the time
        for one poll does not suffice for (newest first).
        """
        full = list(stories)
        try:
            async with asyncio.timeout(_SECONDS):
                for at in range(len(full) - 1, -1, -1):
                    story = full[at]
                    if story.baseline or story.stale or not story.url:
                        continue
                    text = await self._text(story)
                    if len(text) > len(story.body):
                        full[at] = replace(story, body=text)
        except TimeoutError:
            log.info("articles_cut_short", feed=stories[0].feed_id)
        return tuple(full)

    async def _text(self, story: Story) -> str:
        try:
            if not await self._welcome(story.url):
                log.info(
                    "article_failed", feed=story.feed_id, story=story.id, reason=FetchReason.ROBOTS
                )
                return ""
            page = await self._fetcher.fetch(
                story.url, accept="text/html, application/xhtml+xml", max_body=_PAGE_BYTES
            )
            await self._clock.sleep(self._spacing)
            return await self._parsers.article(page.body, page.url) if page.status == 200 else ""
        except FetchError as error:
            log.info("article_failed", feed=story.feed_id, story=story.id, reason=error.reason)
            return ""

    async def _welcome(self, url: str) -> bool:
        """Whether the site's robots.txt lets us read a page (RFC 9309)."""
        place = urljoin(url, "/robots.txt")
        until, rules = self._robots.get(place, (0.0, None))
        now = self._clock.now()
        if until <= now:
            rules = await self._rules(place)
            await self._clock.sleep(self._spacing)
            while len(self._robots) >= _SITES:
                self._robots.pop(next(iter(self._robots)))
            self._robots[place] = now + _ROBOTS_KEPT, rules
        if rules is None:
            return False
        return not rules or await self._parsers.allows(rules, url)

    async def _rules(self, place: str) -> bytes | None:
        """Return a robots.txt, b"" where there is none (all is allowed), None if it is in doubt."""
        try:
            answer = await self._fetcher.fetch(
                place, accept="text/plain, */*;q=0.1", max_body=_ROBOTS_BYTES
            )
        except FetchError:
            return None
        if answer.status == 200:
            return answer.body
        return b"" if 400 <= answer.status < 500 else None
