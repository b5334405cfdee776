"""Block Kit: one notification as a Slack message. Pure.

Headlines and evidence stand in `rich_text` blocks, whose text Slack never interprets; the
`text` fallback is mrkdwn and is escaped. Sizes stay well inside Slack's limits
(docs.slack.dev/reference/block-kit/blocks; docs.slack.dev/messaging/formatting-message-text).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from monitor.delivery import formatting
from monitor.delivery.thread import merged
from monitor.model import Alert, Notification, Thread
from monitor.text import one_line

Block = dict[str, Any]

ROOM = (
    11_000  # characters of a digest's happenings; what is new in them only as far as there is room
)
METADATA_TYPE = "wirewatch_notification"


def message(
    notification: Notification,
    *,
    buttons: bool = False,
    threaded: bool = True,
    mention: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return `text`, `blocks` and `metadata` for chat.postMessage.

    `threaded` says that an update goes under its first message, which has the topic already.
    `mention` is whom a critical alert calls ("@here", "S0…"), by configuration alone: no word of a
    feed ever becomes a mention. `metadata` is what a look-up in the channel's history finds after
    an unknown outcome.
    """
    if notification.alert is not None:
        reply = threaded and notification.kind == "update"
        text, blocks = _alert(notification, notification.alert, buttons, reply)
        if mention and notification.alert.urgency == "critical":
            blocks.insert(0, _rich([_section(_mentions(mention))]))
    elif notification.alerts:
        text, blocks = _digest(notification)
    else:
        lines = formatting.notice_lines(notification)
        whole = _rich([_section([_text("\n".join(lines))])])
        text, blocks = escape(one_line(" ".join(lines), 500)), [whole]
        if buttons and notification.silence:
            value = json.dumps({"u": notification.silence})
            blocks.append(_actions([_button("end_silence", "Undo", value)]))
    return {"text": text, "blocks": blocks, "metadata": metadata(notification)}


def edited(thread: Thread, latest: Alert, *, buttons: bool = False) -> dict[str, Any] | None:
    """Return the first message of a thread as it reads after `latest`; None if nothing changes.

    The headline stays what was told; the number of sources and stories, and whether it was
    corrected, follow the latest news.
    """
    first = thread.alert
    if first is None or thread.digest:
        return None
    now = merged(first, latest)
    if now == first:
        return None
    note = Notification(id=f"{first.id}@", channel="", kind="alert", alert=now)
    text, blocks = _alert(note, now, buttons, reply=False)
    return {"text": text, "blocks": blocks}


def metadata(notification: Notification) -> dict[str, Any]:
    """Return message metadata: which notification and which alerts a message carries."""
    alerts = [a.id for a in (notification.alert, *notification.alerts) if a is not None]
    payload: dict[str, Any] = {"id": notification.id, "alerts": alerts}
    if notification.alert is not None:
        payload |= {"topic": notification.alert.topic, "event": notification.alert.event}
    return {"event_type": METADATA_TYPE, "event_payload": payload}


