"""The JSON webhook: its signature, its schema, and that a repeated call is known as one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from monitor.delivery.channels.webhook import signature
from tests.support.alerts import FIRST, UPDATE, config, note
from tests.support.http_sink import HttpSink
from tests.support.slack_standin import Fault

ALERT_KEYS = {
    "id", "parent", "topic", "event", "reason", "urgency", "severity", "score", "line", "evidence",
    "nearest", "terms", "novelty", "sources", "outlets", "trusts", "story_count", "decided_at",
    "story", "gist", "gist_from",
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
        sink.faults.append(Fault("drop", after=True))
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
