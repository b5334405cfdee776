"""Paged feeds (RFC 5005): read back until an entry turns up that is known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitor.config.schema import FeedSource
from monitor.errors import FetchError
from monitor.identity import entry_key, url_key
from monitor.model import Entry
from monitor.net.fetcher import split_credentials
from monitor.observability.logs import get_logger
from monitor.parsing.document import MAX_ENTRIES, ParsedFeed, Wanted
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.feed_reader import private_headers
from monitor.polling.fetch_result import classify_status
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.polite_fetcher import PoliteFetcher
from monitor.polling.seen_entries import Seen
from monitor.reasons import FetchReason

log = get_logger(__name__)

_PAGES = 4


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Where following pages starts and ends.

    `answered_by` is the address of the document itself, `home` the host whose turn the poll holds,
    `deadline` the event loop's time by which all pages must be read.
    """

    answered_by: str
    home: HostSlot
    deadline: float


class FeedPages:
    """Follows a feed's pages where its document holds nothing that we know.

    Entries may then have come and gone between two polls.
    """

    def __init__(self, fetcher: PoliteFetcher, parsers: ParserPool) -> None:
        self._fetcher = fetcher
        self._parsers = parsers

    async def close_gap(
        self, source: FeedSource, parsed: ParsedFeed, seen: Seen, wanted: Wanted, limits: PageLimits
    ) -> ParsedFeed:
        """Return `parsed` with the entries of its next pages, a few at most.

        A page that fails ends it; what was read until then is kept.

        Raises:
            redis.exceptions.RedisError: the store failed.
        """
        entries, following = list(parsed.entries), parsed.next_url
        visited = {source.url, limits.answered_by}
        try:
            async with asyncio.timeout_at(limits.deadline):
                for _ in range(_PAGES):
                    if not following or following in visited or _overlaps(entries, seen):
                        break
                    visited.add(following)
                    page = await self._read(source, following, wanted, limits.home)
                    if page is None:
                        break
                    entries += page.entries
                    following = page.next_url
        except FetchError as error:
            log.info("page_failed", feed=source.id, reason=error.reason)
        except TimeoutError:
            log.info("page_failed", feed=source.id, reason=FetchReason.TIMEOUT)
        return replace(parsed, entries=tuple(entries[:MAX_ENTRIES]))

    async def _read(
        self, source: FeedSource, url: str, wanted: Wanted, home: HostSlot
    ) -> ParsedFeed | None:
        headers = self._for_same_origin(source, url)
        fetched = await self._fetcher.fetch(url, home, headers=headers)
        if classify_status(fetched)[0] != FetchReason.OK:
            return None
        content_type = fetched.headers.get("content-type", "")
        return await self._parsers.parse(
            fetched.body, fetched.url, content_type, source.kind, wanted
        )

    def _for_same_origin(self, source: FeedSource, url: str) -> dict[str, str]:
        """Return the feed's private headers if `url` is on its own origin."""
        guard = self._fetcher.guard
        if guard.check_url(source.url) != guard.check_url(url):
            return {}
        authorization = split_credentials(source.url)[1]
        extra = {"Authorization": authorization} if authorization else {}
        return extra | private_headers(source)


def _overlaps(entries: Iterable[Entry], seen: Seen) -> bool:
    return any(
        entry_key(entry.guid, url_key(entry.link), entry.title, entry.fingerprint) in seen
        for entry in entries
    )
