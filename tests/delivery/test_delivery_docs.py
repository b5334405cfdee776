"""What the documentation promises about delivery is what the code has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from monitor.delivery.channel import SendContext
from monitor.delivery.channels.webhook import VERSION, body
from monitor.delivery.retry_policy import CAP, GIVE_UP_AFTER, MAX_ATTEMPTS
from monitor.model import Notification
from tests.support.alerts import FIRST, NOW, UPDATE, note

DOCS = Path(__file__).parents[2] / "docs"
PROMISE = (
    "every story stored by a successful poll is evaluated at least once; every alert is sent; a "
    "duplicate is possible only when the outcome of a send is unknown, and Slack is asked (message "
    "metadata in the channel's history) before a resend."
)


def test_the_promise_is_there_word_for_word() -> None:
    """The delivery promise stands in the documentation, word for word."""
    text = (DOCS / "explanation" / "delivery.md").read_text(encoding="utf-8")
    assert PROMISE in " ".join(text.replace("> ", "").split())
    assert (MAX_ATTEMPTS, CAP, GIVE_UP_AFTER) == (12, 300.0, 86400.0), "the page names them"


def _fits(value: object, schema: dict[str, object], root: dict[str, object]) -> bool:
    """Check the few words of JSON Schema that ours uses."""
    if "$ref" in schema:
        return _fits(value, root["$defs"][str(schema["$ref"]).rsplit("/", 1)[1]], root)  # type: ignore[index]
    if "oneOf" in schema:
        return sum(_fits(value, option, root) for option in schema["oneOf"]) == 1  # type: ignore[attr-defined]
    if "enum" in schema:
        return value in schema["enum"]  # type: ignore[operator]
    if "const" in schema:
        return value == schema["const"]
    kinds = {"string": str, "number": (int, float), "integer": int, "boolean": bool,
             "null": type(None), "array": list, "object": dict}  # fmt: skip
    if not isinstance(value, kinds[str(schema["type"])]):  # type: ignore[arg-type]
        return False
    if isinstance(value, list):
        return all(_fits(item, schema["items"], root) for item in value)  # type: ignore[arg-type]
    if isinstance(value, dict):
        properties = schema["properties"]
        assert isinstance(properties, dict)
        return set(value) == set(schema["required"]) == set(properties) and all(  # type: ignore[call-overload]
            _fits(item, properties[name], root) for name, item in value.items()
        )
    return True


def test_webhook_bodies_fit_the_schema() -> None:
    """Every kind of notification gives a body with exactly the fields of the schema."""
    path = DOCS / "reference" / "schema" / "webhook.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["properties"]["version"]["const"] == VERSION
    digest = Notification("d@x", "x", "digest", alerts=(FIRST, UPDATE), notice="Digest")
    kinds = [note(FIRST, "x"), note(UPDATE, "x", "update"), digest]
    for item in [*kinds, Notification("n@x", "x", "notice", notice="Hello")]:
        made = json.loads(json.dumps(body(item, SendContext(now=NOW))))
        assert _fits(made, schema, schema), item.kind
    made["surprise"] = 1
    assert not _fits(made, schema, schema)


@pytest.mark.parametrize("service", ["Teams", "Discord", "Telegram", "Matrix"])
def test_the_addresses_of_services_are_those_apprise_knows(service: str) -> None:
    """Each address of the table, with its parts filled in, makes the service it is written for."""
    import apprise

    page = (Path(__file__).parents[2] / "docs/how-to/newsrooms.md").read_text("utf-8")
    found = re.search(rf"^\| {service} \| `([^`]+)`", page, re.MULTILINE)
    assert found is not None
    address = found[1]
    for name, value in (
        ("BOT_TOKEN", "123456789:AAEabcdefghijklmnopqrstuvwxyz0123456"), ("CHAT_ID", "-100123456"),
        ("WORKFLOW", "a1b2c3"), ("SIGNATURE", "s1gn"), ("USER", "wirewatch"), ("ROOM", "abcdef"),
        ("TOKEN", "t0kent0kent0ken"), ("ID", "123456789"),
        ("HOST", "prod-01.westeurope.logic.azure.com" if service == "Teams" else "m.example.org"),
    ):  # fmt: skip
        address = address.replace(name, value)
    made = apprise.Apprise()
    assert made.add(address)
    wanted = {"Teams": "Workflows"}.get(service, service)
    assert [type(one).__name__ for one in made] == [f"Notify{wanted}"]
