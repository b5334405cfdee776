"""The Model Context Protocol, as far as a server of read-only tools needs it.

JSON-RPC 2.0, revisions 2025-03-26 to 2025-11-25 of modelcontextprotocol.io/specification:
initialize, ping, tools/list, tools/call. Nothing is kept between calls: there are no sessions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pydantic import ValidationError
from redis.exceptions import RedisError

from monitor.analysis.topic_trial import TrialError
from monitor.desk.ask import BadRequest, Missing
from monitor.desk.mcp.tools import TOOLS, McpTool
from monitor.desk.mcp.untrusted import NOTE, marked
from monitor.desk.services import Services
from monitor.observability.logs import get_logger

log = get_logger(__name__)

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26")
LARGEST = 100_000  # characters of one message
_PARSE, _REQUEST, _METHOD, _PARAMS, _INTERNAL = -32700, -32600, -32601, -32602, -32603


async def answer(desk: Services, text: str | bytes) -> dict[str, Any] | None:
    """Answer one message; None where none is due (a notification, an answer).

    Args:
        desk: what the tools look at.
        text: one JSON-RPC message.
    """
    try:
        message = json.loads(text) if len(text) <= LARGEST else None
    except (ValueError, RecursionError):
        return _fault(None, _PARSE, "this is not JSON")
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return _fault(None, _REQUEST, "send one JSON-RPC 2.0 message of at most 100 kB")
    number, method = message.get("id"), message.get("method")
    if number is None or not isinstance(method, str):
        return None
    params = message.get("params")
    given = params if isinstance(params, dict) else {}
    try:
        return await _method(desk, number, method, given)
    except (RedisError, OSError):
        return _fault(number, _INTERNAL, "the store does not answer just now; try again")
    except Exception:
        log.exception("mcp_failed", method=method[:80])
        return _fault(number, _INTERNAL, "this could not be answered; the log has the reason")


async def _method(
    desk: Services, number: Any, method: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    match method:
        case "initialize":
            return _result(number, _hello(given.get("protocolVersion")))
        case "ping":
            return _result(number, {})
        case "tools/list":
            return _result(number, {"tools": [_described(tool) for tool in TOOLS.values()]})
        case "tools/call":
            tool = TOOLS.get(str(given.get("name")))
            if tool is None:
                return _fault(number, _PARAMS, f"the tools are {', '.join(TOOLS)}")
            return _result(number, await _call(desk, tool, given.get("arguments") or {}))
    return _fault(number, _METHOD, f"{method[:80]} is not answered here")


def _hello(wanted: Any) -> dict[str, Any]:
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "wirewatch", "version": version("wirewatch")},
        "instructions": f"Alerts of a news monitor, and why stories were told or not. {NOTE}",
    }


def _described(tool: McpTool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.takes.model_json_schema(),
        "annotations": {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False},
    }


async def _call(desk: Services, tool: McpTool, arguments: Any) -> dict[str, Any]:
    """Return what a tool found; what is wrong with the question is for the model to read."""
    try:
        found = await tool.answer(desk, tool.takes.model_validate(arguments))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "arguments"
        return _content(f"{place}: {first['msg']}", wrong=True)
    except (BadRequest, Missing, TrialError) as error:
        return _content(str(error), wrong=True)
    text = json.dumps({"note": NOTE, "found": marked(found)}, ensure_ascii=False)
    return _content(text)


def _content(text: str, *, wrong: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": wrong}


def _result(number: Any, result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _fault(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
