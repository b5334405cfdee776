"""A transport for httpx that dials only what the address guard lets pass.

    client = httpx.AsyncClient(transport=GuardedTransport(guard), trust_env=False)

One connection serves one request (polls of a host are minutes apart, so a pool would only hold
sockets), which also makes the guard's verdict exactly as old as the connection. Everything above
the socket (requests, responses, addresses, headers) is httpx; HTTP/1.1 itself is h11.
"""

from __future__ import annotations

import asyncio
import math
import re
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
_INTERIM = 20  # answers such as 103 before the real one
_EVENTS_AT_ONCE = 100  # protocol events after which other fetches get their turn
_SMALL_PIECES = 5_000  # so many pieces of a body may be small
_MEAN_PIECE = 64  # bytes; beyond that their mean size must be larger
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:([^\x00\r\n\x0b\x0c]*)")
_VALUE = re.compile(rb"[^\x00\r\n\x0b\x0c]*")


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


def _readable(head: bytes) -> tuple[bytes, int]:
    """Return a head without the lines that are no headers, and how many were left out.

    One line such as `X Foo: 1` fails a whole answer in h11; curl and browsers pass it over. A blank
    before the colon is taken away.
    """
    first, *lines = re.split(rb"\r?\n", head.rstrip(b"\r\n"))
    kept, left_out = [first], 0
    for line in lines:
        header = _HEADER.fullmatch(line)
        if (
            header
            and header[1].lower() == b"transfer-encoding"
            and b"identity" in header[2].lower()
        ):
            continue  # RFC 2616 had it; it says nothing
        if header:
            kept.append(header[1] + b": " + header[2].strip())
        elif line[:1] in (b" ", b"\t") and len(kept) > 1 and _VALUE.fullmatch(line):
            kept.append(line)
        else:
            left_out += 1
    return b"\r\n".join([*kept, b"", b""]), left_out


class _Connection:
    """One socket, one exchange."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._in_head = True
        self._pending = b""  # what came behind the head
        self._events = 0
        self._left_out = 0
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
            for _ in range(_INTERIM):
                event = await self._next()
                if isinstance(event, h11.Response):
                    return httpx.Response(
                        status_code=event.status_code,
                        headers=event.headers.raw_items(),
                        stream=_Body(self),
                        request=request,
                        extensions={"headers_left_out": self._left_out},
                    )
                if not isinstance(event, h11.InformationalResponse):
                    raise FetchError(
                        FetchReason.PROTOCOL_ERROR, "the server closed without an answer"
                    )
                self._in_head = True  # another follows
            raise FetchError(
                FetchReason.PROTOCOL_ERROR, f"more than {_INTERIM} interim answers (1xx)"
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
        self._events += 1
        if self._events % _EVENTS_AT_ONCE == 0:
            await asyncio.sleep(0)
        while True:
            event = self._h11.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]
            if self._in_head:
                data, self._in_head = await self._read_head(), False
            elif self._pending:
                data, self._pending = self._pending, b""
            else:
                data = await self._receive()
            self._h11.receive_data(data)

    async def _read_head(self) -> bytes:
        """Return the head of an answer without the lines that are no headers."""
        data, self._pending = self._pending, b""
        looked_at = 0
        while not (end := _HEAD_END.search(data, max(0, looked_at - 3))):
            looked_at = len(data)
            more = await self._receive()
            data += more
            if not more or len(data) > _MAX_HEADER_BYTES:
                return data  # h11 says what is wrong
        self._pending = data[end.end() :]
        head, left_out = _readable(data[: end.end()])
        self._left_out += left_out
        return head

    async def _receive(self) -> bytes:
        if self._patience is None:
            return await self._reader.read(_READ_SIZE)
        async with asyncio.timeout(self._patience):
            return await self._reader.read(_READ_SIZE)

    async def body(self) -> AsyncIterator[bytes]:
        pieces = size = 0
        try:
            while True:
                event = await self._next()
                if not isinstance(event, h11.Data):
                    return
                pieces, size = pieces + 1, size + len(event.data)
                if pieces > _SMALL_PIECES and size < pieces * _MEAN_PIECE:
                    raise FetchError(
                        FetchReason.PROTOCOL_ERROR, "the body comes in pieces of a few bytes"
                    )
                yield bytes(event.data)
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
