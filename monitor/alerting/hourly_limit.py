"""The hourly limit of a topic on a channel (`max_per_hour`): what is over it waits. Pure."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0
CRITICAL_WAIT = 300.0  # seconds that critical alerts over the limit gather before they go as one


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many messages of a topic a channel took in the running hour, and when that hour ends."""

    sent: int = 0
    resets: float = 0.0

    def one_more(self, now: float) -> Ceiling:
        """Return the count after one more message; the first begins the hour."""
        return Ceiling(self.sent + 1, self.resets if self.resets > now else now + HOUR)

    def held_until(self, limit: int, now: float, *, critical: bool) -> float:
        """Return until when the next message waits (Unix seconds), 0 if it may go.

        `limit` is `max_per_hour`, 0 for none. Critical alerts wait for minutes, not for the rest of
        the hour.
        """
        if not limit or self.sent < limit or self.resets <= now:
            return 0.0
        return min(now + CRITICAL_WAIT, self.resets) if critical else self.resets
