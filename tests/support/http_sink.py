"""A local HTTP server that takes what is posted to it, and goes wrong on request."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from aiohttp import web

from tests.support.post_server import PostServer
from tests.support.slack_faults import SlackFault


@dataclass(frozen=True, slots=True)
class Posted:
    """One request that was taken."""

    path: str
    headers: dict[str, str]
    body: bytes


class HttpSink(PostServer):
    """Takes every POST with 200 unless a fault is laid on."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Posted] = []
        self.faults: deque[SlackFault] = deque()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"{super().url}/hook"

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
