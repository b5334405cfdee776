"""Which entries of a document are news: pure, from what is remembered and what is there now.

No flood and no loss: an entry is handed over once, its edits as revisions; what was there before
us, old archives and rewritten identifiers are recognised and counted by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from monitor.config.languages import language
from monitor.config.schema import FeedSource, PollingSettings
from monitor.identity import owner_of_feed, site, story_id, url_key
from monitor.languages.detect import story_language
from monitor.model import Entry, FeedState, Story
from monitor.parsing.document import SPEAKING, Wanted
from monitor.polling.entry_names import EntryNames, KeyedEntry
from monitor.polling.outlet_names import OutletNames
from monitor.polling.seen_entries import Seen, SeenEntry
from monitor.reasons import EntryReason
from monitor.text import shorten

DAY = 86400.0
_TOLERANCE = 600.0  # clocks differ
_EARLIEST = 631_152_000.0  # 1990: an older date is a mistake
_BASELINE_FRESH = 48 * 3600.0
_REFRESH_DAYS = 7
MAX_SEEN = 5_000


@dataclass(slots=True)
class EntryDiff:
    """The entries of one document, told apart.

    `stories` are to be handed over, oldest first. `updates` and `drops` change what is remembered.
    `instants` are the publication times of new entries, for the rhythm.
    """

    stories: list[Story] = field(default_factory=list)
    updates: dict[str, SeenEntry] = field(default_factory=dict)
    drops: list[str] = field(default_factory=list)
    counts: Counter[EntryReason] = field(default_factory=Counter)
    instants: list[float] = field(default_factory=list)
    newest: float = 0.0
    overlap: bool = False


@dataclass(frozen=True, slots=True)
class _NewEntry:
    """One entry never seen before."""

    known: KeyedEntry
    instant: float
    reason: EntryReason


def texts_wanted(state: FeedState, seen: Seen, now: float) -> Wanted:
    """Return of which entries `sort_entries` may need the texts: those that may become stories."""
    if not state.baselined:
        return Wanted(since=now - _BASELINE_FRESH)
    return Wanted(frozenset(content for record in seen.values() for content in record.hashes))


def diff_entries(
    source: FeedSource,
    state: FeedState,
    seen: Seen,
    entries: Iterable[Entry],
    now: float,
    settings: PollingSettings,
    *,
    keep_seen: float = 90 * DAY,
    trace: str = "",
    trust: str = "",
) -> EntryDiff:
    """Tell the entries of a document apart.

    Args:
        source: the feed as configured.
        state: its state before this poll.
        seen: everything remembered of it, by entry key.
        entries: the document's entries, in document order.
        now: time of the poll, Unix seconds.
        settings: for `baseline_stories` and `stale_after`.
        keep_seen: how long an entry that left the document is remembered, seconds.
        trace: goes into the stories.
        trust: of the source, a word of `Trust`; goes into the stories.
    """
    result = EntryDiff()
    entries = tuple(entries)
    outlets = OutletNames(entries, (source.name, state.title, _site_of(source, state)))
    names = EntryNames(entries, seen, homes=(url_key(state.link), url_key(source.url)))
    named, present = names.named, {known.key for known in names.named}
    result.counts += names.counts
    result.overlap = any(key in seen for key in present)
    index = _Index(seen, named, present)
    today = int(now // DAY)
    undated = _undated_reason(source, named)
    fresh: list[_NewEntry] = []
    for known in named:
        old_key = known.key if known.key in seen else index.find(known)
        if old_key is None:
            fresh.append(_date(known, now, undated))
            continue
        record = seen[old_key]
        result.overlap = True
        moved = old_key != known.key or record.link != known.link
        new_to_it = known.content not in record.hashes
        if record.knows(known.content) or index.says(known):
            result.counts[EntryReason.REWRITTEN if moved else EntryReason.SEEN] += 1
            if moved or new_to_it or today - record.day >= _REFRESH_DAYS:
                result.updates[known.key] = SeenEntry(
                    today, record.origin, known.link, record.hashes
                ).with_content(known.content, known.title)
            continue
        result.counts[EntryReason.REVISED] += 1
        result.updates[known.key] = SeenEntry(
            today, record.origin, known.link, record.hashes
        ).with_content(known.content, known.title)
        dated = _date(known, now, undated)
        old = dated.reason == EntryReason.UNDATED_AMONG_DATED
        result.stories.append(
            _story(
                source, state, known, outlets, dated.instant, now, trace,
                id=story_id(source.id, record.origin, known.content),
                revises=story_id(source.id, record.origin),
                stale=old or dated.instant < now - settings.stale_after,
            )
        )  # fmt: skip
    _hand_over(source, state, fresh, outlets, now, settings, trace, result)
    for item in fresh:
        result.updates[item.known.key] = SeenEntry(
            today, item.known.key, item.known.link, (item.known.content,), item.known.title
        )
        result.newest = max(result.newest, item.instant)
    result.updates |= {mark: SeenEntry(today, mark, "", ()) for mark in names.repeating}
    _forget(seen, present | names.repeating, today, keep_seen, result)
    result.stories = [replace(story, trust=trust) for story in result.stories]
    result.stories.sort(key=lambda story: story.published)
    return result


def _hand_over(
    source: FeedSource,
    state: FeedState,
    fresh: list[_NewEntry],
    outlets: OutletNames,
    now: float,
    settings: PollingSettings,
    trace: str,
    result: EntryDiff,
) -> None:
    newest_first = sorted(fresh, key=lambda item: -item.instant)  # stable: document order
    if not state.baselined:
        result.counts[EntryReason.BASELINE] += len(fresh)
        result.instants = [
            f.instant for f in fresh if f.reason == EntryReason.NEW and f.instant > now - 28 * DAY
        ]
        recent = [
            f
            for f in newest_first
            if f.reason == EntryReason.NEW and f.instant >= now - _BASELINE_FRESH
        ]
        for item in recent[: settings.baseline_stories]:
            result.stories.append(
                _story(source, state, item.known, outlets, item.instant, now, trace, baseline=True)
            )
        return
    undated = sum(item.reason == EntryReason.UNDATED for item in fresh)
    # A whole page of undated entries of which we know none is an archive re-issued, not news.
    reissued = not result.overlap and undated > max(settings.baseline_stories, 5)
    stale_handed = 0
    for item in newest_first:
        old = item.instant < now - settings.stale_after
        among_dated = item.reason == EntryReason.UNDATED_AMONG_DATED
        stale = old or among_dated or (reissued and item.reason == EntryReason.UNDATED)
        if not stale:
            result.counts[item.reason] += 1
            result.instants.append(item.instant)
            result.stories.append(
                _story(source, state, item.known, outlets, item.instant, now, trace)
            )
            continue
        result.counts[item.reason if among_dated else EntryReason.STALE] += 1
        if stale_handed < settings.baseline_stories:
            stale_handed += 1
            result.stories.append(
                _story(source, state, item.known, outlets, item.instant, now, trace, stale=True)
            )


class _Index:
    """Finds known entries under new names."""

    def __init__(self, seen: Seen, named: list[KeyedEntry], present: set[str]) -> None:
        here = Counter(known.link for known in named if known.link)
        self._unique_here = {link for link, count in here.items() if count == 1}
        self._seen, self._present = seen, present
        self._by_link: dict[str, str] | None = None
        self._by_content: dict[str, str] = {}

    def _build(self) -> dict[str, str]:
        by_link: dict[str, str] = {}
        shared: set[str] = set()
        for key, record in self._seen.items():
            for content in record.hashes:
                self._by_content[content] = key
            if record.link:
                other = by_link.setdefault(record.link, key)
                if other != key and self._seen[other].origin != record.origin:
                    shared.add(record.link)
        return {link: key for link, key in by_link.items() if link not in shared}

    def says(self, known: KeyedEntry) -> bool:
        """Whether some entry we remember says this very text, of some length."""
        return self._same_text(known) is not None

    def find(self, known: KeyedEntry) -> str | None:
        """Return the key under which an entry with a new GUID is known, or None.

        The same text of some length is the same entry. So is the same link, where the link
        belongs to one entry alone, both now and before, the old GUID is gone, and the headline is
        the same or the GUIDs are made from the link. (Alert pages give every alert a GUID of its
        own and one link: 1 of 4 was told.)
        """
        if (same_text := self._same_text(known)) is not None:
            return same_text
        assert self._by_link is not None
        same_link = self._by_link.get(known.link) if known.link in self._unique_here else None
        if same_link is None or same_link in self._present:
            return None
        before = self._seen[same_link].title
        return same_link if known.guid_is_link or before in ("", known.title) else None

    def _same_text(self, known: KeyedEntry) -> str | None:
        if self._by_link is None:
            self._by_link = self._build()
        return self._by_content.get(known.content) if known.length >= SPEAKING else None


def _undated_reason(source: FeedSource, named: list[KeyedEntry]) -> EntryReason:
    """Return what an entry without a date is in this document.

    Where most entries have a date, one without is rarely news: a pinned page, or a date that
    nobody can read (a story of 2020 was once told as new).
    """
    dated = sum(_claimed(known) is not None for known in named)
    if source.undated == "old" and dated * 2 > len(named):
        return EntryReason.UNDATED_AMONG_DATED
    return EntryReason.UNDATED


def _claimed(known: KeyedEntry) -> float | None:
    claimed = known.entry.published or known.entry.updated
    return claimed if claimed is not None and claimed >= _EARLIEST else None


def _date(known: KeyedEntry, now: float, undated: EntryReason) -> _NewEntry:
    claimed = _claimed(known)
    if claimed is None:
        return _NewEntry(known, now, undated)
    if claimed > now + _TOLERANCE:
        return _NewEntry(known, now, EntryReason.FUTURE)
    return _NewEntry(known, min(claimed, now), EntryReason.NEW)


def _forget(seen: Seen, present: set[str], today: int, keep_seen: float, result: EntryDiff) -> None:
    limit = today - int(keep_seen // DAY)
    absent = [(record.day, key) for key, record in seen.items() if key not in present]
    result.drops = [key for day, key in absent if day < limit]
    excess = len(seen) + len(result.updates) - len(result.drops) - MAX_SEEN
    if excess > 0:
        gone = set(result.drops)
        result.drops += [key for _, key in sorted(absent) if key not in gone][:excess]


def _story(
    source: FeedSource,
    state: FeedState,
    known: KeyedEntry,
    outlets: OutletNames,
    published: float,
    now: float,
    trace: str,
    *,
    id: str = "",
    revises: str = "",
    baseline: bool = False,
    stale: bool = False,
) -> Story:
    entry = known.entry
    host = url_key(source.url).split("/", 1)[0].split(":", 1)[0]
    return Story(
        id=id or story_id(source.id, known.key),
        title=outlets.headline(entry) or _first_words(entry.summary or entry.content),
        url=entry.link,
        summary=entry.summary,
        body=entry.content,
        feed_id=source.id,
        source=source.name or state.title or host,
        owner=owner_of_feed(source.id, source.url, source.owner),
        tags=source.tags,
        language=story_language(
            language(source.language, entry.language, state.language),
            entry.title,
            entry.summary or entry.content,
        ),
        published=published,
        seen_at=now,
        author=entry.author,
        outlet=entry.outlet,
        revises=revises,
        baseline=baseline,
        stale=stale,
        trace=trace,
    )


def _site_of(source: FeedSource, state: FeedState) -> str:
    """Return the name of the outlet's site without its ending: "france24" of france24.com."""
    host = (url_key(state.link) or url_key(source.url)).partition("/")[0]
    return site(host.partition(":")[0]).partition(".")[0]


def _first_words(text: str) -> str:
    return shorten(text.split("\n", 1)[0], 120)
