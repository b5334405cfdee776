"""What parsing gives: a feed's own data and its entries, as plain values.

Between parser process and service it travels as JSON (never pickle: what a hostile document made
of its parser must not be able to run here).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from monitor.model import Entry

MAX_ENTRIES = 2_000
MAX_TITLE = 1_000
MAX_SUMMARY = 20_000
MAX_CONTENT = 200_000
MAX_GUID = 4_000
MAX_LINK = 4_000
SPEAKING = 40  # bytes from which equal text means the same entry, whatever its GUID and link


class FeedItem(TypedDict, total=False):
    """The fields of one `Entry`, under the same names."""

    guid: str
    title: str
    link: str
    summary: str
    content: str
    published: float | None
    updated: float | None
    author: str
    language: str
    outlet: str
    fingerprint: str
    length: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which entries the texts are wanted: cleaning them costs more than the rest of parsing.

    `known` are fingerprints of what the reader has; `since` leaves out what is older, or undated
    (Unix seconds). The default wants everything.
    """

    known: frozenset[str] = frozenset()
    since: float | None = None

    def passes_over(self, fingerprint: str, length: int, instant: float | None) -> bool:
        """Whether an entry's texts may be left out."""
        if length >= SPEAKING and fingerprint in self.known:
            return True
        return self.since is not None and (instant is None or instant < self.since)


EVERYTHING = Wanted()


@dataclass(slots=True)
class Document:
    """One parsed document before its items become entries.

    `version` is feedparser's word for the format ("rss20", "atom10", "json11", "sitemap", …).
    `ttl` is seconds; `skip_hours` 0–23 GMT; `skip_days` 0 Monday – 6 Sunday. `hub` and `self_url`
    are for WebSub, `next_url` is the following page of a paged feed (RFC 5005).
    """

    version: str = ""
    title: str = ""
    link: str = ""
    language: str = ""
    ttl: float = 0.0
    skip_hours: list[int] = field(default_factory=list)
    skip_days: list[int] = field(default_factory=list)
    hub: str = ""
    self_url: str = ""
    next_url: str = ""
    items: list[FeedItem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fast: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """One parsed document. Fields as in `Document`; `entries` are in document order."""

    version: str
    entries: tuple[Entry, ...]
    title: str = ""
    link: str = ""
    language: str = ""
    ttl: float = 0.0
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    hub: str = ""
    self_url: str = ""
    next_url: str = ""
    warnings: tuple[str, ...] = ()
    fast: bool = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ParsedFeed:
        """Build from `Document.to_dict`.

        Raises:
            KeyError, TypeError: the data is not such a dict.
        """
        from monitor.model import Entry  # parser processes never come here

        entries = tuple(Entry(**item) for item in data["items"])
        known = {name: data[name] for name in cls.__slots__ if name in data}
        for name in ("skip_hours", "skip_days", "warnings"):
            known[name] = tuple(known.get(name, ()))
        known["entries"] = entries
        return cls(**known)
