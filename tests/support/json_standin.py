"""A local service that answers JSON, as translation services and language models do."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

Answer = Callable[[str, Any], Any]


class JsonStandin:
    """Answers every POST with what `answer(path, body)` returns.

    Args:
        answer: makes the answers; a `str` is sent as it is, anything else as JSON.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.faults: deque[str] = deque()  # "hang", or an HTTP status
        self.port = 0
        self._over = asyncio.Event()

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
        self._over.set()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.asked.append((request.path, body))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        fault = self.faults.popleft() if self.faults else ""
        if fault == "hang":
            await self._over.wait()
        if fault.isdigit():
            return web.Response(status=int(fault), text="no")
        said = self.answer(request.path, body)
        return web.Response(text=said) if isinstance(said, str) else web.json_response(said)


def chat(text: str) -> dict[str, Any]:
    """Return an answer of OpenAI's chat completions."""
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}
