"""A notification as it lies in the outbox: with the marks of the attempts to send it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from monitor.model import Notification


@dataclass(frozen=True, slots=True)
class Due:
    """A notification with its marks.

    `began` is when a send without known outcome began (Unix seconds), or 0; `unknown` is how many
    such sends there were; `failing_since` is when it failed first, or 0.
    """

    notification: Notification
    began: float = 0.0
    failing_since: float = 0.0
    unknown: int = 0

    @classmethod
    def of(cls, row: Mapping[bytes, bytes], due: float) -> Self:
        """Read what the store holds of a notification that is due at `due` (Unix seconds)."""
        notification = Notification.from_dict(json.loads(row[b"json"]))
        remaining = row.get(b"remaining", b"")
        return cls(
            replace(
                notification,
                due=due,
                attempts=int(row.get(b"attempts", b"0")),
                held_for=row.get(b"held_for", b"").decode(),
                last_error=row.get(b"last_error", b"").decode(),
                remaining=tuple(json.loads(remaining)) if remaining else (),
            ),
            float(row.get(b"in_flight") or 0.0),
            float(row.get(b"failing_since") or 0.0),
            int(row.get(b"unknown") or 0),
        )
