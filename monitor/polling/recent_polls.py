"""The last polls of a feed, kept in its state: when, how each ended, what it brought. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.reasons import FetchReason

KEPT = 48
_WELL = frozenset({FetchReason.OK, FetchReason.NOT_MODIFIED, FetchReason.UNCHANGED})


@dataclass(frozen=True, slots=True)
class RecentPoll:
    """One poll: Unix seconds, the reason it ended with, and how many new entries it found."""

    at: float
    reason: str
    new: int

    @property
    def well(self) -> bool:
        """Whether the feed could be read."""
        return self.reason in _WELL


def with_poll(recent: Sequence[str], at: float, reason: str, new: int) -> tuple[str, ...]:
    """Return the polls to keep after one more."""
    return (*recent[-(KEPT - 1) :], f"{at:.0f} {reason} {new}")


def read_polls(recent: Sequence[str]) -> tuple[RecentPoll, ...]:
    """Return the polls of a state, oldest first; what cannot be read is left out."""
    found = []
    for text in recent[-KEPT:]:
        at, _, rest = text.partition(" ")
        reason, _, new = rest.partition(" ")
        if at.isdigit() and new.isdigit():
            found.append(RecentPoll(float(at), reason, int(new)))
    return tuple(found)
