"""Stores of other kinds: encrypted, in a cluster, behind a Sentinel: real servers on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError, ResponseError

from monitor.config.schema import Config, StoreSettings
from monitor.errors import StoreError
from monitor.health.heartbeat_store import HeartbeatStore
from monitor.store.client import connect, connect_blocking
from monitor.store.commands import Redis
from monitor.store.embedded.binary import valkey_server
from monitor.store.keys import Keys
from monitor.store.lease import Lease
from monitor.store.transaction import apply
from workers.heartbeat import Heartbeat
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
    assert [beat.stage for beat in await HeartbeatStore(client, keys).beats()] == ["poller"]


def _certify(folder: Path) -> Path:
    """Make a certificate for the loopback address (and its key beside it); return its path."""
    tool = shutil.which("openssl")
    if tool is None:
        pytest.fail("openssl is not installed: apt install openssl")
    subprocess.run(
        [tool, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "k.pem",
         "-out", "c.pem", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "c.pem"


def _tls(port: int, certificate: Path) -> list[str]:
    """Options of a server that answers on this port encrypted, and on no other."""
    given, key = str(certificate), str(certificate.with_name("k.pem"))
    return ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--tls-cert-file",
            given, "--tls-key-file", key, "--tls-ca-cert-file", given]  # fmt: skip


def _redis() -> str:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is needed")
    return binary


async def test_an_encrypted_store(
    start: Start, folder: Path, keys: Keys, opened: list[Redis]
) -> None:
    """rediss:// with a certificate authority of one's own; without it the store is refused."""
    certificate, port = _certify(folder), _free_port()
    start(_redis(), *_tls(port, certificate), "--appendonly", "yes")
    url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}"
    opened.append(await _answering(url))
    await _walk(opened[0], keys, url)
    stranger = connect(f"rediss://127.0.0.1:{port}/0")
    opened.append(stranger)
    with pytest.raises((RedisError, OSError), match=r"(?i)certificate"):
        await stranger.ping()


async def _node(start: Start, opened: list[Redis]) -> tuple[int, int, Redis]:
    """Start a server in cluster mode; return its two ports and a client of it alone."""
    port, bus = _free_port(), _free_port()  # the bus is at port + 10000 else, which may not exist
    start(
        str(valkey_server()), "--port", str(port), "--cluster-enabled", "yes",
        "--cluster-port", str(bus), "--appendonly", "yes",
    )  # fmt: skip
    opened.append(await _answering(f"redis://127.0.0.1:{port}/0"))
    return port, bus, opened[-1]


@pytest.mark.slow
async def test_a_cluster_of_one_node(start: Start, keys: Keys, opened: list[Redis]) -> None:
    """All keys of an installation share a slot, so every atomic step is legal on a cluster; where
    one node has all slots it may be named like a single server."""
    port, _, node = await _node(start, opened)
    await node.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    while b"cluster_state:ok" not in await node.execute_command("CLUSTER", "INFO"):
        pass
    for url in (f"redis://127.0.0.1:{port}/0", f"redis+cluster://127.0.0.1:{port}/{keys.prefix}"):
        opened.append(connect(url))
        await _walk(opened[-1], keys, url)
        await opened[-1].flushall()


@pytest.mark.slow
async def test_a_cluster_whose_slot_moves(start: Start, keys: Keys, opened: list[Redis]) -> None:
    """redis+cluster:// finds the node that holds our slot, whichever node is named, and follows it
    to another primary and, in a failover, to a replica; what was written is there."""
    nodes = [await _node(start, opened) for _ in range(4)]
    clients = [client for _, _, client in nodes]
    one, two, three, spare = clients
    for client, first, last in ((one, 0, 5000), (two, 5001, 10000), (three, 10001, 16383)):
        await client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
    for port, bus, _ in nodes[1:]:
        await one.execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
    for client in clients:
        state = b""
        while b"cluster_state:ok" not in state or b"cluster_known_nodes:4" not in state:
            state = await client.execute_command("CLUSTER", "INFO")
    slot = await one.execute_command("CLUSTER", "KEYSLOT", f"{{{keys.prefix}}}:")
    owners = [one, two, three]
    owner = owners.pop(0 if slot <= 5000 else 1 if slot <= 10000 else 2)
    heir, stranger = owners
    named = nodes[clients.index(stranger)][0]
    url = f"redis+cluster://127.0.0.1:1,127.0.0.1:{named}/{keys.prefix}"
    client, blocking = connect(url), connect_blocking(url)
    opened += [client, blocking]
    assert (await client.info("server"))["tcp_port"] == nodes[clients.index(owner)][0]

    heir_id = await heir.execute_command("CLUSTER", "MYID")
    for node in (heir, owner, stranger):
        await node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", heir_id)
    await apply(client, [["HSET", keys("count"), "moved", 1]])
    await _walk(client, keys, url)
    assert await heir.hget(keys("count"), "moved") == b"1"
    assert await blocking.xread({keys("stream", "stories"): "0"}, block=2000)

    await spare.execute_command("CLUSTER", "REPLICATE", heir_id)
    while (await spare.execute_command("ROLE"))[3] != b"connected":
        pass
    await spare.execute_command("CLUSTER", "FAILOVER")
    while (await spare.execute_command("ROLE"))[0] != b"master":
        pass
    async with client.pipeline(transaction=True) as pipe:
        pipe.hset(keys("count"), "after", 1)
        pipe.hgetall(keys("count"))
        assert (await pipe.execute())[1] == {b"moved": b"1", b"stories": b"1", b"after": b"1"}
    assert (await client.info("server"))["tcp_port"] == nodes[3][0]


