"""Our own outage, told from publishers': most sites fail at once.

A name server that answers nonsense, a network that is down, a proxy that refuses everybody: what
fails then says nothing about the publishers, so no feed may be put off for it.
"""

from __future__ import annotations

from monitor.model import FeedState
from monitor.polling.fetch_result import FetchResult
from monitor.reasons import FetchReason

CHRONIC = 3  # a feed that has failed so often in a row says nothing about our network
_SITES = 12  # the latest sites that are looked at
_WINDOW = 900.0  # seconds after which a result is too old
_LEAST = 3  # sites: two that fail at once are chance
_SHARE = 0.75
# A publisher that says these was reached.
_REACHED = frozenset({FetchReason.GONE, FetchReason.RATE_LIMITED})


class OutageWatch:
    """Keeps how the latest polls of different sites ended."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[float, bool]] = {}  # oldest first

    def note(self, site: str, before: FeedState, result: FetchResult, now: float) -> None:
        """Take in how a poll ended.

        Args:
            site: what fails together (registrable domain or internal host).
            before: the feed's state before the poll.
            result: how it ended.
            now: Unix seconds.
        """
        failed = not (result.good or result.reason in _REACHED)
        if failed and before.failures >= CHRONIC:
            return
        self._latest.pop(site, None)
        self._latest[site] = now, failed
        while len(self._latest) > _SITES or now - next(iter(self._latest.values()))[0] > _WINDOW:
            self._latest.pop(next(iter(self._latest)))

    @property
    def ours(self) -> bool:
        """Whether so many of the latest sites failed that the fault is ours."""
        failed = sum(bad for _, bad in self._latest.values())
        return failed >= _LEAST and failed >= _SHARE * len(self._latest)
