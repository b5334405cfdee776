"""A transport for httpx that dials only what the address guard lets pass.

    client = httpx.AsyncClient(transport=GuardedTransport(guard), trust_env=False)

One connection serves one request (polls of a host are minutes apart, so a pool would only hold
sockets), which also makes the guard's verdict exactly as old as the connection. Everything above
the socket (requests, responses, addresses, headers) is httpx; HTTP/1.1 itself is h11.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import AsyncIterator
from functools import cache
from itertools import zip_longest
from typing import Any

import h11
import httpx

from monitor.errors import FetchError
from monitor.net.address_guard import AddressGuard, Target
from monitor.reasons import FetchReason

_MAX_HEADER_BYTES = 65_536
_READ_SIZE = 65_536
_DIALS = 3


@cache
def default_ssl_context() -> ssl.SSLContext:
    """Return the one verifying TLS context of this process (certifi's roots, HTTP/1.1)."""
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx transport over guarded connections.

    Raises `FetchError` with `blocked_address`, `blocked_url`, `dns_failed`, `tls_failed`,
    `connect_failed` or `protocol_error`. The timeouts of httpx are honoured for connecting, which
    the addresses of a name share (so that one that never answers leaves time for the next), and for
    each read; only the caller's own `asyncio.timeout` bounds the whole.
    """

    def __init__(self, guard: AddressGuard, context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._context = context

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` over a new connection and return the response, body not yet read."""
        scheme, host, port = self._guard.check_url(str(request.url))
        timeouts = request.extensions.get("timeout", {})
        targets = await self._guard.resolve(request.url.raw_host.decode("ascii"), port)
        connection = await self._dial(scheme, host, port, targets, timeouts)
        try:
            return await connection.exchange(request)
        except BaseException:
            connection.close()
            raise

    async def _dial(
        self, scheme: str, host: str, port: int, targets: list[Target], timeouts: dict[str, Any]
    ) -> _Connection:
        context = None
        if scheme == "https":
            context = self._context or default_ssl_context()
        last, loop = "", asyncio.get_running_loop()
        end = loop.time() + (timeouts.get("connect") or math.inf)
        tried = _in_turn(targets)[:_DIALS]
        for at, target in enumerate(tried):
            try:
                async with asyncio.timeout((end - loop.time()) / (len(tried) - at)):
                    reader, writer = await asyncio.open_connection(
                        target.address,
                        port,
                        ssl=context,
                        server_hostname=host if context else None,
                        limit=2 * _READ_SIZE,
                    )
                return _Connection(reader, writer, timeouts.get("read"))
            except ssl.SSLError as error:
                message = getattr(error, "verify_message", "") or error.reason or "handshake failed"
                raise FetchError(FetchReason.TLS_FAILED, f"TLS with {host}: {message}") from None
            except TimeoutError:
                last = "no answer"
            except OSError as error:
                last = error.strerror or str(error)
        raise FetchError(FetchReason.CONNECT_FAILED, f"cannot connect to {host}:{port}: {last}")


def _in_turn(targets: list[Target]) -> list[Target]:
    """Have IPv6 and IPv4 alternate (RFC 8305 section 4): often one of them leads nowhere."""
    first = [target for target in targets if target.family == targets[0].family]
    other = [target for target in targets if target.family != targets[0].family]
    return [target for pair in zip_longest(first, other) for target in pair if target is not None]


class _Connection:
    """One socket, one exchange."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEADER_BYTES)

    async def exchange(self, request: httpx.Request) -> httpx.Response:
        headers = [
            (name, value) for name, value in request.headers.raw if name.lower() != b"connection"
        ]
        headers.append((b"Connection", b"close"))
        try:
            self._send(
                h11.Request(
                    method=request.method.encode("ascii"),
                    target=request.url.raw_path,
                    headers=headers,
                )
            )
            if request.method not in ("GET", "HEAD"):
                assert isinstance(request.stream, httpx.AsyncByteStream)
                async for chunk in request.stream:
                    self._send(h11.Data(data=chunk))
            self._send(h11.EndOfMessage())
            await self._writer.drain()
            while True:
                event = await self._next()
                if isinstance(event, h11.Response):
                    return httpx.Response(
                        status_code=event.status_code,
                        headers=event.headers.raw_items(),
                        stream=_Body(self),
                        request=request,
                    )
                if not isinstance(event, h11.InformationalResponse):
                    raise FetchError(
                        FetchReason.PROTOCOL_ERROR, "the server closed without an answer"
                    )
        except h11.ProtocolError as error:
            raise FetchError(FetchReason.PROTOCOL_ERROR, f"not valid HTTP: {error}") from None
        except TimeoutError:
            raise FetchError(FetchReason.TIMEOUT, "the server did not answer in time") from None
        except OSError as error:
            raise FetchError(FetchReason.PROTOCOL_ERROR, f"the connection broke: {error}") from None

    def _send(self, event: h11.Event) -> None:
        data = self._h11.send(event)
        if data:
            self._writer.write(data)

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._h11.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]
            if self._patience is None:
                data = await self._reader.read(_READ_SIZE)
            else:
                async with asyncio.timeout(self._patience):
                    data = await self._reader.read(_READ_SIZE)
            self._h11.receive_data(data)

    async def body(self) -> AsyncIterator[bytes]:
        try:
            while True:
                event = await self._next()
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                else:
                    return
        except h11.ProtocolError as error:
            raise FetchError(FetchReason.PROTOCOL_ERROR, f"not valid HTTP: {error}") from None
        except TimeoutError:
            raise FetchError(FetchReason.TIMEOUT, "the server stopped in mid-answer") from None
        except OSError as error:
            raise FetchError(FetchReason.PROTOCOL_ERROR, f"the connection broke: {error}") from None

    def close(self) -> None:
        self._writer.close()


class _Body(httpx.AsyncByteStream):
    """The body of a response as it comes off the socket."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.body()

    async def aclose(self) -> None:
        self._connection.close()
