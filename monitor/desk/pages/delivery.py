"""`/delivery`: what waits for each channel, what went, and what could not be delivered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from monitor.delivery.dead_letter_review import DeadLetter
from monitor.desk.ask import Ask, BadRequest, Missing
from monitor.desk.render import page
from monitor.observability.redact import redact

RECENT = 15
LETTERS = 200


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel: its state in a word, what is wrong, what waits, and its newest receipts."""

    name: str
    state: str
    detail: str
    waiting: int
    first_due: float
    recent: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """What the page shows: channels, dead letters (newest first), how many are `hidden`."""

    channels: tuple[ChannelRow, ...]
    letters: tuple[DeadLetter, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class LetterPage:
    """One dead letter: `whole` is its record as JSON, secrets blacked out."""

    letter: DeadLetter
    whole: str


async def show(ask: Ask) -> Response:
    """Show channels and dead letters."""
    names = await ask.desk.channels()
    due = await ask.desk.outbox.first_due(names)
    letters = list(reversed(await ask.desk.dead_letters.list()))
    context = DeliveryPage(
        channels=tuple([await _channel(ask, name, due.get(name, 0.0)) for name in names]),
        letters=tuple(letters[:LETTERS]),
        hidden=max(0, len(letters) - LETTERS),
    )
    return await page(ask, "delivery.html", "Delivery", "/delivery", context)


async def show_letter(ask: Ask) -> Response:
    """Show one dead letter whole."""
    letter = await _letter(ask, ask.query.get("id", ""))
    whole = redact(json.dumps(letter.record, indent=2, ensure_ascii=False))
    context = LetterPage(letter, whole)
    return await page(ask, "dead_letter.html", "Dead letter", "/delivery", context)


async def requeue(ask: Ask) -> Response:
    """Put a dead letter back where it came from."""
    try:
        await ask.desk.dead_letters.requeue(await _letter(ask, ask.form.get("id", "")), ask.now)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return ask.back("requeued", "/delivery")


async def drop(ask: Ask) -> Response:
    """Let a dead letter go for good."""
    await ask.desk.dead_letters.drop(await _letter(ask, ask.form.get("id", "")))
    return ask.back("dropped", "/delivery")


async def _letter(ask: Ask, letter_id: str) -> DeadLetter:
    letter = await ask.desk.dead_letters.get(letter_id)
    if letter is None:
        raise Missing("there is no such dead letter; it may have been put back already")
    return letter


async def _channel(ask: Ask, name: str, due: float) -> ChannelRow:
    state = await ask.desk.outbox.state(name)
    recent = await ask.desk.outbox.recent(name, RECENT)
    return ChannelRow(
        name=name,
        state=state.get("state", ""),
        detail=state.get("detail", ""),
        waiting=await ask.desk.outbox.waiting(name),
        first_due=due,
        recent=tuple(recent),
    )
