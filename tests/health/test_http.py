"""Health, readiness and metrics over real HTTP; callbacks reach who mounted them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from monitor.config.schema import Config, OpsSettings, StoreSettings
from monitor.health.heartbeat_store import HeartbeatStore
from monitor.net.routes import Request, Response
from monitor.observability import metrics
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from workers.desk import Desk
from workers.heartbeat import Heartbeat
from workers.http import Health, HttpServer
from workers.http_server import LimitedProtocol
from workers.probe import probe
from workers.runtime import Runtime


def _runtime(store: Redis, keys: Keys) -> Runtime:
    config = Config(
        ops=OpsSettings(http_host="127.0.0.1", http_port=0),
        store=StoreSettings(prefix=keys.prefix),
    )
    return Runtime(config, store, "unix:///nowhere")


@pytest.fixture
def runtime(store: Redis, keys: Keys) -> Runtime:
    """A process's runtime, on a key space of its own."""
    return _runtime(store, keys)


@pytest.fixture
async def server(runtime: Runtime) -> AsyncIterator[HttpServer]:
    """A server on a free port, stopped the way the service stops it."""
    made = HttpServer(runtime, Health(runtime, ["embedder"]))
    task = asyncio.create_task(made.run())
    await made.started.wait()
    yield made
    runtime.stopping.set()
    await task


def _address(server: HttpServer, path: str) -> str:
    return f"http://127.0.0.1:{server.port}{path}"


async def test_alive_ready_and_counted(server: HttpServer) -> None:
    """Alive at once; ready only with store and model; metrics in Prometheus' format."""
    metrics.MODEL_READY.set(0)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(_address(server, "/healthz"))).status_code == 200
        waiting = await client.get(_address(server, "/readyz"))
        assert waiting.status_code == 503
        assert waiting.json()["checks"] == {
            "store": "ok",
            "model": "the embedding model is not loaded yet",
        }
        metrics.MODEL_READY.set(1)
        assert (await client.get(_address(server, "/readyz"))).json()["ready"] is True
        assert await asyncio.to_thread(probe, _address(server, "/readyz")) == 0
        page = await client.get(_address(server, "/metrics"))
        assert page.headers["content-type"].startswith("text/plain; version=")
        assert "wirewatch_store_up 1.0" in page.text
        assert (await client.get(_address(server, "/else"))).status_code == 404
    metrics.MODEL_READY.set(0)


async def test_a_store_that_is_away_is_not_ready_but_alive(keys: Keys) -> None:
    """The orchestrator stops sending work; it does not kill a process that waits for its store."""
    away = connect("unix:///nowhere/at/all")
    runtime = _runtime(away, keys)
    server = HttpServer(runtime, Health(runtime))
    task = asyncio.create_task(server.run())
    await server.started.wait()
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(_address(server, "/healthz"))).status_code == 200
        answer = await client.get(_address(server, "/readyz"))
        assert answer.status_code == 503
        assert answer.json()["checks"]["store"] != "ok"
    assert await asyncio.to_thread(probe, _address(server, "/readyz")) == 1
    runtime.stopping.set()
    await task
    await away.aclose()


async def test_a_mounted_callback_gets_the_raw_request(
    server: HttpServer, runtime: Runtime
) -> None:
    """Body byte for byte, header names in lower case; a failing handler is a plain 500."""
    asked: list[Request] = []

    async def answer(request: Request) -> Response:
        asked.append(request)
        return Response(202, "taken")

    async def fail(request: Request) -> Response:
        raise RuntimeError("boom")

    runtime.mounts.mount("/hub/", answer)
    runtime.mounts.mount("/hub/broken", fail)
    async with httpx.AsyncClient(trust_env=False) as client:
        done = await client.post(
            _address(server, "/hub/bbc?x=1"), content=b"\xff{}", headers={"X-Hub-Signature": "s"}
        )
        assert (done.status_code, done.text) == (202, "taken")
        broken = await client.get(_address(server, "/hub/broken"))
        assert broken.status_code == 500
        assert "boom" not in broken.text
    assert asked[0].body == b"\xff{}"
    assert asked[0].query == {"x": "1"}
    assert asked[0].headers["x-hub-signature"] == "s"


