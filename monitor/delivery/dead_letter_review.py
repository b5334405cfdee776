"""Dead letters: look at them, put them back, or let them go."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from monitor.delivery.outbox import OutboxStore
from monitor.model import Notification
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import Command, apply


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One item that was set aside: what it was, and why."""

    id: str
    stage: str
    reason: str
    detail: str
    at: float
    record: dict[str, Any]

    @property
    def what(self) -> str:
        """What it is about, in one line."""
        alert = (self.record.get("notification") or {}).get("alert") or {}
        title = (alert.get("story") or {}).get("title", "")
        return str(title or (self.record.get("notification") or {}).get("notice", ""))


class DeadLetters:
    """Reads the hash `dead`, and puts its letters back where they came from."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def list(self) -> list[DeadLetter]:
        """Return every dead letter, oldest first."""
        rows = await self._client.hgetall(self._keys("dead"))
        letters = [_read(name.decode(), text) for name, text in rows.items()]
        return sorted(letters, key=lambda letter: (letter.at, letter.id))

    async def get(self, letter_id: str) -> DeadLetter | None:
        """Return one dead letter, or None."""
        text = await self._client.hget(self._keys("dead"), letter_id)
        return _read(letter_id, text) if text else None

    async def requeue(self, letter: DeadLetter, now: float) -> None:
        """Put a letter back into its stage, with a clean slate, in one step.

        Raises:
            ValueError: it was never readable; only dropping it is left.
        """
        out: Command = ["HDEL", self._keys("dead"), letter.id]
        if data := letter.record.get("notification"):
            old = Notification.from_dict(data)
            new = replace(old, due=now, attempts=0, last_error="", held_for="")
            put = OutboxStore(self._client, self._keys).put_commands([new])
            gone: Command = ["DEL", self._keys("receipt", new.id)]
            await apply(self._client, [gone, *put, out])
            return
        fields = letter.record.get("fields")
        if not fields:
            raise ValueError(f"{letter.id} cannot be put back; nothing of it could be read")
        words = [part for name, value in fields.items() for part in (name, bytes.fromhex(value))]
        stream = self._keys("stream", letter.stage)
        await apply(self._client, [["XADD", stream, "*", *words], out])

    async def drop(self, letter: DeadLetter) -> None:
        """Let a letter go for good."""
        await self._client.hdel(self._keys("dead"), letter.id)


def _read(letter_id: str, text: bytes) -> DeadLetter:
    try:
        record = json.loads(text)
    except ValueError:
        record = {"detail": "the record cannot be read"}
    reason = str(record.get("why") or record.get("reason", "unknown"))
    return DeadLetter(
        letter_id,
        str(record.get("stage") or letter_id.partition(":")[0]),
        reason,
        str(record.get("detail", "")),
        float(record.get("at") or _stream_time(letter_id)),
        record,
    )


def _stream_time(letter_id: str) -> float:
    """Return when the message of a stream was put in, Unix seconds: its id begins with that."""
    milliseconds = letter_id.partition(":")[2].partition("-")[0]
    return int(milliseconds) / 1000.0 if milliseconds.isdigit() else 0.0
