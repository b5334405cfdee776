"""JSON Schemas of the YAML files, from the settings classes, for editors and other programs.

They describe what may be written: a topic may be a bare name, a duration "10m", a list of one a
single value. JSON Schema 2020-12: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from monitor.config.schema import FeedSource, Topic, WirewatchFile

KINDS = ("feeds", "topics", "wirewatch")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_for(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file: "feeds", "topics" or "wirewatch".

    Raises:
        KeyError: for any other kind.
    """
    if kind == "wirewatch":
        return {"$schema": _DIALECT, **_describe(WirewatchFile)}
    kinds: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
        "feeds": (FeedSource, {"type": "string", "format": "uri"}),
        "topics": (Topic, {"type": "string", "minLength": 2}),
    }
    item, bare = kinds[kind]
    described = _describe(item)
    definitions = described.pop("$defs", {})
    described["required"] = [name for name in described["required"] if name != "id"]
    name = item.__name__
    return {
        "$schema": _DIALECT,
        "title": f"Wirewatch {kind}",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            kind: {"type": "array", "items": {"anyOf": [{"$ref": f"#/$defs/{name}"}, bare]}}
        },
        "$defs": {name: described, **definitions},
    }


def schema_files() -> dict[str, str]:
    """Return the schemas as files: name -> text."""
    return {
        f"{kind}.json": json.dumps(schema_for(kind), indent=2, ensure_ascii=False) + "\n"
        for kind in KINDS
    }


def _describe(model: type[BaseModel]) -> dict[str, Any]:
    _, described = models_json_schema(
        [(model, "validation")],
        by_alias=True,
        ref_template="#/$defs/{model}",
        schema_generator=GenerateJsonSchema,
    )
    definitions: dict[str, Any] = described["$defs"]
    for name, definition in definitions.items():
        definition["title"] = name
        for key in definition.get("properties", {}).values():
            key.pop("title", None)
    own = definitions.pop(model.__name__)
    return {**own, "$defs": definitions} if definitions else own
