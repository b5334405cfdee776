"""What comes back from Slack: a button pressed, a slash command, a mention. Pure.

Payloads are described at docs.slack.dev/reference/interaction-payloads and
docs.slack.dev/interactivity/implementing-slash-commands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

from monitor.text import one_line

ACTIONS = ("relevant", "not_relevant", "mute_event", "snooze_topic", "end_silence")
_MENTION = re.compile(r"^\s*<@[A-Z0-9]+>\s*")


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button under an alert, or the undo button of a silence.

    `about` is the first line of the message that the button stands under.
    """

    action: str
    topic: str
    event: str
    story: str
    alert: str
    by: str
    channel: str
    response_url: str = ""
    silence: str = ""
    about: str = ""
    user: str = ""  # member ID


@dataclass(frozen=True, slots=True)
class Asked:
    """A slash command or a mention: `status`, `topics`, `silence …`, `subscribe …`.

    `user` is the asker's member ID; `via` the channel of the configuration whose app was asked.
    """

    text: str
    by: str
    channel: str
    thread: str = ""
    mention: bool = False
    user: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Challenge:
    """Slack asks whether the address is ours."""

    challenge: str


Inbound = Pressed | Asked | Challenge


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether Slack signed `body` with `secret` within five minutes of `now` (Unix seconds)."""

    from slack_sdk.signature import Clock, SignatureVerifier  # slack_sdk is slow to import

    class _Clock(Clock):
        def now(self) -> float:
            return now

    try:
        text = body.decode("utf-8")
        return SignatureVerifier(secret, _Clock()).is_valid_request(text, dict(headers))
    except (ValueError, TypeError):
        return False


def read_http(content_type: str, body: bytes) -> Inbound | None:
    """Read the body of a signed request; None for what we do not know.

    Raises:
        ValueError: it is malformed.
    """
    if content_type.startswith("application/json"):
        return read_event(_object(json.loads(body)))
    form = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
    if "payload" in form:
        return read_interaction(_object(json.loads(form["payload"])))
    return read_command(form) if "command" in form else None


def read_socket(kind: str, payload: Mapping[str, Any]) -> Inbound | None:
    """Read the payload of a Socket Mode envelope; None for what we do not know."""
    readers = {
        "interactive": read_interaction,
        "slash_commands": read_command,
        "events_api": read_event,
    }
    return readers[kind](payload) if kind in readers else None


def read_interaction(payload: Mapping[str, Any]) -> Pressed | None:
    """Read `block_actions`."""
    actions = payload.get("actions") or []
    if payload.get("type") != "block_actions" or not actions:
        return None
    name = str(actions[0].get("action_id", "")).removeprefix("ww_")
    if name not in ACTIONS:
        return None
    value = _object(json.loads(actions[0].get("value") or "{}"))
    user = payload.get("user") or {}
    return Pressed(
        name,
        str(value.get("t", "")),
        str(value.get("e", "")),
        str(value.get("s", "")),
        str(value.get("a", "")),
        one_line(str(user.get("username") or user.get("name") or user.get("id") or "?"), 80),
        str((payload.get("channel") or {}).get("id", "")),
        str(payload.get("response_url", "")),
        str(value.get("u", "")),
        one_line(unescape(str((payload.get("message") or {}).get("text", ""))), 160),
        str(user.get("id", "")),
    )


def read_command(form: Mapping[str, Any]) -> Asked:
    """Read a slash command."""
    by = one_line(str(form.get("user_name") or form.get("user_id") or "?"), 80)
    user = str(form.get("user_id", ""))
    return Asked(str(form.get("text", "")), by, str(form.get("channel_id", "")), user=user)


def read_event(payload: Mapping[str, Any]) -> Asked | Challenge | None:
    """Read an event of the Events API: a mention, or the address check."""
    if payload.get("type") == "url_verification":
        return Challenge(str(payload.get("challenge", "")))
    event = payload.get("event") or {}
    if event.get("type") != "app_mention":
        return None
    text = _MENTION.sub("", str(event.get("text", "")))
    thread = str(event.get("thread_ts") or event.get("ts") or "")
    by = one_line(str(event.get("user", "?")), 80)
    where = str(event.get("channel", ""))
    return Asked(text, by, where, thread, mention=True, user=str(event.get("user", "")))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("an object was expected")
    return value
