"""Which alerts a search finds. Pure.

A search looks at the alerts themselves: a year of them is a few megabytes a hundred alerts a day,
read in tens of milliseconds, so there is no index to keep true.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from monitor.folding import fold
from monitor.history.records import AlertRecord


@dataclass(frozen=True)
class Query:
    """What is looked for; what is "" does not matter.

    Every one of `words` must stand in the headline, the lead, the outlets or the topic's name,
    as `folding` compares them. `since` (inclusive) and `until` (inclusive) are Unix seconds.
    """

    words: tuple[str, ...] = ()
    topic: str = ""
    outlet: str = ""
    urgency: str = ""
    since: float = -math.inf
    until: float = math.inf

    @cached_property
    def plain(self) -> tuple[bytes, ...]:
        """The words as they stand in stored JSON; those that would be escaped are left out."""
        return tuple(w.encode() for w in self.words if '"' not in w and "\\" not in w)

    @classmethod
    def of(
        cls, words: str = "", topic: str = "", outlet: str = "", urgency: str = "", day: str = ""
    ) -> Query:
        """Read what a person typed. `day` is YYYY-MM-DD (UTC).

        Raises:
            ValueError: `day` is not a day.
        """
        parts = tuple(fold(words).split()[:20])
        query = cls(parts, topic.strip(), outlet.strip(), urgency.strip())
        if not day.strip():
            return query
        try:
            start = datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise ValueError(f"{day!r} is not a day; write it as 2026-01-31") from None
        end = start + timedelta(days=1)
        return replace(query, since=start.timestamp(), until=end.timestamp() - 1e-6)


def may_match(query: Query, stored: bytes) -> bool:
    """Whether an alert's stored form can hold the words: cheap, and never wrong with a "no"."""
    if not query.words:
        return True
    if stored.isascii():  # then folding is so little that bytes are compared, many times faster
        lower = stored.lower().replace(b"`", b"'").replace(b"\x7f", b"")
        return all(word in lower for word in query.plain)
    folded = fold(stored.decode("utf-8", "replace"))
    return all(word in folded for word in query.words if '"' not in word and "\\" not in word)


def matches(query: Query, alert: AlertRecord) -> bool:
    """Whether an alert is what is looked for (times apart: those the store has compared)."""
    if query.topic and alert.topic != query.topic:
        return False
    if query.urgency and alert.urgency != query.urgency:
        return False
    outlets = (alert.source, alert.owner, *alert.sources, *alert.outlets)
    if query.outlet and not any(fold(query.outlet) in fold(name) for name in outlets):
        return False
    if not query.words:
        return True
    texts = (alert.title, alert.lead, alert.topic_name, alert.novelty, *outlets)
    folded = fold("\n".join(texts))
    return all(word in folded for word in query.words)
