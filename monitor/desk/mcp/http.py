"""`/mcp`: streamable HTTP without sessions; every message is answered with plain JSON."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from monitor.desk.ask import Ask
from monitor.desk.mcp import protocol


async def message(ask: Ask) -> Response:
    """Answer one message; 202 for one that wants no answer."""
    answer = await protocol.answer(ask.desk, ask.form.get("", ""))
    return Response(status_code=202) if answer is None else JSONResponse(answer)


async def no_stream(ask: Ask) -> Response:
    """Say that this server starts no stream of its own."""
    return Response(status_code=405, headers={"Allow": "POST"})
