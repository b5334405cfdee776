"""One way to serve HTTP for all of the product: uvicorn, with limits on what strangers may hold.

What is limited: connections; the time for a request's head, its body, and for taking in an answer;
the size of a head and a body; and how many bodies are in memory at once. uvicorn itself has none of
these but the size of a head.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.tasks import end

LARGEST_BODY = 2_000_000
BODY_SECONDS = 10.0
_DROPPED_BODY = 4 * LARGEST_BODY
_LARGEST_HEAD = 65_536
_BODIES_AT_ONCE = 32  # in memory, of strangers: their signature is read once the body is there
HEAD_SECONDS = 10.0
TAKING_SECONDS = 30.0  # that nothing more of an answer may be taken in
_READ_AT_ONCE = 16_384  # bytes; a body in one-byte chunks must not hold the loop (h11 is Python)
_GRACE_SECONDS = 2.0


async def serve(app: ASGIApp, listener: socket.socket, stopping: asyncio.Event, most: int) -> None:
    """Serve `app` on `listener`, which is closed at the end, until `stopping` is set.

    Args:
        app: the application.
        listener: a socket that listens.
        stopping: ends it; requests in hand have two seconds more.
        most: connections at a time; any more are closed at once.
    """
    server = _Server(
        uvicorn.Config(
            Limits(app),
            http=LimitedProtocol,
            ws="none",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,  # whom a proxy may name is decided by the desk's guard
            server_header=False,
            lifespan="off",
            limit_concurrency=most + 1,
            timeout_keep_alive=int(HEAD_SECONDS),
            timeout_graceful_shutdown=int(_GRACE_SECONDS),
            h11_max_incomplete_event_size=_LARGEST_HEAD,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http-server")
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await asyncio.wait([serving], timeout=_GRACE_SECONDS + 1.0)
        await end([serving, waiting])
        listener.close()
    if serving.done() and not serving.cancelled():
        serving.result()


class Limits:
    """Reads a request's body before the application sees it.

    413 for a body that is too large, 408 for one that does not come; the connection ends then.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._bodies = asyncio.Semaphore(_BODIES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        if not _has_body(scope):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS), self._bodies:
                body = await _read(scope, receive)
        except TimeoutError:
            await _closing("the request took too long\n", 408)(scope, receive, send)
            return
        if body is None:
            await _closing("too large\n", 413)(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


class _Server(uvicorn.Server):
    """Leaves signals alone: the process has its own way to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class LimitedProtocol(H11Protocol):
    """Ends connections that are too many, or whose request does not come."""

    _deadline: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse one connection too many; else wait for its first request."""
        super().connection_made(transport)
        if len(self.connections) >= (self.limit_concurrency or 0):
            transport.abort()
            return
        transport.max_size = _READ_AT_ONCE  # type: ignore[attr-defined]
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Take in what came, and limit how long the rest may take."""
        super().data_received(data)
        self._await_request()

    def pause_writing(self) -> None:
        """Limit how long nothing more of an answer is taken in."""
        super().pause_writing()
        self._taking = self.loop.call_later(TAKING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The other side takes in the answer again."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the limits of a connection that ended."""
        self._answering()
        if self._taking is not None:
            self._taking.cancel()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        """Start the clock unless something is being answered; bytes that trickle in do not."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._answering()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _answering(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return scope["type"] == "http" and bool(names & {b"content-length", b"transfer-encoding"})


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """Return the body, or None for one that is too large.

    What is a little too large is read and dropped, so that the sender sees the answer and not a
    connection that broke.
    """
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > _DROPPED_BODY:
        return None
    body, size = bytearray(), 0
    while size <= _DROPPED_BODY:
        message: dict[str, Any] = dict(await receive())
        part = message.get("body", b"")
        size += len(part)
        if size <= LARGEST_BODY:
            body += part
        if not message.get("more_body"):
            break
    return bytes(body) if size <= LARGEST_BODY else None


def _closing(text: str, status: int) -> PlainTextResponse:
    """Answer and end the connection: what is left of the request is not read."""
    return PlainTextResponse(text, status, headers={"Connection": "close"})
