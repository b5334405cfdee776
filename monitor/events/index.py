"""The index of open events: stories in, assignments out, in one pass over a rolling window.

    for story in batch, in order of (time, id):
        seen before?            -> its assignment again, marked `repeated`
        a copy of one we hold?  -> the original's event
        else candidates = rows of similar meaning (exact, batched) within the window
             score of an event  = mean link to its members, half of it the strongest three
             best score > 0     -> join it; and if other events now hang together with it, merge
             else               -> a new event

No I/O and no clock: time is the stories' own. The caller stores `pack(id)` for every id in
`changed()`, and hands the records back to `restore` after a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from monitor.config.schema import EventSettings
from monitor.events import copies, link, novelty, records
from monitor.events.features import Member, reduce
from monitor.events.lexicon import STATUSES
from monitor.events.owners import Owners
from monitor.events.rows import Rows
from monitor.events.text import bucket, tokens
from monitor.model import Assignment, EmbeddedStory, Story

_FLOOR = 0.30  # least cosine of a candidate
_CANDIDATES = 48  # nearest stories looked at
_EVENTS = 6  # events weighed against each other
_SAMPLE = 48  # members of an event that a story is compared with
_STRONGEST = 3
_MERGE = 0.0  # mean link between two events from which they are one
_LIFE = 4.0  # an event takes stories for at most so many windows
_STATUS_OF = {bucket(word): status for word, status in STATUSES.items()}

Floats = npt.NDArray[np.float32]


@dataclass(slots=True)
class Event:
    """One happening: its stories (copies apart), who reported it, what has been said."""

    id: str
    since: float
    last: float
    members: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    owners: dict[str, int] = field(default_factory=dict)
    terms: set[int] = field(default_factory=set)

    def take(self, member: Member) -> None:
        """Add a story, or note a copy."""
        if member.copy_of:
            self.copies.append(member.id)
            return
        self.members.append(member.id)
        self.since, self.last = min(self.since, member.time), max(self.last, member.time)
        self.owners[member.owner] = self.owners.get(member.owner, 0) + 1
        self.terms.update(int(term) for term in member.terms)

    @property
    def size(self) -> int:
        """Number of stories, copies included."""
        return len(self.members) + len(self.copies)

    def statuses(self) -> set[str]:
        """Return what has been said of the happening's state."""
        return {_STATUS_OF[term] for term in self.terms if term in _STATUS_OF}


