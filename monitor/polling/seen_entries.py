"""What is remembered of an entry, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from monitor.identity import CONTENT_VERSION

_KEPT_HASHES = 4


@dataclass(frozen=True, slots=True)
class SeenEntry:
    """One known entry. `day` is the last day (since the epoch) it was noted in the document.

    `origin` is the key under which its story was made (it differs from the entry's own key when
    the publisher rewrote its GUID or link). `hashes` are the last few contents, newest first, so
    that a publisher who serves two versions in turn does not revise for ever. `title` is the
    digest of the folded headline, "" in records of older versions.
    """

    day: int
    origin: str
    link: str
    hashes: tuple[str, ...]
    title: str = ""

    def knows(self, content: str) -> bool:
        """Whether this is what the entry says, or was told by a hash we no longer make."""
        return content in self.hashes or not any(
            known.startswith(CONTENT_VERSION) for known in self.hashes
        )

    def with_content(self, content: str, title: str = "") -> SeenEntry:
        """Return this entry with one more known content, and its headline's digest."""
        rest = tuple(known for known in self.hashes if known != content)
        hashes = (content, *rest)[:_KEPT_HASHES]
        return SeenEntry(self.day, self.origin, self.link, hashes, title)

    def encode(self) -> str:
        """Return the stored form."""
        said = f"{self.day}|{self.origin}|{self.link}|{','.join(self.hashes)}"
        return f"{said}|{self.title}" if self.title else said

    @classmethod
    def decode(cls, text: str) -> Self:
        """Rebuild from `encode`; a damaged record still counts as known."""
        day, _, rest = text.partition("|")
        origin, _, rest = rest.partition("|")
        link, _, rest = rest.partition("|")
        hashes, _, title = rest.partition("|")
        known = tuple(part for part in hashes.split(",") if part)
        return cls(int(day) if day.isdigit() else 0, origin, link, known, title)


Seen = Mapping[str, SeenEntry]
