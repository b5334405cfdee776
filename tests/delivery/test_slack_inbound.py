"""Buttons, slash command and mentions: over signed HTTP and over Socket Mode."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.feedback_store import FeedbackStore
from monitor.alerting.silence_store import SilenceStore
from monitor.clock import ManualClock
from monitor.config.schema import Config
from monitor.delivery.outbox import OutboxStore
from monitor.net.routes import Request
from monitor.reasons import SuppressionReason
from monitor.slack_app.actions import SlackInbound
from monitor.slack_app.payloads import is_signed, read_http
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.delivery.test_notifier import running, runtime_for
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import FIRST, NOW, alert, note
from tests.support.slack_rules import check_message
from tests.support.slack_standin import SlackStandin
from workers.overview import lines, overview

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
FORM = "application/x-www-form-urlencoded"


def signed(body: bytes, kind: str = FORM, at: float = NOW, secret: str = SECRET) -> Request:
    """A request as Slack would sign it."""
    base = f"v0:{int(at)}:".encode() + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    headers = {
        "content-type": kind,
        "x-slack-request-timestamp": str(int(at)),
        "x-slack-signature": f"v0={digest}",
    }
    return Request("POST", "/slack", headers=headers, body=body)


def pressed(slack: SlackStandin, action: str, post: dict[str, Any]) -> dict[str, Any]:
    """What Slack sends when somebody presses a button under `post`."""
    buttons = next(block for block in post["blocks"] if block["type"] == "actions")["elements"]
    button = next(b for b in buttons if b["action_id"] == f"ww_{action}")
    return {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ana"},
        "channel": {"id": slack.channel},
        "response_url": f"{slack.url}/response/1",
        "actions": [{"action_id": button["action_id"], "value": button["value"]}],
    }


@pytest.fixture
def config(slack: SlackStandin) -> Config:
    """A channel with a signing secret, and two topics."""
    topics = [{"id": FIRST.topic, "name": FIRST.topic_name}, {"id": "b", "name": "B <&> b"}]
    return slack_config(slack, channel={"signing_secret": SECRET}, topics=topics)


@pytest.fixture
def inbound(store: Redis, keys: Keys, clock: ManualClock, config: Config) -> SlackInbound:
    """The handler of what Slack sends."""

    async def status() -> list[str]:
        return lines(await overview(store, keys, config, clock.now()))

    return SlackInbound(lambda: config, store, keys, clock, status)


@pytest.mark.parametrize("fault", ["secret", "old", "body", "none", "garbage"])
async def test_only_slack_is_listened_to(
    inbound: SlackInbound, store: Redis, keys: Keys, fault: str
) -> None:
    """A wrong secret, an old call, a changed body, no signature: 401, and nothing is done."""
    body = urlencode({"command": "/wirewatch", "text": "silence topic=* 1h"}).encode()
    request = signed(
        body,
        at=NOW - 301 if fault == "old" else NOW,
        secret="other" if fault == "secret" else SECRET,
    )
    headers = dict(request.headers)
    if fault == "none":
        headers.pop("x-slack-signature")
    if fault == "garbage":
        headers["x-slack-request-timestamp"] = "yesterday"
    changed = body + b"x" if fault == "body" else body
    reply = await inbound.handle_slack(Request("POST", "/slack", headers=headers, body=changed))
    assert reply.status == 401
    assert await SilenceStore(store, keys).all() == []


@given(st.binary(max_size=200), st.sampled_from([FORM, "application/json", ""]))
def test_no_body_breaks_the_reader(body: bytes, kind: str) -> None:
    """Whatever is posted, the reader understands it, ignores it, or says that it is malformed."""
    with suppress(ValueError):
        read_http(kind, body)
    assert not is_signed(SECRET, {"x-slack-signature": "v0=1"}, body, NOW)


@pytest.mark.parametrize(
    "payload",
    [
        "[]",
        '{"type":"block_actions","actions":{}}',
        '{"type":"block_actions","actions":{"x":1}}',
        '{"type":"block_actions","actions":["x"]}',
        '{"type":"block_actions","user":"x","actions":[{"action_id":"ww_relevant"}]}',
        '{"a":' * 100_000,
    ],
    ids=["list", "no actions", "dict", "strings", "user", "deep"],
)
async def test_a_signed_oddity_is_no_fault_of_ours(inbound: SlackInbound, payload: str) -> None:
    """What Slack would never send, signed all the same: ignored or malformed, never a 500."""
    reply = await inbound.handle_slack(signed(urlencode({"payload": payload}).encode()))
    assert reply.status in (200, 400)


async def test_the_address_check_is_answered(inbound: SlackInbound) -> None:
    """Slack's url_verification gets its challenge back."""
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    reply = await inbound.handle_slack(signed(body, "application/json"))
    assert (reply.status, reply.body) == (200, "abc")