class EventIndex:
    """Assigns stories to events and recognises copies. Not safe for use by several threads."""

    def __init__(self, settings: EventSettings, owners: Owners | None = None) -> None:
        self._window = settings.window
        self._owners = owners or Owners.load(settings.owners_file)
        self._rows = Rows()
        self._finder = copies.CopyFinder()
        self._members: dict[str, Member] = {}
        self._events: dict[str, Event] = {}
        self._changed: set[str] = set()
        self._order = 0
        self._idf: Floats = self._rows.idf(*link.prior())

    def __len__(self) -> int:
        return len(self._members)

    def event_of(self, story: str) -> str:
        """Return the event a story is in now (merges and splits included), or ""."""
        member = self._members.get(story)
        return member.event if member else ""

    def assign(self, batch: Sequence[EmbeddedStory]) -> list[Assignment]:
        """Assign every story of a batch, and return the assignments in the order given.

        Stories are taken in order of (time, id), so their order within the batch has no effect.
        """
        fresh: dict[str, tuple[EmbeddedStory, Member]] = {}
        for item in batch:
            if item.story.id not in self._members and item.story.id not in fresh:
                fresh[item.story.id] = item, reduce(item, self._owners)
        queue = sorted(fresh.values(), key=lambda pair: (pair[1].time, pair[1].id))
        self._idf = self._rows.idf(*link.prior())
        before = self._rows.size
        found = self._search([member for _, member in queue])
        done: dict[str, Assignment] = {}
        for (item, member), (rows, sims) in zip(queue, found, strict=True):
            late = np.arange(before, self._rows.size)
            if len(late) and len(member.vector):
                sims_late = self._rows.vectors[before : self._rows.size] @ member.vector
                keep = sims_late >= _FLOOR
                rows = np.concatenate([rows, late[keep]])
                sims = np.concatenate([sims, sims_late[keep]])
            done[member.id] = self._assign(item.story, member, rows, sims)
        result = []
        for item in batch:
            story = item.story.id
            assignment = done.pop(story, None)
            result.append(assignment if assignment else self._again(story))
        return result

    def forget(self, before: float) -> None:
        """Drop events with no story since `before`, and stories that outlived an event's life."""
        for event in list(self._events.values()):
            over = event.last < before
            limit = before if over else before - (_LIFE - 1) * self._window
            gone = [
                story
                for story in (*event.members, *event.copies)
                if over or self._members[story].time < limit
            ]
            if not gone:
                continue
            for story in gone:
                member = self._members.pop(story)
                self._finder.drop(member)
                self._rows.drop(story)
                self._changed.discard(story)
            del self._events[event.id]
            left = [story for story in (*event.members, *event.copies) if story not in set(gone)]
            if left:
                self._rebuild(event.id, left)

    def changed(self) -> set[str]:
        """Return the stories whose records must be written again, and start afresh."""
        changed, self._changed = self._changed, set()
        return changed

    def pack(self, story: str) -> bytes:
        """Return the record of a story, for `restore`.

        Raises:
            KeyError: the story is not in the window.
        """
        member = self._members[story]
        row = self._rows.of.get(story)
        vector = np.zeros(0, np.float32) if row is None else self._rows.vectors[row]
        return records.pack(records.with_vector(member, vector))

    def restore(self, stored: Iterable[bytes]) -> int:
        """Rebuild an empty index from records; returns how many could not be read."""
        members, bad = [], 0
        for record in stored:
            try:
                members.append(records.unpack(record))
            except ValueError:
                bad += 1
        members.sort(key=lambda member: member.order)
        for member in members:
            self._remember(member)
            event = self._events.get(member.event)
            if event is None:
                event = self._events[member.event] = Event(member.event, member.since, member.time)
            event.since = min(event.since, member.since)
            event.take(member)
            self._order = max(self._order, member.order + 1)
        self._changed.clear()
        return bad

    def _search(self, members: list[Member]) -> list[tuple[npt.NDArray[np.intp], Floats]]:
        width = self._rows.vectors.shape[1]
        nothing = np.zeros(0, np.intp), np.zeros(0, np.float32)
        usable = [at for at, member in enumerate(members) if len(member.vector) == width]
        found = [nothing] * len(members)
        if usable and width:
            queries = np.stack([members[at].vector for at in usable])
            for at, hit in zip(usable, self._rows.search(queries, _FLOOR), strict=True):
                found[at] = hit
        return found

    def _assign(
        self, story: Story, member: Member, rows: npt.NDArray[np.intp], sims: Floats
    ) -> Assignment:
        member.order, self._order = self._order, self._order + 1
        original, kind = self._original(story, member, rows, sims)
        if original and kind:
            return self._file_copy(story, member, original, kind)
        scores = self._scores(member, rows, sims)
        if original:  # the same article, changed in what it says: same event, not a copy
            scores[original.event] = max(scores.get(original.event, 0.0), 10.0)
        best = max(scores, key=lambda event: (scores[event], event), default="")
        if not best or scores[best] <= 0:
            return self._found(story, member)
        return self._join(story, member, best, scores)

    def _original(
        self, story: Story, member: Member, rows: npt.NDArray[np.intp], sims: Floats
    ) -> tuple[Member | None, str]:
        """Return the story this one repeats and how; or (a story it revises, "")."""
        if story.revises and (before := self._members.get(story.revises)):
            changed = copies.numbers_differ(member, before) or novelty.is_correction(story)
            root = self._members.get(before.copy_of) or before
            return (root, "" if changed else "revision")
        near = rows[sims >= 0.8]
        names = [*self._finder.candidates(member), *(self._rows.ids[row] for row in near)]
        for name in dict.fromkeys(names):
            other = self._members[name]
            if abs(other.time - member.time) > self._window:
                continue
            row = self._rows.of.get(other.copy_of or name)
            cosine = 1.0
            if row is not None and len(member.vector) == self._rows.vectors.shape[1]:
                cosine = float(self._rows.vectors[row] @ member.vector)
            if kind := copies.kind_of(member, other, cosine):
                return self._members.get(other.copy_of) or other, kind
            if member.url and member.url == other.url and copies.tells_one_page(member.url):
                return (
                    (self._members.get(other.copy_of) or other, "") if cosine > 0.4 else (None, "")
                )
        return None, ""

    def _scores(self, member: Member, rows: npt.NDArray[np.intp], sims: Floats) -> dict[str, float]:
        """Return the link of a story to each event worth weighing, as log-odds."""
        near = np.abs(self._rows.times[rows] - member.time) <= self._window
        rows, sims = rows[near], sims[near]
        if len(rows) > _CANDIDATES:
            top = np.argpartition(-sims, _CANDIDATES)[:_CANDIDATES]
            rows, sims = rows[top], sims[top]
        if not len(rows):
            return {}
        best: dict[str, float] = {}
        for row, logit in zip(rows, self._links(member, rows), strict=True):
            event = self._members[self._rows.ids[row]].event
            best[event] = max(best.get(event, -99.0), float(logit))
        open_ = [event for event in best if self._open(event, member.time)]
        chosen = sorted(open_, key=lambda event: (-best[event], event))[:_EVENTS]
        return {event: self._score(member, event) for event in chosen}

    def _open(self, event: str, time: float) -> bool:
        held = self._events[event]
        return (
            held.since - self._window <= time <= held.last + self._window
            and time - held.since <= _LIFE * self._window
        )

    def _score(self, member: Member, event: str) -> float:
        links = self._links(member, self._sample(event))
        if not len(links):
            return -99.0
        strongest = np.sort(links)[-_STRONGEST:]
        return float(0.5 * strongest.mean() + 0.5 * links.mean())

    def _sample(self, event: str) -> npt.NDArray[np.intp]:
        """Return rows of an event's members: its first few and its latest."""
        names = self._events[event].members
        if len(names) > _SAMPLE:
            names = names[:8] + names[8 - _SAMPLE :]
        return np.array([self._rows.of[name] for name in names if name in self._rows.of], np.intp)

    def _links(self, member: Member, rows: npt.NDArray[np.intp]) -> Floats:
        held = self._rows
        if len(member.vector) == held.vectors.shape[1]:
            dense = held.vectors[rows] @ member.vector
        else:
            dense = np.zeros(len(rows), np.float32)
        table = link.features(
            member, dense, held.terms[rows], held.flags[rows], held.times[rows], self._idf
        )
        return link.logits(table)

    def _file_copy(self, story: Story, member: Member, original: Member, kind: str) -> Assignment:
        member.event, member.copy_of, member.copy_kind = original.event, original.id, kind
        event = self._events[original.event]
        self._keep(member, event)
        correction = novelty.is_correction(story)
        said = (
            novelty.find(story, event.terms, event.statuses(), self._rarity) if correction else None
        )
        return Assignment(
            story=member.id,
            event=event.id,
            copy_of=original.id,
            copy_kind=kind,
            similarity=1.0,
            why=f"same {_KINDS[kind]} as “{original.title}” ({original.owner})",
            novelty=said.line if said else "",
            novelty_kind=said.kind if said else "",
            correction=correction,
            sources=tuple(event.owners),
            size=event.size,
            copy_of_old=original.quiet,
        )

    def _found(self, story: Story, member: Member) -> Assignment:
        name = "e" + hashlib.blake2b(member.id.encode(), digest_size=5).hexdigest()
        while name in self._events:  # its founder was parted from it or forgotten
            name = "e" + hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
        event = self._events[name] = Event(name, member.time, member.time)
        member.event = name
        self._keep(member, event)
        return Assignment(
            story=member.id,
            event=name,
            new_event=True,
            why="first report of this happening",
            correction=novelty.is_correction(story),
            sources=tuple(event.owners),
            size=1,
        )

    def _join(
        self, story: Story, member: Member, best: str, scores: dict[str, float]
    ) -> Assignment:
        rows = self._sample(best)
        links = self._links(member, rows)
        nearest = self._members[self._rows.ids[rows[int(np.argmax(links))]]]
        why = self._why(member, story, nearest)
        others = [name for name, score in scores.items() if name != best and score > 0]
        merged = []
        for other in sorted(others, key=lambda name: (-scores[name], name)):
            if self._between(best, other) > _MERGE:
                best, gone = self._merge(best, other)
                merged.append(gone)
        event = self._events[best]
        new = novelty.find(story, event.terms, event.statuses(), self._rarity)
        member.event = best
        self._keep(member, event)
        return Assignment(
            story=member.id,
            event=best,
            similarity=link.probability(scores.get(event.id, max(scores.values()))),
            why=why,
            novelty=new.line if new else "",
            novelty_kind=new.kind if new else "",
            correction=bool(new and new.kind == "correction"),
            sources=tuple(event.owners),
            size=event.size,
            merged=tuple(merged),
        )

    def _between(self, one: str, two: str) -> float:
        """Return the mean link between the members of two events."""
        rows = self._sample(two)
        links = []
        for row in self._sample(one):
            member = self._members[self._rows.ids[row]]
            member = records.with_vector(member, self._rows.vectors[row])
            links.append(self._links(member, rows).mean())
        return float(np.mean(links)) if links else -99.0

    def _merge(self, one: str, two: str) -> tuple[str, str]:
        """Put the younger of two events into the older; returns (kept, gone)."""
        kept, gone = sorted((one, two), key=lambda name: (self._events[name].since, name))
        stories = self._events.pop(gone)
        for story in (*stories.members, *stories.copies):
            member = self._members[story]
            member.event = kept
            self._events[kept].take(member)
            self._changed.add(story)
        return kept, gone

    def _rebuild(self, name: str, stories: list[str]) -> None:
        members = sorted((self._members[story] for story in stories), key=lambda m: m.order)
        event = Event(name, members[0].since, members[0].time)
        for member in members:
            event.take(member)
        self._events[name] = event

    def _keep(self, member: Member, event: Event) -> None:
        event.take(member)
        member.since = event.since
        self._remember(member)
        self._changed.add(member.id)

    def _remember(self, member: Member) -> None:
        self._members[member.id] = member
        self._finder.add(member)
        if not member.copy_of:
            self._rows.add(member)
        member.vector = np.zeros(0, np.float32)

    def _again(self, story: str) -> Assignment:
        member = self._members[story]
        event = self._events[member.event]
        original = self._members.get(member.copy_of)
        return Assignment(
            story=story,
            event=event.id,
            copy_of=member.copy_of,
            copy_kind=member.copy_kind,
            why="assigned before",
            sources=tuple(event.owners),
            size=event.size,
            repeated=True,
            copy_of_old=bool(original and original.quiet),
        )

    def _rarity(self, term: int) -> float:
        return float(self._idf[term])

    def _why(self, member: Member, story: Story, nearest: Member) -> str:
        cosine = 0.0
        row = self._rows.of[nearest.id]
        if len(member.vector) == self._rows.vectors.shape[1]:
            cosine = float(self._rows.vectors[row] @ member.vector)
        theirs = {int(term) for term in self._rows.terms[row]}
        shared = {word.surface: self._rarity(bucket(word.stem)) for word in tokens(story.title)
                  if bucket(word.stem) in theirs}  # fmt: skip
        words = sorted(shared, key=lambda word: -shared[word])[:3]
        hours = abs(member.time - nearest.time) / 3600
        parts = [f"meaning {cosine:.2f}"]
        if words:
            parts.append("shares " + ", ".join(words))
        parts.append(f"{hours:.0f} h apart" if hours >= 1 else "within the hour")
        return f"same happening as “{nearest.title}”: " + ", ".join(parts)


_KINDS = {
    "revision": "article, edited,",
    "url": "address",
    "title": "headline",
    "text": "text",
    "wording": "wording",
}
