"""The words of whole days, kept in memory: a search reads only the days that may hold its words.

A day that is over does not change, so its text is fetched and folded once. How many alerts a day
has tells whether what is kept of it is still true.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from monitor.history.search import Query, folded, may_hold

MOST = 48 << 20  # bytes of text: a year at a hundred alerts a day


class DayTexts:
    """What is known of days, by their names; those asked for longest ago are forgotten first.

    Args:
        most: bytes of text to keep.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._size = 0

    def may_hold(self, day: str, count: int, query: Query) -> bool:
        """Whether a day of `count` alerts can hold all the words; yes where it is not known."""
        if not count:
            return False
        known, text = self._kept.get(day, (0, b""))
        if known != count:
            return True
        self._kept.move_to_end(day)
        return may_hold(query, text)

    def keep(self, day: str, stored: Sequence[bytes]) -> None:
        """Keep the text of a day's alerts, given as they are stored."""
        text = folded(stored)
        self._size += len(text) - len(self._kept.pop(day, (0, b""))[1])
        self._kept[day] = (len(stored), text)
        while self._size > self._most and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1][1])
