"""Leases are renewed while work moves, and given up by all that hangs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from monitor.queue.streams import StreamMessage, StreamQueue
from monitor.store.client import open_client
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.lease import Lease, renewed
from tests.support.waiting import any_moment, until

pytestmark = pytest.mark.slow

TIMEOUT = 0.05  # of a socket; 10 s in service
LEASE = 0.08


@asynccontextmanager
async def hung_store() -> AsyncIterator[str]:
    """A store that takes connections and commands and never answers, as one under SIGSTOP."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65536):
                pass
        finally:
            writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.close()


def quick(url: str) -> Redis:
    """The client of the service with shorter times."""
    return open_client(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.02, base=0.005), 3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


def held(kind: str, client: Redis) -> AbstractAsyncContextManager[object]:
    """One of the two things that renew a lease while a block runs."""
    if kind == "lease":
        return Lease(client, "lease", LEASE).kept()
    queue = StreamQueue(client, client, Keys(), "stories", "me", lease=LEASE)
    return queue.leased([StreamMessage(b"1-1", {})])


@pytest.mark.parametrize("kind", ["lease", "messages"])
async def test_what_renews_a_lease_always_ends(kind: str) -> None:
    """Left at any moment while the store hangs, 1,000 times each, the block always comes out.

    A cancellation that meets the client's own time limit is lost inside redis-py; waited for
    without repeating it, one in fifty of these stood still for ever.
    """
    dice = random.Random(7)

    async def trial(url: str) -> None:
        client = quick(url)
        async with held(kind, client):
            await any_moment(dice, LEASE / 4, LEASE / 4 + 4 * TIMEOUT)
        await client.aclose()

    async with hung_store() as url:
        for _ in range(5):
            trials = [asyncio.create_task(trial(url)) for _ in range(200)]
            _, hung = await asyncio.wait(trials, timeout=20.0)
            assert len(hung) == 0
            for task in trials:
                await task


async def test_work_that_hangs_does_not_keep_its_lease(store: Redis, keys: Keys) -> None:
    """A block that marks no progress loses its lease, and a standby takes over."""
    ours = Lease(store, keys("lease", "x"), seconds=0.4)
    theirs = Lease(store, keys("lease", "x"), seconds=0.4)
    assert await ours.take()
    async with renewed(ours.take, 0.1, patience=0.3):
        await until(theirs.take)


async def test_work_that_moves_keeps_its_lease(store: Redis, keys: Keys) -> None:
    """A block that marks its progress is renewed for longer than the lease lasts."""
    ours = Lease(store, keys("lease", "x"), seconds=0.4)
    theirs = Lease(store, keys("lease", "x"), seconds=0.4)
    times = 0

    async def renew() -> bool:
        nonlocal times
        times += 1
        return await ours.take()

    assert await ours.take()
    async with renewed(renew, 0.1, patience=0.3) as progress:

        async def enough() -> bool:
            progress.mark()
            assert not await theirs.take()
            return times >= 12

        await until(enough)