def escape(text: str) -> str:
    """Escape text for mrkdwn: nothing in it can become a link, a mention or a command."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _alert(
    notification: Notification, alert: Alert, buttons: bool, reply: bool
) -> tuple[str, list[Block]]:
    update = notification.kind == "update"
    head = [_text(f"{formatting.dot(alert.urgency)} ")]
    if formatting.urgent_word(alert):
        head.append(_text(f"{formatting.urgent_word(alert)} · ", bold=True))
    if reply:
        head.append(_text(formatting.status_line(alert).capitalize(), bold=True))
    else:
        head += [
            _text(formatting.topic(alert), bold=True),
            _text(f" · {formatting.status_line(alert)}"),
        ]
    blocks = [_rich([_section(head)]), _rich([_section(_headline(alert))])]
    blocks += [_context(line) for line in formatting.below_headline(alert)]
    quoted = _quote(alert, update)
    if quoted:
        blocks.append(_rich([quoted]))
    blocks.append(_context(formatting.sources_line(alert)))
    if not update:
        blocks.append(_context(f"Why: {formatting.why_line(alert)}"))
    receipt = _times(alert)
    if receipt:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": receipt}]})
    if buttons and not reply:
        blocks.append(_buttons(alert))
    lead = formatting.status_line(alert).capitalize() if reply else formatting.topic(alert)
    title = one_line(alert.gist, 160) or formatting.headline(alert)
    headline = f"{title} ({formatting.byline(alert)})"
    word = f"{formatting.urgent_word(alert)} · " if formatting.urgent_word(alert) else ""
    text = f"{formatting.dot(alert.urgency)} {word}{lead}: {headline}"
    return escape(text), blocks


def _mentions(names: tuple[str, ...]) -> list[Block]:
    elements: list[Block] = []
    for name in names:
        elements += [_text(" ")] if elements else []
        if name.startswith("@"):
            elements.append({"type": "broadcast", "range": name[1:]})
        elif name.startswith("S"):
            elements.append({"type": "usergroup", "usergroup_id": name})
        else:
            elements.append({"type": "user", "user_id": name})
    return elements


def _headline(alert: Alert) -> list[Block]:
    url = formatting.link(alert.story.url)
    title = formatting.headline(alert)
    parts: list[Block] = [
        {"type": "link", "url": url, "text": title, "style": {"bold": True}}
        if url
        else _text(title, bold=True),
        _text(f"\n{formatting.byline(alert)}"),
    ]
    published = alert.story.published or alert.story.seen_at
    if published > 0:
        parts += [
            _text(" · "),
            {
                "type": "date",
                "timestamp": int(published),
                "format": "{ago}",
                "fallback": formatting.clock(published),
            },
        ]
    return parts


def _quote(alert: Alert, update: bool) -> Block | None:
    runs = formatting.quote(alert, update=update)
    if not runs:
        return None
    return {"type": "rich_text_quote", "elements": [_text(t, bold=mark) for t, mark in runs]}


def _times(alert: Alert) -> str:
    return " → ".join(
        f"{word} <!date^{int(at)}^{{time_secs}}|{formatting.clock(at)}>"
        for word, at in formatting.times(alert)
    )


def _digest(notification: Notification) -> tuple[str, list[Block]]:
    title = formatting.digest_title(notification)
    blocks: list[Block] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": one_line(f"🗞 {title}", 150), "emoji": False},
        }
    ]
    topics = [
        (name, [(listed, _line(listed)) for listed in happenings])
        for name, happenings in formatting.by_topic(notification.alerts)
    ]
    room = ROOM - sum(_length(line) for _, rows in topics for _, line in rows)
    for name, rows in topics:
        items = []
        for listed, line in rows:
            added = _lines(listed, room)
            room -= _length(added)
            items.append(_section([*line, *added]))
        bullets = {"type": "rich_text_list", "style": "bullet", "elements": items}
        blocks.append(_rich([_section([_text(name, bold=True)]), bullets]))
    if notification.more:
        blocks.append(_context(notification.more))
    first = formatting.headline(notification.alerts[0])
    text = f"🗞 {title}. First: {first}"
    return escape(text), blocks


def _line(listed: formatting.Listed) -> list[Block]:
    alert = listed.alert
    url, title = formatting.link(alert.story.url), one_line(formatting.headline(alert), 160)
    if len(url) > 300:  # twenty of the longest would not fit into one message
        url = ""
    parts: list[Block] = [_text(f"{formatting.dot(alert.urgency)} ")]
    parts.append({"type": "link", "url": url, "text": title} if url else _text(title))
    parts.append(_text(f" — {formatting.byline(alert)} · {listed.status}"))
    if said := formatting.language_line(alert):
        parts.append(_text(f" · {one_line(said, 120)}"))
    return parts


def _lines(listed: formatting.Listed, room: int) -> list[Block]:
    """Return what is new in a happening, dated, as far as there is room for it."""
    parts: list[Block] = []
    for new in listed.lines:
        said = one_line(new.said, 250)
        more = [_text("\n"), *([_clock(new.at)] if new.at > 0 else []), _text(f" {said}")]
        if (room := room - _length(more)) < 0:
            break
        parts += more
    return parts


def _length(parts: Iterable[Block]) -> int:
    names = ("text", "url", "fallback")
    return sum(len(part.get(name, "")) for part in parts for name in names)


def _clock(at: float) -> Block:
    when = {"timestamp": int(at), "format": "{time}", "fallback": formatting.clock(at)}
    return {"type": "date", **when}


def _buttons(alert: Alert) -> Block:
    value = json.dumps(
        {"t": alert.topic, "e": alert.event, "s": alert.story.id, "a": alert.id},
        ensure_ascii=False,
        separators=(",", ":"),
    )

    return _actions(
        [
            _button("relevant", "Relevant", value),
            _button("not_relevant", "Not relevant", value),
            _button(
                "mute_event",
                "Mute event",
                value,
                confirm="Nobody in this channel will hear more of it.",
            ),
            _button(
                "snooze_topic",
                "Snooze topic 1 h",
                value,
                confirm="Nobody in this channel will hear of this topic for an hour.",
            ),
        ]
    )


def _actions(buttons: list[Block]) -> Block:
    return {"type": "actions", "block_id": "ww_actions", "elements": buttons}


def _button(action: str, label: str, value: str, confirm: str = "") -> Block:
    """Return a button; with `confirm`, Slack asks before it is pressed."""
    button: Block = {
        "type": "button",
        "action_id": f"ww_{action}",
        "text": _plain(label),
        "value": value,
    }
    if confirm:
        button["confirm"] = {
            "title": _plain(f"{label}?"),
            "text": _plain(confirm),
            "confirm": _plain(label.partition(" ")[0]),
            "deny": _plain("Cancel"),
        }
    return button


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _rich(elements: Iterable[Block]) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def _section(elements: list[Block]) -> Block:
    return {"type": "rich_text_section", "elements": elements}


def _text(text: str, *, bold: bool = False) -> Block:
    element: Block = {"type": "text", "text": text}
    if bold:
        element["style"] = {"bold": True}
    return element


def _context(text: str) -> Block:
    line = one_line(text, 1000)
    return {
        "type": "context",
        "elements": [{"type": "plain_text", "text": line, "emoji": False}],
    }
