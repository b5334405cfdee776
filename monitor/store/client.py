"""Connections to the store, and the Lua scripts that run in it.

Two kinds of connection: an ordinary one for short commands, and one for blocking reads whose
socket timeout is longer than the block (redis-py otherwise gives up first, and its own retries
would hide a lost connection for a minute).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

import redis.asyncio as aioredis
from redis import DriverInfo
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from monitor.errors import StoreError

# redis-py types every reply as "bytes or str", since it cannot know how a client was made. Ours
# reply in bytes; what is read is checked where it is decoded, so replies are `Any` here.
Redis: TypeAlias = Any

_SCRIPTS = Path(__file__).with_name("scripts")
BLOCK_SECONDS = 2.0
_DRIVER = DriverInfo()  # else every connection looks up its version in files anew


def _normal(url: str) -> str:
    """Redis-py knows redis://, rediss:// and unix://; valkey:// spellings mean the same."""
    for ours, theirs in (
        ("valkeys://", "rediss://"),
        ("valkey+unix://", "unix://"),
        ("valkey://", "redis://"),
    ):
        if url.startswith(ours):
            return theirs + url.removeprefix(ours)
    return url


def _open(url: str, **options: Any) -> Redis:
    scheme = url.partition("://")[0]
    if scheme.endswith("+cluster"):
        raise StoreError(
            "a cluster is reached like a single server: all our keys are in one slot, so give "
            "the address of the node that holds it (CLUSTER KEYSLOT), or of a proxy before it"
        )
    if scheme.endswith("sentinel"):
        return _through_sentinel(url, options)
    return aioredis.Redis.from_url(_normal(url), protocol=2, driver_info=_DRIVER, **options)


def _through_sentinel(url: str, options: dict[str, Any]) -> Redis:
    """`redis+sentinel://user:password@host:26379,host:26379/NAME/0`: asks who is primary now."""
    scheme, _, rest = url.partition("://")
    login, _, places = rest.partition("/")[0].rpartition("@")
    name, _, database = rest.partition("/")[2].partition("/")
    if scheme.startswith(("rediss", "valkeys")):
        options["ssl"] = True
    user, _, password = login.partition(":")
    hosts = [place.rpartition(":") for place in places.split(",")]
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [(host or port, int(port) if host else 26379) for host, _, port in hosts],
        sentinel_kwargs={"socket_timeout": 2.0, "socket_connect_timeout": 2.0},
    )
    return sentinel.master_for(
        name,
        db=int(database or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
        protocol=2,
        driver_info=_DRIVER,
        **options,
    )


def connect(url: str) -> Redis:
    """Return a client for short commands; it retries a lost connection three times.

    Replies are bytes; the protocol version is pinned, since replies nest differently in RESP3.
    """
    return _open(
        url,
        socket_timeout=10.0,
        socket_connect_timeout=5.0,
        health_check_interval=30,
        retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


def connect_blocking(url: str) -> Redis:
    """Return a client for blocking reads of up to `BLOCK_SECONDS`; it never retries by itself."""
    return _open(
        url,
        socket_timeout=BLOCK_SECONDS + 5.0,
        socket_connect_timeout=5.0,
        retry=Retry(NoBackoff(), 0),
    )


@cache
def script_text(name: str) -> str:
    """Return the source of `scripts/NAME.lua`."""
    return (_SCRIPTS / f"{name}.lua").read_text(encoding="utf-8")


async def run_script(client: Redis, name: str, keys: list[str], args: list[Any]) -> Any:
    """Run `scripts/NAME.lua` atomically (EVALSHA, loaded on first use); return its raw reply."""
    return await client.register_script(script_text(name))(keys=keys, args=args)
