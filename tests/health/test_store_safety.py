"""A store that would lose data is refused, with words that help."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis

from monitor.errors import StoreUnsafe
from monitor.health.heartbeat_store import HeartbeatStore
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.embedded.binary import valkey_server
from monitor.store.keys import Keys
from monitor.store.safety import check_store
from tests.support.waiting import until

pytestmark = pytest.mark.slow

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
        return str(valkey_server())
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
        str(valkey_server()), "--rename-command", "CONFIG", "", "--rename-command", "INFO", ""
    )
    notes = await check_store(opened(url), allow_unsafe=False)
    assert len(notes) == 3
    assert "INFO" in notes[0]


async def test_a_replica_is_refused(
    start: Start, tmp_path: Path, opened: Callable[[str], Redis]
) -> None:
    """Pointing at a replica is said plainly instead of failing on the first write."""
    url = start(str(valkey_server()), "--appendonly", "yes", "--replicaof", "127.0.0.1 1")
    with pytest.raises(StoreUnsafe, match="replica"):
        await check_store(opened(url), allow_unsafe=False)


async def test_the_service_does_not_start_on_an_unsafe_store(
    start: Start, tmp_path: Path, opened: Callable[[str], Redis]
) -> None:
    """`wirewatch run` on a store that evicts ends with the reason and writes nothing there; with
    the override it works, and says so."""
    url = start(str(valkey_server()), "--appendonly", "yes", "--maxmemory-policy", "allkeys-lru")
    settings: dict[str, dict[str, object]] = {"store": {"url": url}, "ops": {"log_format": "json"}}
    (tmp_path / "wirewatch.yaml").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "monitor.cli", "run", "--only", "notifier", "--config"]
    refused = await asyncio.to_thread(
        subprocess.run, [*command, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    last = refused.stderr.splitlines()[-2]
    assert refused.returncode == 2, refused.stderr
    assert last.startswith("the store is not safe: its eviction policy is allkeys-lru")
    assert "store.allow_unsafe: true" in last
    store = opened(url)
    assert await store.keys("*") == []

    settings["store"]["allow_unsafe"] = True
    (tmp_path / "wirewatch.yaml").write_text(json.dumps(settings))
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(  # noqa: ASYNC220
            [*command, str(tmp_path)], stdout=log, stderr=log
        )
    try:

        def still_runs() -> None:
            assert running.poll() is None, (tmp_path / "log").read_text()

        await until(lambda: HeartbeatStore(store, Keys()).beats(), alive=still_runs)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()
    assert "unsafe, allowed by store.allow_unsafe" in (tmp_path / "log").read_text()
