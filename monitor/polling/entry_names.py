"""Under which key each entry of a document is remembered.

An entry is known by its GUID, else by its link, else by its words (`identity.entry_key`). A GUID or
a link that stands for several entries identifies none of them: such entries are known by what they
say, from then on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.identity import digest, entry_key, folded, url_key
from monitor.model import Entry
from monitor.polling.seen_entries import Seen
from monitor.reasons import EntryReason

_PLACEHOLDERS = frozenset(
    {"0", "-", "n/a", "na", "none", "null", "nil", "undefined", "unknown", "guid", "id", "false"}
)


@dataclass(frozen=True, slots=True)
class KeyedEntry:
    """One entry with its names: the key, and digests of its link, its text and its headline.

    `guid_is_link` says that the GUID is the link, perhaps with a counter ("…#1").
    """

    entry: Entry
    key: str
    link: str
    content: str
    length: int
    title: str
    guid_is_link: bool


class EntryNames:
    """Names the entries of one document.

    Args:
        entries: in document order.
        seen: what is remembered of the feed; it holds a mark for each GUID or link that repeated.
        homes: the addresses (`url_key`) of the feed and of its site, which identify no entry.

    Afterwards `named` holds the entries that say something, each once; `counts` says what became of
    the others; `repeating` are the marks of GUIDs and links that stand for several entries.
    """

    def __init__(self, entries: Iterable[Entry], seen: Seen, homes: Iterable[str]) -> None:
        self.counts: Counter[EntryReason] = Counter()
        self.repeating: set[str] = set()
        self._homes = {home for home in homes if home}
        listed = []
        for entry in entries:
            if not (entry.title or entry.length):
                self.counts[EntryReason.EMPTY] += 1
            else:
                listed.append((entry, url_key(entry.link), folded(entry.title)))
        self._note_repeats(listed, seen)
        named: dict[str, KeyedEntry] = {}
        for entry, link, title in listed:
            key = self._key(entry, link, title)
            if key in named:
                self.counts[EntryReason.SEEN] += 1
                continue
            link_key = key[1:] if key[0] == "l" else digest(link) if link else ""
            named[key] = KeyedEntry(
                entry,
                key,
                link_key,
                entry.fingerprint,
                entry.length,
                digest(title) if title else "",
                bool(link) and url_key(entry.guid) == link,
            )
        self.named = list(named.values())

    def _note_repeats(self, listed: list[tuple[Entry, str, str]], seen: Seen) -> None:
        places: dict[str, set[str]] = {}  # GUID -> its links
        words: dict[tuple[str, str], dict[str, set[str]]] = {}  # GUID, link -> title -> contents
        for entry, link, title in listed:
            if entry.guid:
                places.setdefault(entry.guid, set()).add(link)
            both = (entry.guid, link)
            words.setdefault(both, {}).setdefault(title, set()).add(entry.fingerprint)
        self._places, self._words = places, words
        for (guid, link), titles in words.items():
            mark = _mark(guid, link)
            several = len(titles) > 1 or (bool(guid) and any(len(c) > 1 for c in titles.values()))
            if mark and (several or mark in seen):
                self.repeating.add(mark)

    def _key(self, entry: Entry, link: str, title: str) -> str:
        guid = entry.guid
        if guid.strip().lower() in _PLACEHOLDERS or (guid and url_key(guid) in self._homes):
            guid = ""
        repeats = _mark(entry.guid, link) in self.repeating
        if not repeats and guid:
            several = len(self._places[guid]) > 1
            return "g" + (digest(guid, link) if several else digest(guid))
        if repeats or link in self._homes:
            alike = self._words[entry.guid, link].get(title, set())
            if entry.guid:
                parts = [entry.guid, link, title]
                return "t" + digest(*parts, *([entry.fingerprint] if len(alike) > 1 else []))
            return "t" + digest(link, title or entry.fingerprint)
        return entry_key("", link, entry.title, entry.fingerprint)


def _mark(guid: str, link: str) -> str:
    return "r" + digest(guid, link) if guid or link else ""
