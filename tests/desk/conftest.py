"""A desk for each test, on the real store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.desk.world import DeskWorld, settings


@pytest.fixture
async def world(store: Redis, valkey_url: str, keys: Keys) -> AsyncIterator[DeskWorld]:
    """A desk with an ordinary day on it."""
    made = DeskWorld(store, valkey_url, keys, settings(keys, port=0))
    await made.ordinary_day()
    yield made
    await made.blocking.aclose()
