"""A local service that answers JSON, as translation services and language models do."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.support.post_server import PostServer

Answer = Callable[[str, Any], Any]


class JsonStandin(PostServer):
    """Answers every POST with what `answer(path, body)` returns.

    Args:
        answer: makes the answers; a `str` is sent as it is, anything else as JSON.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.faults: deque[str] = deque()  # "hang", or an HTTP status
        self._over = asyncio.Event()

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await super().__aexit__()

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
