"""The embedded Valkey: whose folder it is, and that nothing acknowledged is ever lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from monitor.errors import DataFolderHeld, StoreError
from monitor.observability import metrics
from monitor.store.client import connect
from monitor.store.embedded.server import OPTIONS, EmbeddedStore, find_running
from monitor.store.safety import check_store

# A service in a process of its own: starts the store, says so, then writes as fast as it can
# and reports each number that the store acknowledged.
_SERVICE = """
import sys, redis
from monitor.observability import logs
from monitor.store.embedded.server import EmbeddedStore, OPTIONS
logs.configure()
store = EmbeddedStore(sys.argv[1])
client = redis.Redis.from_url(store.start())
for n in range(1_000_000):
    client.rpush("numbers", n)
    print(n, flush=True)
"""


def _service(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVICE, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    return process


def _client(store: EmbeddedStore) -> redis.Redis:
    return redis.Redis.from_url(store.url)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """An embedded store that has been started."""
    made = EmbeddedStore(tmp_path / "data")
    made.start()
    yield made
    made.stop()


async def test_it_is_private_persistent_and_has_no_port(store: EmbeddedStore) -> None:
    """Mode 700 on the socket, no TCP port, append-only, noeviction, and its log in the folder."""
    client = _client(store)
    assert Path(store.socket_path).stat().st_mode & 0o777 == 0o700
    assert client.config_get("port")["port"] == "0"
    assert (store.folder / "valkey.log").exists()
    assert store.folder.stat().st_mode & 0o777 == 0o700
    outside = connect(store.url)
    assert await check_store(outside, allow_unsafe=False) == []
    await outside.aclose()


@pytest.mark.parametrize("name", ["with space 'and\" quote", "дані–新闻", "long" * 40])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    """Spaces, quotes, other alphabets and paths too long for a socket all work, twice."""
    for turn in range(2):
        store = EmbeddedStore(tmp_path / name)
        store.start()
        client = _client(store)
        assert client.incr("turns") == turn + 1
        assert len(os.fsencode(store.socket_path)) <= 100
        assert Path(store.socket_path).parent.stat().st_mode & 0o077 == 0
        store.stop()


def test_a_second_service_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """The second raises DataFolderHeld with the holder's process; the first is undisturbed."""
    first = _service(tmp_path / "data")
    try:
        with pytest.raises(DataFolderHeld, match=rf"process {first.pid} on .*, since 20\d\d-"):
            EmbeddedStore(tmp_path / "data").start()
        assert find_running(tmp_path / "data") is not None
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate()
        heir = EmbeddedStore(tmp_path / "data")  # ends the store that the first left behind
        heir.start()
        heir.stop()


def test_within_one_process_too(store: EmbeddedStore) -> None:
    """Two stores in one process do not share a folder either."""
    with pytest.raises(DataFolderHeld):
        EmbeddedStore(store.folder).start()
    assert _client(store).ping()


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [False, True])
def test_after_kill_9_nothing_acknowledged_is_lost(tmp_path: Path, frozen: bool) -> None:
    """The orphan of a killed service is ended, even a suspended one; every write is there."""
    service = _service(tmp_path / "data")
    orphan = int(json.loads((tmp_path / "data/store.json").read_text())["pid"])
    service.kill()
    told, _ = service.communicate()
    acknowledged = len(told.split("\n")) - 1
    os.kill(orphan, 0)  # it does outlive its service: that is what is being tested
    if frozen:
        os.kill(orphan, signal.SIGSTOP)
    store = EmbeddedStore(tmp_path / "data")
    store.start()
    try:
        numbers = [int(n) for n in _client(store).lrange("numbers", 0, -1)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > acknowledged
        assert _client(store).info("server")["process_id"] != orphan
        with pytest.raises((ProcessLookupError, AssertionError)):
            os.kill(orphan, 0)
            state = Path(f"/proc/{orphan}/status").read_text()
            assert "\nState:\tZ" not in state
    finally:
        store.stop()


async def test_a_valkey_that_dies_is_restarted(store: EmbeddedStore) -> None:
    """Killed under its service, it is back at the same address with its data, and counted."""
    before = metrics.REGISTRY.get_sample_value("wirewatch_store_restarts_total") or 0.0
    client = _client(store)
    client.set("kept", "yes")
    pid = client.info("server")["process_id"]
    stopping = asyncio.Event()
    guard = asyncio.create_task(store.guard(stopping))
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while store.restarts == 0:
            await asyncio.sleep(0)
    assert _client(store).get("kept") == b"yes"
    assert metrics.REGISTRY.get_sample_value("wirewatch_store_restarts_total") == before + 1
    stopping.set()
    await guard


async def test_one_that_keeps_dying_is_said_clearly(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No endless loop: after a few deaths in a minute the guard gives up and quotes the log."""
    monkeypatch.setattr("monitor.store.embedded.server.QUICK_DEATHS", 1)
    guard = asyncio.create_task(store.guard(asyncio.Event()))
    async with asyncio.timeout(20):
        for deaths in range(2):
            os.kill(_client(store).info("server")["process_id"], signal.SIGKILL)
            while store.restarts == deaths and not guard.done():
                await asyncio.sleep(0)
        with pytest.raises(StoreError, match=r"died 2 times within a minute.*Ready to accept"):
            await guard


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"*3\r\n$3\r\nSET\r\n$1\r\nx", "store_tail_truncated"),
        (b"\0" * 4096, "store_repaired"),
    ],
)
def test_a_damaged_tail_is_cut_off_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: bytes, said: str
) -> None:
    """A half-written command, or zeros after a power cut, cost only themselves."""
    store = EmbeddedStore(tmp_path / "data")
    store.start()
    _client(store).set("kept", "yes")
    store.stop()
    file = next((tmp_path / "data/appendonlydir").glob("*.incr.aof"))
    with file.open("ab") as tail:
        tail.write(damage)
    store = EmbeddedStore(tmp_path / "data")
    store.start()
    try:
        assert _client(store).get("kept") == b"yes"
        assert said in capsys.readouterr().err
    finally:
        store.stop()


def test_a_folder_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    """The message names the folder and the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write to the data folder .*store\.data_dir"):
        EmbeddedStore(tmp_path / "file" / "data").start()


def test_a_failed_start_gives_the_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Valkey that cannot start is reported with its log, and the folder is free again."""
    monkeypatch.setitem(OPTIONS, "no-such", "option")
    with pytest.raises(StoreError, match="did not start"):
        EmbeddedStore(tmp_path / "data").start()
    monkeypatch.undo()
    store = EmbeddedStore(tmp_path / "data")
    store.start()
    store.stop()
    assert find_running(tmp_path / "data") is None
