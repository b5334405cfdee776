"""Slack's published limits, as a validator: what the Web API would refuse, and what hurts.

Sources, on docs.slack.dev: /reference/block-kit/blocks (each block's page),
/reference/block-kit/composition-objects, /messaging/formatting-message-text,
/reference/methods/chat.postMessage, /messaging/message-metadata.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_TEXT = 40_000
MAX_BLOCKS = 50
MAX_ALL = 13_200
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")
_ANGLE = re.compile(r"<([^<>]*)>")
_MENTION = re.compile(r"<(?:!(?:channel|here|everyone|subteam\^)|@[UW]|#C)[^>]*>")
_DATE = re.compile(r"!date\^\d+\^[^|^]*(?:\^[^|]*)?\|[^|]+")
_URL = re.compile(r"https?://[^\s<>|\"\x00-\x20]+\Z")
_STYLES = {"bold", "italic", "strike", "code"}


def check_message(payload: dict[str, Any]) -> list[str]:
    """Return everything wrong with a message: [] if Slack would take it as it is meant."""
    wrong: list[str] = []
    text, blocks = payload.get("text", ""), payload.get("blocks") or []
    if not text and not blocks:
        return ["no_text"]
    if not text:
        wrong.append("no text fallback: notifications would be empty")
    if len(text) > MAX_TEXT:
        wrong.append("msg_too_long")
    wrong += _mrkdwn(text, "text")
    if len(blocks) > MAX_BLOCKS:
        wrong.append(f"{len(blocks)} blocks")
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        wrong.append("block_id twice")
    for number, block in enumerate(blocks):
        wrong += [f"blocks[{number}] {block.get('type')}: {what}" for what in _block(block)]
    if (size := sum(_size(block) for block in blocks)) > MAX_ALL:
        wrong.append(f"msg_blocks_too_long: {size}")
    metadata = payload.get("metadata")
    if metadata is not None:
        if not metadata.get("event_type") or not isinstance(metadata.get("event_payload"), dict):
            wrong.append("invalid_metadata_format")
        if len(json.dumps(metadata)) > 16_000:
            wrong.append("metadata_too_large")
    return wrong


def mentions(payload: dict[str, Any]) -> list[str]:
    """Return every mention that would ring somebody's bell."""
    found = _MENTION.findall(payload.get("text", ""))
    for element in _walk(payload.get("blocks") or []):
        if element.get("type") in ("user", "usergroup", "broadcast"):
            found.append(str(element))
        if element.get("type") == "mrkdwn":
            found += _MENTION.findall(element["text"])
    return found


def links(payload: dict[str, Any]) -> list[str]:
    """Return every address a reader could click."""
    found = []
    for element in _walk(payload.get("blocks") or []):
        if element.get("type") == "link":
            found.append(element["url"])
        if element.get("type") == "mrkdwn":
            inner = _ANGLE.findall(element["text"])
            found += [part.partition("|")[0] for part in inner if not part.startswith("!")]
    return found


def shown_text(payload: dict[str, Any]) -> str:
    """Return all words of the blocks, in order, as a reader sees them."""
    parts = []
    for element in _walk(payload.get("blocks") or []):
        if isinstance(element.get("text"), str):
            parts.append(element["text"])
    return "".join(parts)


def _walk(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in _walk(item)]
    if isinstance(value, dict):
        return [value] + [found for item in value.values() for found in _walk(item)]
    return []


def _size(block: dict[str, Any]) -> int:
    return sum(
        len(element[key])
        for element in _walk(block)
        for key in ("text", "url", "value")
        if isinstance(element.get(key), str)
    )


def _mrkdwn(text: str, where: str) -> list[str]:
    wrong = []
    if _ENTITY.search(text):
        wrong.append(f"{where}: & not escaped")
    for inner in _ANGLE.findall(text):
        url, _, label = inner.partition("|")
        if inner.startswith("!date^"):
            if not _DATE.fullmatch(inner):
                wrong.append(f"{where}: malformed date <{inner}>")
        elif not (_URL.fullmatch(url) and label):
            wrong.append(f"{where}: <{inner}> is no link we build")
    rest = _ANGLE.sub("", text)
    if "<" in rest or ">" in rest:
        wrong.append(f"{where}: stray < or >")
    return wrong


