"""Floods: a topic that tells a channel more than people can read goes on as one message a minute.

Counted for each topic by itself, so that one topic's flood delays no other; critical alerts have a
count of their own. Nothing here does I/O; the counts live as long as the channel's sender.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from monitor.model import Alert, Notification

WINDOW = 300.0  # seconds over which single messages count
GATHER = 60.0  # seconds for which a flooding topic's alerts gather into one message


@dataclass(slots=True)
class FloodGuard:
    """What each topic had of one channel lately.

    `most` is how many single messages a topic may have in `WINDOW` before the rest gathers; 0 for
    any number.
    """

    most: int
    _single: dict[str, deque[float]] = field(default_factory=dict)
    _next: dict[str, float] = field(default_factory=dict)

    def hold_until(self, alert: Alert, now: float) -> float:
        """Return until when `alert` gathers with others of its topic (Unix seconds), or 0."""
        key = _key(alert)
        recent = self._single.get(key, deque())
        while recent and recent[0] <= now - WINDOW:
            recent.popleft()
        if self._next.get(key, 0.0) > now:
            return self._next[key]
        if not self.most or len(recent) < self.most:
            return 0.0
        self._next[key] = now + GATHER
        return self._next[key]

    def sent(self, notification: Notification, now: float) -> None:
        """Count a message that was sent by itself."""
        if notification.alert is not None and self.most:
            recent = self._single.setdefault(_key(notification.alert), deque(maxlen=self.most))
            recent.append(now)

    def folded(self, members: tuple[Notification, ...], now: float) -> None:
        """Note that a flood of these became one message: what follows gathers for a while."""
        for member in members:
            if member.alert is not None:
                self._next[_key(member.alert)] = now + GATHER


def _key(alert: Alert) -> str:
    return f"{alert.topic}!" if alert.urgency == "critical" else alert.topic
