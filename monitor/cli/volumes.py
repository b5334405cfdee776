"""Alerts a day of each topic, for `check`, `topics try` and `topics new`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.setup import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.config.schema import Config
    from monitor.matching import TopicMatcher
    from monitor.matching.topic_profile import Array
    from monitor.matching.volume import Volume

_WAIT = 20.0  # seconds for a store to tell its stories


def volumes(
    config: Config, matcher: TopicMatcher, ordinary: Callable[[], Array]
) -> dict[str, Volume]:
    """Return each topic's volume: by a running service's stories, else by ordinary news."""
    import asyncio

    from redis.exceptions import RedisError

    from monitor.analysis.expected_alerts import guessed
    from monitor.errors import WirewatchError
    from monitor.store.embedded.server import find_running

    found: dict[str, Volume] = {}
    if config.store.url is not None or find_running(config.store.data_dir) is not None:
        try:
            found = asyncio.run(_counted(config, matcher))
        except (WirewatchError, RedisError, OSError, TimeoutError):
            found = {}
    return found or guessed(matcher.topics, ordinary(), config)


async def _counted(config: Config, matcher: TopicMatcher) -> dict[str, Volume]:
    import asyncio

    from monitor.analysis.archive import AnalysisStore
    from monitor.analysis.expected_alerts import counted
    from monitor.clock import SystemClock

    async with asyncio.timeout(_WAIT), open_store(config) as (client, _):
        return await counted(AnalysisStore.of(client, config), matcher, SystemClock().now())
