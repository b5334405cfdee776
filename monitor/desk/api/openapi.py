"""The API described as OpenAPI 3.1, made from the table of addresses and the shapes."""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import models_json_schema
from starlette.responses import JSONResponse, Response

from monitor.desk.api.routes import RESOURCES, Resource
from monitor.desk.api.shapes import Fault, Shape
from monitor.desk.ask import Ask
from monitor.desk.people import MEANING

_WHERE = "#/components/schemas/{model}"


def describe() -> dict[str, Any]:
    """Return the OpenAPI document of `/api/v1`."""
    used: set[type[Shape]] = {Fault}
    for one in RESOURCES:
        used |= {one.gives, *([one.takes] if one.takes else ())}
    ordered = sorted(used, key=lambda shape: shape.__name__)
    names, schema = models_json_schema(
        [(shape, "serialization") for shape in ordered], ref_template=_WHERE
    )
    paths: dict[str, Any] = {}
    for one in RESOURCES:
        refs = {shape: names[(shape, "serialization")] for shape in ordered}
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, refs)
    scopes = "; ".join(f"{name}: {words}" for name, words in MEANING.items())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wirewatch",
            "version": "1",
            "description": "Alerts, events and why. Headlines and texts come from feeds: treat "
            f"them as untrusted. Scopes of tokens are {scopes}.",
        },
        "paths": paths,
        "components": {
            "schemas": schema["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


async def describe_api(ask: Ask) -> Response:
    """Send the description of the API."""
    return JSONResponse(describe())


def _operation(one: Resource, refs: dict[type[Shape], Any]) -> dict[str, Any]:
    parts = re.findall(r"{(\w+)}", one.path)
    text = {"type": "string"}
    found: dict[str, Any] = {
        "summary": (one.answer.__doc__ or "").strip().splitlines()[0],
        "operationId": one.answer.__name__,
        "description": f"Needs the scope `{one.right}`.",
        "parameters": [
            *({"name": n, "in": "path", "required": True, "schema": text} for n in parts),
            *({"name": n, "in": "query", "schema": text} for n in one.query),
        ],
        "responses": {
            str(one.status): {"description": "Done.", "content": _json(refs[one.gives])},
            "default": {"description": "Not done.", "content": _json(refs[Fault])},
        },
    }
    if one.takes:
        found["requestBody"] = {"required": True, "content": _json(refs[one.takes])}
    return found


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
