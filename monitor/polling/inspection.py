"""One feed fetched and read as the poller would, and nothing stored."""

from __future__ import annotations

from monitor.clock import SystemClock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.errors import FetchError
from monitor.model import FeedState
from monitor.net.fetcher import Fetcher
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.feed_reader import FeedReader
from monitor.polling.fetch_result import FetchResult
from monitor.reasons import FetchReason


async def inspect_feed(
    document: bytes | None, source: FeedSource, settings: PollingSettings
) -> FetchResult:
    """Return how a poll of `source` would end; of `document`, where one is at hand."""
    clock = SystemClock()
    settings = settings.model_copy(update={"parser_processes": 1})
    fetcher, parsers = Fetcher(settings, clock), ParserPool(settings)
    try:
        if document is not None:
            try:
                parsed = await parsers.parse(document, "", "", source.kind)
            except FetchError as error:
                return FetchResult(error.reason, str(error))
            return FetchResult(FetchReason.OK, parsed=parsed)
        reader = FeedReader(fetcher, parsers, clock)
        return await reader.read(source, FeedState(feed_id=source.id, url=""))
    finally:
        await parsers.aclose()
        await fetcher.aclose()
