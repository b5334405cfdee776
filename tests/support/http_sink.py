"""A local HTTP server that takes what is posted to it, and goes wrong on request."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from tests.support.slack_standin import Fault


@dataclass(frozen=True, slots=True)
class Posted:
    """One request that was taken."""

    path: str
    headers: dict[str, str]
    body: bytes


class HttpSink:
    """Takes every POST with 200 unless a fault is laid on."""

    def __init__(self) -> None:
        self.taken: list[Posted] = []
        self.faults: deque[Fault] = deque()
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def _take(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else None
        body = await request.read()
        if fault is None or fault.after:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.taken.append(Posted(request.path, headers, body))
        if fault is None:
            return web.Response(text="ok")
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        if fault.kind in ("drop", "hang"):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=fault.status, text="no", headers=fault.headers)