def _text_object(value: Any, most: int, kinds: tuple[str, ...]) -> list[str]:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        return [f"text object must be one of {kinds}"]
    text = value.get("text", "")
    wrong = [] if 1 <= len(text) <= most else [f"text of {len(text)} characters, 1 to {most}"]
    if value["type"] == "mrkdwn":
        wrong += _mrkdwn(text, "mrkdwn")
        if "emoji" in value:
            wrong.append("emoji is for plain_text only")
    return wrong


def _block(block: dict[str, Any]) -> list[str]:
    kind = block.get("type")
    both = ("plain_text", "mrkdwn")
    wrong = ["block_id over 255"] if len(block.get("block_id", "")) > 255 else []
    if kind == "header":
        return wrong + _text_object(block.get("text"), 150, ("plain_text",))
    if kind == "section":
        fields = block.get("fields", [])
        wrong += _text_object(block["text"], 3000, both) if "text" in block else []
        wrong += ["section without text or fields"] if "text" not in block and not fields else []
        return wrong + [w for field in fields[:10] for w in _text_object(field, 2000, both)]
    if kind == "context":
        elements = block.get("elements", [])
        wrong += [] if 1 <= len(elements) <= 10 else [f"{len(elements)} elements"]
        return wrong + [w for element in elements for w in _text_object(element, 3000, both)]
    if kind == "actions":
        elements = block.get("elements", [])
        wrong += [] if 1 <= len(elements) <= 25 else [f"{len(elements)} elements"]
        ids = [element.get("action_id") for element in elements]
        wrong += ["action_id twice"] if len(ids) != len(set(ids)) else []
        return wrong + [w for element in elements for w in _button(element)]
    if kind == "rich_text":
        elements = block.get("elements", [])
        return wrong + (["empty"] if not elements else []) + [w for e in elements for w in _rich(e)]
    if kind == "divider":
        return wrong
    return [*wrong, "unknown type"]


def _button(element: dict[str, Any]) -> list[str]:
    wrong = _text_object(element.get("text"), 75, ("plain_text",))
    if element.get("type") != "button":
        wrong.append("only buttons are known here")
    if not 1 <= len(element.get("action_id", "")) <= 255:
        wrong.append("action_id of 1 to 255 characters")
    if len(element.get("value", "")) > 2000:
        wrong.append("value over 2000")
    confirm = element.get("confirm") or {}
    for part, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        if confirm:
            wrong += _text_object(confirm.get(part), most, ("plain_text", "mrkdwn"))
    return wrong


def _rich(element: dict[str, Any]) -> list[str]:
    kind, inner = element.get("type"), element.get("elements", [])
    if not inner:
        return [f"{kind} without elements"]
    if kind == "rich_text_list":
        wrong = [] if element.get("style") in ("bullet", "ordered") else ["list style"]
        return wrong + [w for item in inner for w in _rich(item)]
    if kind not in ("rich_text_section", "rich_text_quote", "rich_text_preformatted"):
        return [f"unknown element {kind}"]
    return [w for item in inner for w in _rich_leaf(item)]


def _rich_leaf(leaf: dict[str, Any]) -> list[str]:
    kind = leaf.get("type")
    wrong = []
    if not set(leaf.get("style", {})) <= _STYLES:
        wrong.append("unknown style")
    if kind == "text":
        return wrong + ([] if leaf.get("text") else ["empty text"])
    if kind == "link":
        url = leaf.get("url", "")
        if not _URL.fullmatch(url) or len(url) > 3000:
            wrong.append(f"invalid url {url[:60]!r}")
        return wrong + (["empty link text"] if "text" in leaf and not leaf["text"] else [])
    if kind == "date":
        good = (
            isinstance(leaf.get("timestamp"), int) and leaf.get("format") and leaf.get("fallback")
        )
        return wrong + ([] if good else ["malformed date"])
    if kind in ("broadcast", "usergroup", "user"):
        return wrong + ([] if len(leaf) == 2 else [f"malformed {kind}"])
    if kind == "emoji":
        return wrong + ([] if leaf.get("name") else ["emoji without name"])
    return [*wrong, f"unknown leaf {kind}"]
