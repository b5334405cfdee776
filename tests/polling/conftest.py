"""Fixtures of the intake tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from feedlab import Publisher
from pollerlab import RunningPoller, Start

from monitor.clock import Clock, ManualClock
from monitor.config.schema import Config, PollingSettings
from monitor.net.fetcher import Fetcher
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.feed_reader import FeedReader
from monitor.polling.feed_store import FeedStore
from monitor.polling.full_text import FullTextFetcher
from monitor.polling.polite_fetcher import PoliteFetcher
from monitor.polling.poll import Intake
from monitor.store.commands import Redis
from monitor.store.keys import Keys


@pytest.fixture
async def publisher(clock: ManualClock) -> AsyncIterator[Publisher]:
    """A publisher on every loopback address (127.0.0.1, 127.0.0.2, …)."""
    publisher = Publisher(now=clock.now)
    server = await asyncio.start_server(publisher.handle, "0.0.0.0", 0, limit=1 << 20)
    publisher.port = server.sockets[0].getsockname()[1]
    yield publisher
    server.close()


@pytest.fixture
def settings() -> PollingSettings:
    """Settings under which loopback may be fetched and nothing need be waited for."""
    return PollingSettings(
        allow_hosts=("127.0.0.0/8",),
        contact="https://desk.example/wirewatch",
        host_spacing=0.0,
        parser_processes=2,
    )


@pytest.fixture
async def fetcher(settings: PollingSettings, clock: ManualClock) -> AsyncIterator[Fetcher]:
    """A fetcher that may fetch from loopback."""
    fetcher = Fetcher(settings, clock)
    yield fetcher
    await fetcher.aclose()


@pytest.fixture
async def intake(
    fetcher: Fetcher, store: Redis, keys: Keys, clock: ManualClock, settings: PollingSettings
) -> AsyncIterator[Intake]:
    """The intake pipeline with real parsers and a real store."""
    pools = ParserPool(settings, size=1), ParserPool(settings, job="article", size=1)
    feeds = FeedStore(store, keys)
    articles = FullTextFetcher(PoliteFetcher(fetcher, feeds, clock, settings), pools[1], clock)
    yield Intake(fetcher, pools[0], feeds, clock, settings, articles=articles)
    for pool in pools:
        await pool.aclose()


@pytest.fixture
async def reader(
    fetcher: Fetcher, clock: ManualClock, settings: PollingSettings
) -> AsyncIterator[FeedReader]:
    """What fetches and parses without a store."""
    pool = ParserPool(settings, size=1)
    yield FeedReader(fetcher, pool, clock)
    await pool.aclose()


@pytest.fixture
async def start(store: Redis) -> AsyncIterator[Start]:
    """Start pollers that are stopped with the test."""
    running: list[RunningPoller] = []

    def begin(config: Config, clock: Clock | None = None) -> RunningPoller:
        running.append(RunningPoller(store, config, clock))
        return running[-1]

    yield begin
    for one in running:
        await one.stop()
