"""Fixtures of the intake tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from feedlab import Publisher

from monitor.clock import ManualClock
from monitor.config.schema import PollingSettings
from monitor.feeds.fetch import Fetcher


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    """A publisher on every loopback address (127.0.0.1, 127.0.0.2, …)."""
    publisher = Publisher()
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