async def test_the_slash_command(
    inbound: SlackInbound, store: Redis, keys: Keys, clock: ManualClock
) -> None:
    """status, topics and silence answer within the call, escaped, to the asker alone."""

    async def ask(text: str) -> str:
        form = {"command": "/wirewatch", "text": text, "user_name": "ana", "channel_id": "C1"}
        reply = await inbound.handle_slack(signed(urlencode(form).encode()))
        said = json.loads(reply.body)
        assert said["response_type"] == "ephemeral" and check_message(said) == []
        return str(said["text"])

    await OutboxStore(store, keys).put([note(FIRST, "world")])
    status = await ask("status")
    assert "channel world: nothing sent yet, 1 waiting" in status and "feeds: " in status
    assert "_canary" not in status and "silenced" not in status
    assert "B &lt;&amp;&gt; b" in await ask("topics")
    assert "undo: silence end" in await ask("silence topic=us-* 30m too noisy")
    (silence,) = await SilenceStore(store, keys).active(NOW)
    assert (silence.author, silence.reason, silence.ends) == ("ana", "too noisy", NOW + 1800)
    listed = await ask("silence")
    assert silence.id in listed and "too noisy" in listed
    assert "silenced: topic=us-*" in await ask("status")
    assert "is over" in await ask(f"silence end {silence.id}")
    assert await ask("silence") == "Nothing is silenced."
    assert "is not a matcher" in await ask("silence colour=red")
    assert "`silence topic=energy-* 2h too noisy`" in await ask("please <!channel>")
    assert "Say what to silence" in await ask("silence nvidia")
    assert "nothing in the configuration fits `topic=nvdia`" in await ask("silence topic=nvdia 2h")
    assert "366 days" in await ask("silence topic=b 900d")
    assert "ten years" in await ask("silence topic=b 999999999999d")


async def test_buttons_over_http(
    desk: Any, inbound: SlackInbound, config: Config, slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """Each button under an alert does its work, in this channel only, and says so."""
    world = await desk("world", config)
    await world.put(note(FIRST, "world"))
    await world.run(10)
    (post,) = slack.posts()
    for action in ("relevant", "not_relevant", "mute_event", "snooze_topic"):
        body = urlencode({"payload": json.dumps(pressed(slack, action, post))}).encode()
        assert (await inbound.handle_slack(signed(body))).status == 200
    await slack.until(lambda: len(slack.ephemeral) == 4)
    assert all(check_message(said) == [] for said in slack.ephemeral)
    (verdict,) = await FeedbackStore(store, keys).all(FIRST.topic)
    assert (verdict.story, verdict.good, verdict.by) == (FIRST.story.id, False, "ana")
    kinds = {item.kind: item for item in await SilenceStore(store, keys).active(NOW)}
    assert str(kinds["mute"].matchers[0]) == f"event={FIRST.event}"
    assert str(kinds["snooze"].matchers[1]) == "channel=world"
    await world.put(note(alert("x", event=FIRST.event), "world"), note(alert("y"), "world"))
    await world.run(60)
    assert slack.told() == ["a-first"]
    assert await world.count(SuppressionReason.MUTED) + await world.count("snoozed") == 2


async def test_everyone_in_the_channel_is_told_of_a_silence_and_can_undo_it(
    desk: Any, inbound: SlackInbound, config: Config, slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """A mute asks first, then stands in the channel with its author and an undo that works."""
    world = await desk("world", config)
    await world.put(note(FIRST, "world"))
    await world.run(10)
    post = slack.posts()[0]
    buttons = next(block for block in post["blocks"] if block["type"] == "actions")["elements"]
    assert [b["action_id"] for b in buttons if "confirm" in b] == [
        "ww_mute_event",
        "ww_snooze_topic",
    ]

    async def press(action: str, under: dict[str, Any]) -> None:
        payload = pressed(slack, action, under) | {"message": {"text": under["text"]}}
        body = urlencode({"payload": json.dumps(payload)}).encode()
        assert (await inbound.handle_slack(signed(body))).status == 200
        await world.run(10)

    await press("mute_event", post)
    told = slack.posts()[1]
    assert "ana muted" in told["text"] and "Envoys meet in Geneva" in told["text"]
    (mute,) = await SilenceStore(store, keys).active(NOW + 30)
    assert f"wirewatch silence end {mute.id}" in told["text"]
    await press("end_silence", told)
    assert "ana ended" in slack.posts()[2]["text"]
    assert await SilenceStore(store, keys).active(NOW + 60) == []
    await world.put(note(alert("x", event=FIRST.event), "world"))
    await world.run(60)
    assert slack.told() == ["a-first", "x"]


async def test_socket_mode_needs_no_address(slack: SlackStandin, store: Redis, keys: Keys) -> None:
    """A button and a slash command come over the socket, are acknowledged, and do their work."""
    settings = slack_config(slack, channel={"app_token": slack.app_token})
    outbox = OutboxStore(store, keys)
    async with running(runtime_for(settings, store, keys)):
        await outbox.put([note(FIRST, "world")])
        await slack.until(lambda: len(slack.posts()) == 1)
        press = await slack.push("interactive", pressed(slack, "relevant", slack.posts()[0]))
        form = {"command": "/wirewatch", "text": "status", "user_name": "ana"}
        ask = await slack.push("slash_commands", form)
        await slack.until(lambda: len(slack.acks) == 2 and len(slack.ephemeral) == 1)
    acks = {ack["envelope_id"]: ack.get("payload") for ack in slack.acks}
    assert acks[press] is None and "channel world: ok" in acks[ask]["text"]
    assert len(await FeedbackStore(store, keys).all(FIRST.topic)) == 1


async def test_a_mention_is_answered_in_its_thread(
    slack: SlackStandin, inbound: SlackInbound
) -> None:
    """`@wirewatch topics` gets its answer under the message that asked."""
    parent = slack.post({"channel": slack.channel, "text": "hello"})["ts"]
    event = {
        "type": "event_callback",
        "event": {
            "type": "app_mention",
            "text": "<@UBOT> topics",
            "user": "U1",
            "channel": slack.channel,
            "ts": parent,
        },
    }
    reply = await inbound.handle_slack(signed(json.dumps(event).encode(), "application/json"))
    assert reply.status == 200
    await slack.until(lambda: len(slack.posts()) == 2)
    assert slack.posts()[1]["thread_ts"] == parent
