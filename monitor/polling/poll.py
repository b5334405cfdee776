"""One poll of one feed, step by step: fetch, parse, decide, commit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from redis.exceptions import RedisError

from monitor.clock import Clock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.model import FeedState
from monitor.net.fetcher import Fetcher
from monitor.observability import logs
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.entry_diff import texts_wanted
from monitor.polling.feed_pages import FeedPages, PageLimits
from monitor.polling.feed_reader import FeedReader, FetchedFeed, our_fault
from monitor.polling.feed_store import FeedStore
from monitor.polling.fetch_result import FetchResult
from monitor.polling.full_text import SECONDS as ARTICLE_SECONDS
from monitor.polling.full_text import FullTextFetcher
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.outage import OutageWatch
from monitor.polling.polite_fetcher import PoliteFetcher, host_slot_of
from monitor.polling.poll_decision import PollDecision, decide, poll_url, reset_if_url_changed
from monitor.polling.seen_entries import SeenEntry


def longest(settings: PollingSettings) -> float:
    """Return the seconds that one poll may take, waits for a parser and for the store aside."""
    return settings.timeout + settings.parse_timeout + ARTICLE_SECONDS


@dataclass(frozen=True, slots=True)
class _Polled:
    """One feed while it is polled.

    `loaded` is its state as the store has it, `state` the same for the address configured now.
    `url` is what is fetched, `home` the host whose turn the poll holds, `deadline` the event
    loop's time by which the document and its pages must be read.
    """

    source: FeedSource
    loaded: FeedState
    state: FeedState
    url: str
    home: HostSlot
    deadline: float


class Intake:
    """Polls feeds, one at a time for each call; any number of calls may run at once."""

    def __init__(
        self,
        fetcher: Fetcher,
        parsers: ParserPool,
        store: FeedStore,
        clock: Clock,
        settings: PollingSettings,
        *,
        articles: FullTextFetcher | None = None,
        outage: OutageWatch | None = None,
        keep_seen: float = 90 * 86400.0,
    ) -> None:
        self._guard = fetcher.guard
        self._reader = FeedReader(fetcher, parsers, clock)
        self._pages = FeedPages(PoliteFetcher(fetcher, store, clock, settings), parsers)
        self._articles = articles
        self._outage = outage or OutageWatch()
        self._store = store
        self._clock = clock
        self.settings = settings
        self._keep_seen = keep_seen

    async def poll(
        self, source: FeedSource, loaded: FeedState | None = None
    ) -> PollDecision | None:
        """Poll one feed and commit what follows; None if another poller was first.

        Args:
            source: the feed as configured.
            loaded: its state, where the caller has just loaded it.

        Raises:
            redis.exceptions.RedisError: the store failed; nothing was committed.
        """
        if loaded is None:
            loaded = (await self._store.load_states([source.id]))[0]
        feed = self._begin(source, loaded)
        fetched = await self._reader.fetch(source, feed.state)
        with logs.trace(fetched.result.trace):
            try:
                seen, result = await self._parse(feed, fetched)
                decision = await self._add_full_texts(feed, self._decide(feed, seen, result))
            except (RedisError, OSError):
                raise
            except Exception as error:
                # One odd string of a publisher's costs this poll, is counted, and backs off.
                failed = replace(our_fault(source, error), trace=fetched.result.trace)
                decision = self._decide(feed, {}, failed)
            return decision if await self._commit(feed, fetched, decision) else None

    def _begin(self, source: FeedSource, loaded: FeedState) -> _Polled:
        state = reset_if_url_changed(source, loaded)
        url = poll_url(source, state)
        patience = self.settings.timeout + self.settings.parse_timeout
        deadline = asyncio.get_running_loop().time() + patience
        return _Polled(source, loaded, state, url, host_slot_of(url, self._guard), deadline)

    async def _parse(
        self, feed: _Polled, fetched: FetchedFeed
    ) -> tuple[dict[str, SeenEntry], FetchResult]:
        """Return what is remembered of the feed, and its document, parsed."""
        if fetched.document is None:
            return {}, fetched.result
        seen = await self._store.load_seen(feed.source.id)
        wanted = texts_wanted(feed.state, seen, self._clock.now())
        result = await self._reader.parse(feed.source, fetched, wanted)
        if result.parsed is not None and feed.state.baselined:
            limits = PageLimits(fetched.answered_by, feed.home, feed.deadline)
            parsed = await self._pages.close_gap(feed.source, result.parsed, seen, wanted, limits)
            result = replace(result, parsed=parsed)
        return seen, result

    def _decide(
        self, feed: _Polled, seen: dict[str, SeenEntry], result: FetchResult
    ) -> PollDecision:
        now = self._clock.now()
        self._outage.note(feed.home.site or feed.home.host, feed.state, result, now)
        return decide(
            feed.source,
            feed.state,
            seen,
            result,
            now,
            self.settings,
            keep_seen=self._keep_seen,
            outage=self._outage.ours,
        )

    async def _add_full_texts(self, feed: _Polled, decision: PollDecision) -> PollDecision:
        if not (feed.source.full_text and self._articles and decision.stories):
            return decision
        return replace(decision, stories=await self._articles.read(decision.stories, feed.home))

    async def _commit(self, feed: _Polled, fetched: FetchedFeed, decision: PollDecision) -> bool:
        """Write the decision down and free the host, in one step; False if another was first."""
        url_after = poll_url(feed.source, decision.state)
        answered_by = fetched.answered_by if decision.hold else ""
        return await self._store.commit(
            decision,
            feed.state.version,
            feed.home,
            now=self._clock.now(),
            spacing=self.settings.host_spacing,
            before=feed.loaded if feed.loaded.version else None,
            answered=host_slot_of(answered_by, self._guard) if answered_by else None,
            home=host_slot_of(url_after, self._guard) if url_after != feed.url else None,
        )
