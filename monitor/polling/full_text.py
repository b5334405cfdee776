"""Full texts: new stories get the text of their article's page, where the site lets robots in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import urljoin

from monitor.clock import Clock
from monitor.errors import FetchError
from monitor.model import Story
from monitor.observability.logs import get_logger
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.polite_fetcher import REFUSALS, PoliteFetcher, host_slot_of
from monitor.reasons import FetchReason

log = get_logger(__name__)

SECONDS = 20.0  # for the articles of one poll
_PAGE_BYTES = 4_000_000
_ROBOTS_BYTES = 512_000  # RFC 9309 section 2.5: at least 500 KiB are to be read
_ROBOTS_KEPT = 86400.0  # section 2.4
_SITES = 256


class FullTextFetcher:
    """Reads articles' pages under the guards and manners of every fetch; a failure costs nothing.

    Args:
        fetcher: fetches pages and robots.txt.
        parsers: a pool for the job "article".
        clock: says when a robots.txt is to be asked for anew.
    """

    def __init__(self, fetcher: PoliteFetcher, parsers: ParserPool, clock: Clock) -> None:
        self._fetcher = fetcher
        self._parsers = parsers
        self._clock = clock
        self._robots: dict[str, tuple[float, bytes | None]] = {}

    async def read(self, stories: tuple[Story, ...], home: HostSlot) -> tuple[Story, ...]:
        """Return the stories of a feed claimed at `home`, the new ones with their article's text.

        What was there before us or is old keeps the feed's text; so does everything that the time
        for one poll does not suffice for (newest first), and all of a site that refuses one page.

        Raises:
            redis.exceptions.RedisError: the store failed.
        """
        full, closed = list(stories), set[str]()
        try:
            async with asyncio.timeout(SECONDS):
                for at in range(len(full) - 1, -1, -1):
                    story = full[at]
                    where = host_slot_of(story.url, self._fetcher.guard).host
                    if story.baseline or story.stale or not story.url or where in closed:
                        continue
                    try:
                        text = await self._text(story.url, home)
                    except FetchError as error:
                        log.info(
                            "article_failed",
                            feed=story.feed_id,
                            story=story.id,
                            reason=error.reason,
                        )
                        if error.reason in REFUSALS:
                            closed.add(where)
                        continue
                    if len(text) > len(story.body):
                        full[at] = replace(story, body=text)
        except TimeoutError:
            log.info("articles_cut_short", feed=stories[0].feed_id)
        return tuple(full)

    async def _text(self, url: str, home: HostSlot) -> str:
        self._fetcher.guard.check_url(url)
        if not await self._welcome(url, home):
            raise FetchError(FetchReason.ROBOTS, "the site's robots.txt keeps us out")
        page = await self._fetcher.fetch(
            url, home, accept="text/html, application/xhtml+xml", max_body=_PAGE_BYTES
        )
        return await self._parsers.article(page.body, page.url) if page.status == 200 else ""

    async def _welcome(self, url: str, home: HostSlot) -> bool:
        """Whether the site's robots.txt lets us read a page (RFC 9309)."""
        place = urljoin(url, "/robots.txt")
        until, rules = self._robots.get(place, (0.0, None))
        now = self._clock.now()
        if until <= now:
            rules = await self._rules(place, home)
            while len(self._robots) >= _SITES:
                self._robots.pop(next(iter(self._robots)))
            self._robots[place] = now + _ROBOTS_KEPT, rules
        if rules is None:
            return False
        return not rules or await self._parsers.allows(rules, url)

    async def _rules(self, place: str, home: HostSlot) -> bytes | None:
        """Return a robots.txt, b"" where there is none (all is allowed), None if it is in doubt."""
        try:
            answer = await self._fetcher.fetch(
                place, home, accept="text/plain, */*;q=0.1", max_body=_ROBOTS_BYTES
            )
        except FetchError as error:
            if error.reason in REFUSALS:
                raise  # that says nothing about the rules
            return None
        if answer.status == 200:
            return answer.body
        return b"" if 400 <= answer.status < 500 else None
