"""A store that moves: behind Sentinels or in a cluster, another server may hold the keys tomorrow.

Whenever a connection is made, the nodes of the address are asked where to. A Sentinel knows who
is primary; a node of a cluster knows who serves the slot that all our keys share
(`monitor.store.keys`). So the client stays that of a single server, and follows a failover.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import redis.asyncio as aioredis
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, ReadOnlyError, RedisError

from monitor.config.store_address import Node, StoreAddress

ASK_SECONDS = 2.0

Find = Callable[[], Awaitable[Node]]


class _Moving(Connection):
    """Finds out where to connect each time it connects, and lets go when the keys have moved."""

    def __init__(self, *, find: Find, **options: Any) -> None:
        self._find = find
        super().__init__(**options)

    async def connect_check_health(self, *args: Any, **options: Any) -> None:
        if not self.is_connected:
            self.host, self.port = await self._find()
        await super().connect_check_health(*args, **options)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except (MovedError, ReadOnlyError):
            await self.disconnect()
            raise RedisConnectionError("the store has moved to another server") from None


class _MovingEncrypted(_Moving, SSLConnection):
    pass


def open_following(address: StoreAddress, **options: Any) -> Any:
    """Return a client that follows the store; `options` are those of each connection.

    Raises:
        ValueError: an option in the address has a value it cannot have.
    """
    # redis-py knows the types of what its addresses may carry
    options |= parse_url(f"redis://?{urlencode(address.options)}")
    return aioredis.Redis.from_pool(
        ConnectionPool(
            connection_class=_MovingEncrypted if address.tls else _Moving,
            find=partial(_find, address, options),
            db=address.database,
            username=address.username or None,
            password=address.password or None,
            **options,
        )
    )


async def _find(address: StoreAddress, options: dict[str, Any]) -> Node:
    """Ask the nodes in turn; the first that knows is believed."""
    failures = []
    asking = {
        **options,
        "username": address.ask_username or None,
        "password": address.ask_password or None,
        "socket_timeout": ASK_SECONDS,
        "socket_connect_timeout": ASK_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    kind = SSLConnection if address.tls else Connection
    for host, port in address.nodes:
        pool = ConnectionPool(connection_class=kind, host=host, port=port, **asking)
        node = aioredis.Redis.from_pool(pool)
        try:
            if address.kind == "cluster":
                return await _holder(node, host, port, address.name)
            if found := await _primary(node, address.name):
                return found
            failures.append(f"{host}:{port} knows none")
        except (RedisError, OSError) as error:
            failures.append(f"{host}:{port}: {error}")
        finally:
            await node.aclose()
    what = "node with our keys" if address.kind == "cluster" else f'primary "{address.name}"'
    raise RedisConnectionError(f"no {what} was found ({'; '.join(failures)})")


async def _primary(sentinel: Any, name: str) -> Node | None:
    found = await sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
    return (found[0].decode(), int(found[1])) if found else None


async def _holder(node: Any, host: str, port: int, prefix: str) -> Node:
    """Return who serves our slot: the node itself if it answers for a key of ours, or another."""
    try:
        await node.exists(f"{{{prefix}}}:")
    except MovedError as moved:
        return moved.host or host, moved.port
    return host, port
