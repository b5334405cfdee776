"""Which alerts a search finds. Pure.

A search looks at the alerts themselves: a year of them is a few megabytes a hundred alerts a day,
read in tens of milliseconds, so there is no index to keep true.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from monitor.folding import fold
from monitor.history.records import AlertRecord

_SIGNS = tuple((sign.encode(), fold(sign).encode()) for sign in "…’‘“”–—")


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


def may_match(query: Query, stored: Sequence[bytes]) -> list[bytes]:
    """Return the alerts, in their stored form, that can hold the words: cheap, and never too few.

    Where folding is little more than lower case, many are looked through at once as one text.
    """
    if not query.words:
        return list(stored)
    easy, hard = list[bytes](), list[bytes]()
    for text in stored:
        (easy if _spelled(text).isascii() else hard).append(text)
    found = [text for text in hard if _holds(query, fold(text.decode("utf-8", "replace")))]
    whole = _lower(b"\n".join(easy))
    if all(word in whole for word in query.plain):
        found += [text for text in easy if all(word in _lower(text) for word in query.plain)]
    return found


def _spelled(text: bytes) -> bytes:
    """Return text with the signs of typesetting as folding has them; most text has no others."""
    if text.isascii():
        return text
    for sign, plain in _SIGNS:
        text = text.replace(sign, plain)
    return text


def _lower(text: bytes) -> bytes:
    return _spelled(text).lower().replace(b"`", b"'").replace(b"\x7f", b"")


def _holds(query: Query, folded: str) -> bool:
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
    texts = (alert.title, alert.lead, alert.topic_name, alert.novelty, alert.note, *outlets)
    folded = fold("\n".join(texts))
    return all(word in folded for word in query.words)
