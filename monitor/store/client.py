"""Connections to the store, and the Lua scripts that run in it.

Two kinds of connection: an ordinary one for short commands, and one for blocking reads whose
socket timeout is longer than the block (redis-py otherwise gives up first, and its own retries
would hide a lost connection for a minute).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import redis.asyncio as aioredis
from redis import DriverInfo
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from monitor.config.store_address import read_address
from monitor.errors import StoreError
from monitor.store.commands import Redis, Value
from monitor.store.failover import open_following

_SCRIPTS = Path(__file__).with_name("scripts")
BLOCK_SECONDS = 2.0
_DRIVER = DriverInfo()  # else every connection looks up its version in files anew


def open_client(url: str, **options: Any) -> Redis:
    """Return a client whose connections have `options`; StoreError for an address it cannot use."""
    try:
        address = read_address(url)
        options |= {"protocol": 2, "driver_info": _DRIVER}
        if address.nodes:
            client = open_following(address, **options)
        else:
            client = aioredis.Redis.from_url(address.url, **options)
        client.connection_pool.make_connection()  # opens nothing; an unknown option shows now
    except (ValueError, TypeError, RedisError) as error:
        raise StoreError(f"the store's address cannot be used: {error}; check REDIS_URL") from None
    return cast(Redis, client)


def connect(url: str) -> Redis:
    """Return a client for short commands; it retries a lost connection three times.

    Replies are bytes; the protocol version is pinned, since replies nest differently in RESP3.

    Raises:
        StoreError: the address cannot be understood (`monitor.config.store_address`).
    """
    return open_client(
        url,
        socket_timeout=10.0,
        socket_connect_timeout=5.0,
        health_check_interval=30,
        retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


def connect_blocking(url: str) -> Redis:
    """Return a client for blocking reads of up to `BLOCK_SECONDS`; it never retries by itself.

    Raises:
        StoreError: as `connect` does.
    """
    return open_client(
        url,
        socket_timeout=BLOCK_SECONDS + 5.0,
        socket_connect_timeout=5.0,
        retry=Retry(NoBackoff(), 0),
    )


@cache
def script_text(name: str) -> str:
    """Return the source of `scripts/NAME.lua`."""
    return (_SCRIPTS / f"{name}.lua").read_text(encoding="utf-8")


async def run_script(client: Redis, name: str, keys: list[str], args: Sequence[Value]) -> Any:
    """Run `scripts/NAME.lua` atomically (EVALSHA, loaded on first use); return its raw reply."""
    return await client.register_script(script_text(name))(keys=keys, args=args)
