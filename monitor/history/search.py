"""Which alerts a search finds. Pure.

A search looks at the alerts themselves, so there is no index to keep true. Most days do not hold a
rare word: `day_texts.py` tells which need not be read.
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


def folded(stored: Sequence[bytes]) -> bytes:
    """Return alerts, given in their stored form, as one text in which words can be looked for.

    Where folding is little more than lower case, many are folded at once.
    """
    easy, hard = list[bytes](), list[bytes]()
    for text in stored:
        (easy if _spelled(text).isascii() else hard).append(text)
    return b"\n".join([_lower(b"\n".join(easy)), *map(_fold, hard)])


def may_hold(query: Query, text: bytes) -> bool:
    """Whether a folded text holds each of the words, as far as stored JSON can tell."""
    return all(word in text for word in query.plain)


def may_match(query: Query, stored: Sequence[bytes]) -> list[bytes]:
    """Return the stored alerts that can hold the words: cheap, and never too few."""
    return [
        text
        for text in stored
        if may_hold(query, _lower(text) if _spelled(text).isascii() else _fold(text))
    ]


def _spelled(text: bytes) -> bytes:
    """Return text with the signs of typesetting as folding has them; most text has no others."""
    if text.isascii():
        return text
    for sign, plain in _SIGNS:
        text = text.replace(sign, plain)
    return text


def _lower(text: bytes) -> bytes:
    return _spelled(text).lower().replace(b"`", b"'").replace(b"\x7f", b"")


def _fold(text: bytes) -> bytes:
    return fold(text.decode("utf-8", "replace")).encode()


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
