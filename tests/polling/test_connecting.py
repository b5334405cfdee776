"""From a name to a connection: several addresses, TLS, and the credentials of one origin."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from feedlab import FeedRequest, Publisher

from monitor.clock import ManualClock
from monitor.config.schema import PollingSettings
from monitor.errors import FetchError
from monitor.net import transport
from monitor.net.fetcher import Fetcher
from monitor.reasons import FetchReason

Names = dict[str, tuple[str, ...]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Names that lead to the addresses a test gives them, in that order."""
    names: Names = {}
    real = socket.getaddrinfo

    def answers(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host not in names:
            return real(host, port, *rest, **more)
        return [
            (
                socket.AF_INET6 if ":" in to else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (to, port),
            )
            for to in names[host]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    return names


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for paper.example that vouches for itself, its key in the same file."""
    if (tool := shutil.which("openssl")) is None:
        pytest.fail("openssl is not installed: apt install openssl")
    path = tmp_path_factory.mktemp("tls") / "paper.pem"
    command = [
        tool, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", str(path.with_suffix(".key")), "-out", str(path), "-days", "2",
        "-subj", "/CN=paper.example", "-addext", "subjectAltName=DNS:paper.example",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".key").read_text())
    return path


Serve = Callable[..., Any]


@pytest.fixture
async def serve(certificate: Path) -> AsyncIterator[Serve]:
    """Serve a publisher over TLS; the names that clients ask for are kept in its `asked_for`."""
    async with AsyncExitStack() as servers:

        async def start(publisher: Publisher, port: int = 0) -> list[str | None]:
            asked_for: list[str | None] = []
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
            server = await asyncio.start_server(publisher.handle, "127.0.0.1", port, ssl=context)
            await servers.enter_async_context(server)
            publisher.port = server.sockets[0].getsockname()[1]
            return asked_for

        yield start


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the certificate among those that our own TLS context trusts; all else is as it is."""
    context: ssl.SSLContext = transport.default_ssl_context.__wrapped__()
    context.load_verify_locations(certificate)
    monkeypatch.setattr(transport, "default_ssl_context", lambda: context)


@pytest.fixture
def with_timeout(settings: PollingSettings) -> Callable[[float], Fetcher]:
    """Make a fetcher that may fetch from loopback and has so many seconds for a fetch."""

    def make(timeout: float) -> Fetcher:
        allowed = (*settings.allow_hosts, "fd00::/8")
        changes = {"timeout": timeout, "allow_hosts": allowed}
        return Fetcher(settings.model_copy(update=changes), ManualClock())

    return make


async def reason_of(fetcher: Fetcher, url: str) -> FetchReason:
    """Return the reason for which a fetch fails."""
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(url)
    return caught.value.reason


async def silent(port: int, address: str) -> asyncio.Server:
    """Listen at an address and never say a word."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)  # until the other side gives up
        writer.close()

    return await asyncio.start_server(hang, address, port)


async def test_a_refusing_address_leaves_the_next(
    publisher: Publisher, fetcher: Fetcher, names: Names
) -> None:
    """Of a name's addresses the first that answers is taken."""
    server = await asyncio.start_server(publisher.handle, "127.0.0.1", 0)
    publisher.port = server.sockets[0].getsockname()[1]
    names["paper.example"] = ("127.0.0.9", "127.0.0.1")
    publisher.serve("/feed", "hello")
    assert (await fetcher.fetch(publisher.url(host="paper.example"))).body == b"hello"
    server.close()


async def test_dead_ipv6_leaves_ipv4(
    publisher: Publisher, with_timeout: Callable[[float], Fetcher], names: Names
) -> None:
    """However many IPv6 addresses come first, an IPv4 one has its turn after the first."""
    names["paper.example"] = ("fd00::1", "fd00::2", "fd00::3", "fd00::4", "127.0.0.1")
    publisher.serve("/feed", "hello")
    fetcher = with_timeout(6.5)
    assert (await fetcher.fetch(publisher.url(host="paper.example"))).body == b"hello"
    await fetcher.aclose()


@pytest.mark.usefixtures("trusted")
async def test_a_silent_address_leaves_time_for_the_next(
    serve: Serve, with_timeout: Callable[[float], Fetcher], names: Names
) -> None:
    """An address that takes the connection and says nothing does not use up the whole time."""
    publisher = Publisher()
    await serve(publisher)
    publisher.serve("/feed", "hello")
    names["paper.example"] = ("127.0.0.2", "127.0.0.1")
    fetcher = with_timeout(4.0)
    async with await silent(publisher.port, "127.0.0.2"):
        url = f"https://paper.example:{publisher.port}/feed"
        assert (await fetcher.fetch(url)).body == b"hello"
    await fetcher.aclose()


async def test_a_host_that_never_answers_is_not_just_slow(
    with_timeout: Callable[[float], Fetcher],
) -> None:
    """No connection within most of the time is a failure to connect, not a slow answer."""
    fetcher = with_timeout(2.0)
    async with await silent(0, "127.0.0.1") as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert await reason_of(fetcher, url) == FetchReason.CONNECT_FAILED
    await fetcher.aclose()


@pytest.mark.usefixtures("trusted")
async def test_https_is_fetched_from_the_name_that_was_asked_for(
    serve: Serve, fetcher: Fetcher, names: Names
) -> None:
    """The name travels in the handshake (SNI), and the certificate must be for it."""
    publisher = Publisher()
    asked_for = await serve(publisher)
    publisher.serve("/feed", "hello")
    names["paper.example"] = names["other.example"] = ("127.0.0.1",)
    answer = await fetcher.fetch(f"https://paper.example:{publisher.port}/feed")
    assert answer.body == b"hello"
    assert asked_for == ["paper.example"]
    other = f"https://other.example:{publisher.port}/feed"
    assert await reason_of(fetcher, other) == FetchReason.TLS_FAILED
    assert len(publisher.asked) == 1


async def test_a_certificate_nobody_vouches_for_is_refused(
    serve: Serve, fetcher: Fetcher, names: Names
) -> None:
    """Whoever answers for a name without a trusted certificate gets no request."""
    publisher = Publisher()
    await serve(publisher)
    names["paper.example"] = ("127.0.0.1",)
    url = f"https://paper.example:{publisher.port}/feed"
    assert await reason_of(fetcher, url) == FetchReason.TLS_FAILED
    assert publisher.asked == []


@pytest.mark.usefixtures("trusted")
async def test_credentials_stay_with_their_scheme(
    serve: Serve, fetcher: Fetcher, names: Names
) -> None:
    """A redirect to another scheme on the same host and port is another origin."""
    publisher, safe = Publisher(), Publisher()
    names["paper.example"] = ("127.0.0.1",)
    safe.serve("/x", "ok")

    async def move(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        server.close()
        await serve(safe, publisher.port)
        location = f"https://paper.example:{publisher.port}/x"
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode())
        await writer.drain()

    publisher.pages["/feed"] = move
    server = await asyncio.start_server(publisher.handle, "127.0.0.1", 0)
    publisher.port = server.sockets[0].getsockname()[1]
    url = f"http://desk:hunter2@paper.example:{publisher.port}/feed"
    await fetcher.fetch(url, headers={"X-Key": "s3cret"})
    assert publisher.asked[0].headers["authorization"]
    assert not {"authorization", "x-key"} & set(safe.asked[0].headers)


async def test_credentials_stay_with_their_port(publisher: Publisher, fetcher: Fetcher) -> None:
    """A redirect to another port of the same host is another origin."""
    other = Publisher()
    other.serve("/x", "ok")
    async with await asyncio.start_server(other.handle, "127.0.0.1", 0) as server:
        other.port = server.sockets[0].getsockname()[1]
        publisher.serve("/feed", "", status="302 Found", Location=other.url("/x"))
        url = publisher.url().replace("http://", "http://desk:hunter2@")
        await fetcher.fetch(url, headers={"X-Key": "s3cret"})
    assert publisher.asked[0].headers["authorization"]
    assert not {"authorization", "x-key"} & set(other.asked[0].headers)


async def test_a_publisher_gives_us_no_credentials(publisher: Publisher, fetcher: Fetcher) -> None:
    """Userinfo in a redirect is dropped: neither sent, nor part of where the feed moved."""
    location = publisher.url("/x").replace("http://", "http://desk:hunter2@")
    publisher.serve("/feed", "", status="301 Moved", Location=location)
    publisher.serve("/x", "ok")
    answer = await fetcher.fetch(publisher.url())
    assert answer.url == answer.moved == publisher.url("/x")
    assert "authorization" not in publisher.asked[1].headers
