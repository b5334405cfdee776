"""The JSON webhook: its signature, its schema, and that a repeated call is known as one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.delivery.channels import ninjs
from monitor.delivery.channels.webhook import signature
from tests.support.alerts import FIRST, UPDATE, config, note
from tests.support.http_sink import HttpSink
from tests.support.slack_faults import SlackFault

ALERT_KEYS = {
    "id", "parent", "topic", "event", "reason", "urgency", "severity", "score", "line", "evidence",
    "nearest", "terms", "novelty", "note", "sources", "outlets", "trusts", "story_count",
    "decided_at", "story", "gist", "gist_from", "recap", "recap_of",
}  # fmt: skip


async def test_the_body_is_signed_and_as_documented(desk: Any) -> None:
    """A receiver can verify the signature over id, time and raw body, and finds every field."""
    async with HttpSink() as sink:
        hook = {"type": "webhook", "url": sink.url, "secret": "whsec_" + "c2VjcmV0LWtleQ=="}
        world = await desk("world", config(channels={"world": hook}))
        await world.put(note(FIRST, "world"), note(UPDATE, "world", "update"))
        await world.run(60)
        first, update = sink.taken
    head = first.headers
    assert head["user-agent"].startswith("Wirewatch/")
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + first.body
    digest = hmac.new(b"secret-key", signed, hashlib.sha256).digest()
    assert head["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    body = json.loads(first.body)
    assert (body["version"], body["kind"], body["id"]) == (1, "alert", "a-first@world")
    assert set(body["alert"]) == ALERT_KEYS
    assert body["alert"]["story"]["title"] == FIRST.story.title
    assert json.loads(update.body)["alert"]["parent"] == "a-first"


async def test_a_repeated_call_has_the_same_id(desk: Any) -> None:
    """After a lost answer the call is repeated under the same `webhook-id`, and says `resend`."""
    async with HttpSink() as sink:
        sink.faults.append(SlackFault("drop", after=True))
        world = await desk(
            "world", config(channels={"world": {"type": "webhook", "url": sink.url}})
        )
        await world.put(note(FIRST, "world"))
        await world.run(60)
        one, two = sink.taken
    assert one.headers["webhook-id"] == two.headers["webhook-id"]
    assert "webhook-signature" not in one.headers, "no secret, no signature"
    assert [json.loads(call.body)["resend"] for call in (one, two)] == [False, True]


@pytest.mark.parametrize("secret", ["plain words", "whsec_not base64!"])
def test_any_text_may_be_the_key(secret: str) -> None:
    """A secret that is not `whsec_` base64 is used as it is written."""
    digest = hmac.new(secret.encode(), b"id.1.{}", hashlib.sha256).digest()
    assert signature(secret, "id", 1, b"{}") == "v1," + base64.b64encode(digest).decode()


NINJS = json.loads((Path(__file__).parent / "vendor" / "ninjs-schema_3.0.json").read_text("utf-8"))


def as_ninjs(data: Any) -> Any:
    """Check an object against the IPTC's own schema, formats too; return it."""
    jsonschema.Draft202012Validator(
        NINJS, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(data)
    return data


async def test_a_webhook_may_speak_ninjs(desk: Any) -> None:
    """Alert and update are valid ninjs 3.0, with headline, topic, address and thread."""
    async with HttpSink() as sink:
        hook = {"type": "webhook", "url": sink.url, "format": "ninjs"}
        world = await desk("world", config(channels={"world": hook}))
        await world.put(note(FIRST, "world"), note(UPDATE, "world", "update"))
        await world.run(60)
        first, update = (as_ninjs(json.loads(call.body)) for call in sink.taken)
    assert first["headlines"][0]["value"] == FIRST.story.title
    assert first["subjects"][0]["literal"] == FIRST.topic
    assert first["renditions"][0]["href"] == FIRST.story.url
    threads = [one["value"] for one in update["altIds"] if one["role"] == "thread"]
    assert threads == ["a-first"]


@given(
    title=st.text(max_size=200), language=st.sampled_from(["", "en", "pt-BR", "???"]),
    published=st.floats(0, 4e9), urgency=st.text(max_size=8), event=st.text(max_size=20),
    outlets=st.lists(st.text(max_size=20), max_size=3), several=st.booleans(),
)  # fmt: skip
def test_whatever_is_told_is_valid_ninjs(
    title: str, language: str, published: float, urgency: str, event: str, outlets: list[str],
    several: bool,
) -> None:  # fmt: skip
    """Odd titles, ids, dates and urgencies still give an object the schema takes."""
    story = replace(FIRST.story, title=title, language=language, published=published, author=title)
    alert = replace(
        FIRST, story=story, urgency=urgency, event=event, outlets=tuple(outlets), id=event
    )
    one = replace(note(FIRST, "world"), alert=alert)
    digest = replace(one, alert=None, alerts=(alert, FIRST), kind="digest", notice=title)
    as_ninjs(ninjs.body(digest if several else one, 1e9))