async def test_heartbeats_come_and_go(store: Redis, keys: Keys) -> None:
    """Every stage of a live process is listed with its state; a stopped one is gone at once."""
    runtime = _runtime(store, keys)
    heartbeat = Heartbeat(runtime, ["poller", "triage"])
    await heartbeat.beat()
    seen = await HeartbeatStore(store, keys).beats()
    assert [beat.stage for beat in seen] == ["poller", "triage"]
    assert all(beat.pid and beat.at and beat.worker == runtime.worker_id for beat in seen)
    assert 0 < await store.pttl(keys("worker", f"poller:{runtime.worker_id}")) <= 30_000
    runtime.stopping.set()
    await heartbeat.run()
    assert await HeartbeatStore(store, keys).beats() == []


async def test_half_sent_requests_are_ended_and_cost_little(
    server: HttpServer, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 300 strangers who send half a request and wait, none is kept, and others are answered."""
    monkeypatch.setattr("workers.http_server.BODY_SECONDS", 0.3)

    async def echo(request: Request) -> Response:
        return Response(200, f"{len(request.body)}")

    runtime.mounts.mount("/echo", echo)
    half = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1900000\r\n\r\n" + b"x" * 1000
    strangers = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(300)]
    for _, writer in strangers:
        writer.write(half)
    ended = 0
    for reader, writer in strangers:
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 30)  # until the server ends the connection
        ended += 1
        writer.close()
    assert ended == 300
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(_address(server, "/echo"), content=b"whole")
        assert (answer.status_code, answer.text) == (200, "5")
        large = await client.post(_address(server, "/echo"), content=b"x" * 2_100_000)
        assert large.status_code == 413


async def _whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read until the server ends the connection."""
    found = b""
    with contextlib.suppress(ConnectionError):
        found = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return found


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_head_that_trickles_in_is_not_waited_for(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    """Half a head, as the first request or a later one of a connection, is ended in time."""
    monkeypatch.setattr("workers.http_server.HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(before + b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    ending = asyncio.create_task(_whole(reader, writer))
    while not ending.done():
        with contextlib.suppress(ConnectionError):
            writer.write(b"a")
        await asyncio.wait([ending], timeout=0.05)
    assert (await ending).startswith(b"HTTP/1.1 200" if before else b"")


async def test_connections_have_a_number(server: HttpServer) -> None:
    """Two hundred silent connections are kept, the next is closed at once, and later ones go on."""
    held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert await _whole(reader, writer) == b""
    for _, one in held:
        one.close()
        await one.wait_closed()
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(_address(server, "/healthz"))).status_code == 200


async def test_an_answer_nobody_takes_in_is_dropped(
    server: HttpServer, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for much and reads nothing loses the connection; a head too large is refused."""
    monkeypatch.setattr("workers.http_server.TAKING_SECONDS", 0.3)
    lost, ended = asyncio.Event(), LimitedProtocol.connection_lost

    def end(one: LimitedProtocol, why: Exception | None) -> None:
        ended(one, why)
        lost.set()

    monkeypatch.setattr(LimitedProtocol, "connection_lost", end)

    async def much(request: Request) -> Response:
        return Response(200, b"x" * 50_000_000)

    runtime.mounts.mount("/much", much)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1000)
    writer.write(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readexactly(100)

    await asyncio.wait_for(lost.wait(), 30)
    assert len(await _whole(reader, writer)) < 50_000_000
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000)
    assert (await _whole(reader, writer))[:12] in (b"", b"HTTP/1.1 400")  # or cut off as we write


async def test_the_desk_answers_for_its_process(store: Redis, keys: Keys, valkey_url: str) -> None:
    """Health and callbacks are there on the desk's port too; metrics only for who may read."""
    config = Config(desk={"port": 0}, store=StoreSettings(prefix=keys.prefix))
    runtime = Runtime(config, store, valkey_url)

    async def taken(request: Request) -> Response:
        return Response(202, request.body)

    runtime.mounts.mount("/slack", taken)
    desk = Desk(runtime, health=Health(runtime, ["desk"]))
    task = asyncio.create_task(desk.run())
    await desk.started.wait()
    token = await desk.services.sign_in.add_token("prometheus", ("read",), "Anna", 0.0)
    async with httpx.AsyncClient(
        trust_env=False, base_url=f"http://127.0.0.1:{desk.port}"
    ) as client:
        assert (await client.get("/healthz")).text == "alive\n"
        assert (await client.get("/readyz")).json()["checks"] == {"store": "ok"}
        assert (await client.post("/slack", content=b"as sent")).content == b"as sent"
        assert (await client.get("/metrics")).status_code == 401
        asked = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
        assert "wirewatch_store_up" in asked.text
        gone = await client.get("/nothing")
        assert gone.status_code == 404 and "default-src" in gone.headers["content-security-policy"]
    runtime.stopping.set()
    await task