async def _watched(start: Start, folder: Path, primary: int, *settings: str) -> int:
    """Start a Sentinel that watches the server on port `primary` as "desk"; return its port."""
    port = _free_port()
    lines = [f"sentinel monitor desk 127.0.0.1 {primary} 1", *settings]
    conf = folder / f"sentinel-{port}.conf"
    ports = [] if any(line.startswith("tls-port") for line in settings) else [f"port {port}"]
    conf.write_text("\n".join([*ports, *lines, ""]).replace("PORT", str(port)))
    start(_redis(), str(conf), "--sentinel")
    return port


@pytest.mark.slow
async def test_behind_a_sentinel(
    start: Start, folder: Path, keys: Keys, opened: list[Redis]
) -> None:
    """redis+sentinel://host:port/name finds the primary, wherever it is now: after a failover the
    same client goes on where the old primary left off."""
    primary, replica = _free_port(), _free_port()
    start(_redis(), "--port", str(primary), "--appendonly", "yes")
    opened.append(await _answering(f"redis://127.0.0.1:{primary}/0"))
    start(_redis(), "--port", str(replica), "--replicaof", f"127.0.0.1 {primary}")
    opened.append(await _answering(f"redis://127.0.0.1:{replica}/0"))
    old, new = opened
    while (await new.info("replication"))["master_link_status"] != "up":
        pass
    port = await _watched(start, folder, primary)
    url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{port}/desk/0"
    client = await _answering(url)
    opened.append(client)
    await _walk(client, keys, url)
    sentinel = connect(f"redis://127.0.0.1:{port}/0")
    opened.append(sentinel)
    await sentinel.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", 100)  # looks more often
    there = [b"127.0.0.1", str(replica).encode()]
    ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "desk"]
    while await sentinel.execute_command(*ask) != there:
        with suppress(ResponseError):  # it has not met the replica yet, or is about it
            await sentinel.execute_command("SENTINEL", "FAILOVER", "desk")
    await old.replicaof("127.0.0.1", replica)  # as the Sentinel itself has it do some time later
    await client.hincrby(keys("count"), "stories", 1)
    assert await new.hget(keys("count"), "stories") == b"2"


async def test_sentinels_with_a_password_behind_encryption(
    start: Start, folder: Path, keys: Keys, opened: list[Redis]
) -> None:
    """rediss+sentinel:// asks the Sentinels encrypted, under the same authority, with a password
    of their own; with the wrong one, the error names the primary and not the password."""
    certificate, primary = _certify(folder), _free_port()
    start(_redis(), *_tls(primary, certificate), "--requirepass", "kept-words", "--appendonly",
          "yes")  # fmt: skip
    port = await _watched(
        start, folder, primary, "port 0", "tls-port PORT", "tls-auth-clients no",
        "tls-replication yes", f"tls-cert-file {certificate}",
        f"tls-key-file {certificate.with_name('k.pem')}", f"tls-ca-cert-file {certificate}",
        "requirepass watch-words", "sentinel auth-pass desk kept-words",
    )  # fmt: skip
    url = (
        f"rediss+sentinel://:kept-words@127.0.0.1:{port}/desk/0"
        f"?ssl_ca_certs={certificate}&sentinel_password=watch-words"
    )
    client = await _answering(url)
    opened.append(client)
    await _walk(client, keys, url)
    stranger = connect(url.replace("watch-words", "wrong-words"))
    opened.append(stranger)
    with pytest.raises(RedisError, match='no primary "desk" was found') as caught:
        await stranger.ping()
    assert "words" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("redis+sentinel://127.0.0.1:1/", "NAME/0"),
        ("redis+cluster://127.0.0.1:1", "prefix of our keys"),
        ("redis+sentinel://127.0.0.1:one/desk", "port"),
        ("redis+sentinel://127.0.0.1:1/desk?ssl_ca_certs=ca.pem", "rediss"),
        ("rediss+sentinel://127.0.0.1:1/desk?ssl_cacerts=ca.pem", "ssl_cacerts"),
        ("redis://127.0.0.1:1/0?socket_timeout=soon", "socket_timeout"),
        ("http://127.0.0.1:1/0", "redis://"),
    ],
)
def test_an_address_that_cannot_be_used_is_said(url: str, advice: str) -> None:
    """A mistake in the store's address is one sentence with what to write, not a traceback."""
    for open_one in (connect, connect_blocking):
        with pytest.raises(StoreError, match=advice):
            open_one(url)
