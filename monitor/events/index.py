"""The index of open events: stories in, assignments out, in one pass over a rolling window.

    for story in batch, in order of (time, id):
        seen before?            -> its assignment again, marked `repeated`
        a copy of one we hold?  -> the original's event
        else links   = probability of "same happening" with stories of similar meaning
             nearby  = the events it is linked to, and their stories
             regroup   the story and what is nearby by average link:
                       it founds an event, joins one, and may thereby merge or part others

No I/O and no clock: time is the stories' own. The caller stores `pack(id)` for every id in
`changed()`, and hands the records back to `restore` after a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from monitor.config.schema import EventSettings
from monitor.events import copies, link, novelty, records, space
from monitor.events.cluster import average_link
from monitor.events.features import Member, reduce
from monitor.events.lexicon import STATUSES
from monitor.events.owners import Owners
from monitor.events.rows import Rows
from monitor.events.text import bucket, tokens
from monitor.model import Assignment, EmbeddedStory, Story

_FLOOR = 0.15  # least similarity of a candidate
_CANDIDATES = 96  # nearest stories looked at
_WEAK = 0.05  # links below this are not kept
_JOIN = 0.25  # mean link from which stories are one event
_NEARBY = 0.10  # mean link from which an event is regrouped with a story
_EVENTS = 8  # events regrouped with a story, at most
_SETTLED = 24  # an event of more stories is moved as a whole
_LIFE = 4.0  # an event takes stories for at most so many windows
_STATUS_OF = {bucket(word): status for word, status in STATUSES.items()}

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]


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
        self.terms.update(member.terms.tolist())

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
        self._links: dict[str, dict[str, float]] = {}
        self._events: dict[str, Event] = {}
        self._changed: set[str] = set()
        self._was: dict[str, str] = {}  # events, before this batch, of stories that changed theirs
        self._order = 0
        self._idf: Floats = self._rows.idf(*link.prior())

    def __len__(self) -> int:
        return len(self._members)

    def time_of(self, story: str) -> float:
        """Return the time of a story of the window; its record's place in the store follows it."""
        return self._members[story].time

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
        for _, member in queue:
            self._rows.expect(member.model, len(member.vector))
        self._idf = self._rows.idf(*link.prior())
        before = self._rows.size
        found = self._rows.search([member.vector for _, member in queue], _FLOOR)
        done: dict[str, Assignment] = {}
        for (item, member), (rows, sims) in zip(queue, found, strict=True):
            late = self._rows.similar(member.vector, before)
            keep = np.flatnonzero(late >= _FLOOR)
            rows = np.concatenate([rows, keep + before])
            sims = np.concatenate([sims, late[keep]])
            done[member.id] = self._assign(item.story, member, rows, sims)
        self._conclude(done, [member.id for _, member in queue])
        return [
            done.pop(item.story.id) if item.story.id in done else self._again(item.story.id)
            for item in batch
        ]

    def _conclude(self, done: dict[str, Assignment], order: list[str]) -> None:
        """Bring a batch's assignments to where its last story left things.

        What merged or parted is said in terms of before and after the batch, and stands in the
        first assignment to the event concerned.
        """
        moved = [
            (story, event, self._members[story].event)
            for story, event in sorted(self._was.items())
            if self._members[story].event != event
        ]
        self._was = {}
        homes: dict[str, set[str]] = {}
        for _, event, into in moved:
            homes.setdefault(event, set()).add(into)
        merged = {
            event: into.pop()
            for event, into in homes.items()
            if event not in self._events and len(into) == 1
        }
        left = [move for move in moved if move[1] not in merged]
        for at, story in enumerate(order):
            event = self._members[story].event
            done[story] = replace(
                done[story],
                event=event,
                merged=tuple(gone for gone, into in merged.items() if into == event),
                moved=tuple(left) if at == 0 else (),
            )
            merged = {gone: into for gone, into in merged.items() if into != event}

    def forget(self, before: float) -> None:
        """Drop events with no story since `before`, and stories that outlived an event's life."""
        for event in list(self._events.values()):
            over = event.last < before
            limit = before if over else before - (_LIFE - 1) * self._window
            stories = [*event.members, *event.copies]
            gone = {story for story in stories if over or self._members[story].time < limit}
            gone |= {story for story in event.copies if self._members[story].copy_of in gone}
            if not gone:
                continue
            for story in gone:
                self._drop(story)
            del self._events[event.id]
            self._regather(event.id, [story for story in stories if story not in gone])

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
        order = member.order
        older = {
            other: value
            for other, value in self._links.get(story, {}).items()
            if self._members[other].order < order
        }
        return records.pack(member, self._rows.vector(story), older)

    def restore(self, stored: Iterable[bytes]) -> int:
        """Rebuild an empty index from records; returns how many could not be read."""
        kept, bad = [], 0
        for record in stored:
            try:
                kept.append(records.unpack(record))
            except ValueError:
                bad += 1
        kept.sort(key=lambda pair: pair[0].order)
        stories: dict[str, list[str]] = {}
        for member, older in kept:
            self._rows.expect(member.model, len(member.vector))
            self._remember(member, {name: p for name, p in older.items() if name in self._members})
            stories.setdefault(member.event, []).append(member.id)
            self._order = max(self._order, member.order + 1)
        for event, names in stories.items():
            self._regather(event, names)
        self._changed.clear()
        return bad

    def _assign(self, story: Story, member: Member, rows: Ints, sims: Floats) -> Assignment:
        member.order, self._order = self._order, self._order + 1
        original, kind = self._original(story, member, rows, sims)
        if original and kind:
            return self._file_copy(story, member, original, kind)
        links = self._link(member, rows, sims)
        if original:  # the same article, changed in what it says: same event, yet not a copy
            links[original.id] = 1.0
        self._remember(member, links)
        self._changed.add(member.id)
        self._regroup(member, original)
        event = self._events[member.event]
        nearest = self._nearest(member, event)
        new = None
        if nearest is not None:
            known = self._known(event, member)
            new = novelty.find(story, known, _statuses(known), self._rarity)
        return Assignment(
            story=member.id,
            event=event.id,
            new_event=nearest is None,
            similarity=links.get(nearest.id, 0.0) if nearest else 0.0,
            why=self._why(member, story, nearest),
            novelty=new.line if new else "",
            novelty_kind=new.kind if new else "",
            correction=novelty.is_correction(story),
            sources=tuple(event.owners),
            size=event.size,
        )

    def _known(self, event: Event, member: Member) -> set[int]:
        """Return the terms that an event's other stories have used."""
        known: set[int] = set()
        for name in event.members:
            if name != member.id:
                known.update(self._members[name].terms.tolist())
        return known

    def _original(
        self, story: Story, member: Member, rows: Ints, sims: Floats
    ) -> tuple[Member | None, str]:
        """Return the story this one repeats and how; or (the story it is a changed form of, "")."""
        if story.revises and (before := self._members.get(story.revises)):
            changed = copies.numbers_differ(member, before) or novelty.is_correction(story)
            return self._members.get(before.copy_of) or before, "" if changed else "revision"
        near = rows[sims >= 0.7]
        names = [*self._finder.candidates(member), *(self._rows.ids[row] for row in near)]
        for name in dict.fromkeys(names):
            other = self._members[name]
            if abs(other.time - member.time) > self._window:
                continue
            root = self._members.get(other.copy_of) or other
            meaning = self._rows.between(member.vector, root.id)
            if kind := copies.kind_of(member, other, meaning):
                return root, kind
            if member.url and member.url == other.url and copies.tells_one_page(member.url):
                return (root, "") if meaning > 0.3 else (None, "")
        return None, ""

    def _link(self, member: Member, rows: Ints, sims: Floats) -> dict[str, float]:
        """Return the links of a story to those near it in time and meaning."""
        held = self._rows
        near = np.abs(held.times[rows] - member.time) <= self._window
        rows, sims = rows[near], sims[near]
        if len(rows) > _CANDIDATES:
            top = np.argpartition(-sims, _CANDIDATES)[:_CANDIDATES]
            rows, sims = rows[top], sims[top]
        if not len(rows):
            return {}
        table = link.features(
            member,
            space.level(sims, member.model),
            held.terms[rows],
            held.flags[rows],
            held.times[rows],
            self._idf,
        )
        found = link.probabilities(table)
        return {
            held.ids[row]: round(float(p), 2)
            for row, p in zip(rows, found, strict=True)
            if p >= _WEAK and self._open(self._members[held.ids[row]].event, member.time)
        }

    def _open(self, event: str, time: float) -> bool:
        held = self._events[event]
        return (
            held.since - self._window <= time <= held.last + self._window
            and time - held.since <= _LIFE * self._window
        )

    def _regroup(self, member: Member, original: Member | None) -> None:
        """Place a story that has just been linked, and regroup what is nearby.

        Stories of small events are grouped afresh; an event of more than `_SETTLED` stories moves
        as one.
        """
        totals: dict[str, float] = {}
        for other, value in self._links[member.id].items():
            event = self._members[other].event
            totals[event] = totals.get(event, 0.0) + value
        means = {event: total / self._weight(event) for event, total in totals.items()}
        if original:
            means[original.event] = 1.0
        nearby = sorted(
            (event for event, mean in means.items() if mean >= _NEARBY),
            key=lambda event: (-means[event], event),
        )[:_EVENTS]
        if not nearby:
            self._regather(self._name(member.id), [member.id])
            return
        blocks = [[member.id]]
        for event in nearby:
            names = self._events[event].members
            blocks += [names] if len(names) > _SETTLED else [[name] for name in names]
        blocks.sort(key=lambda names: self._members[names[0]].order)
        labels = average_link(
            self._matrix(blocks, member, original),
            _JOIN,
            np.array([float(min(len(names), _SETTLED)) for names in blocks]),
        )
        groups: dict[int, list[str]] = {}
        for names, label in zip(blocks, labels, strict=True):
            groups.setdefault(label, []).extend(names)
        self._settle(nearby, list(groups.values()))

    def _weight(self, event: str) -> int:
        """Return what a sum of links to an event is divided by.

        A story has `_CANDIDATES` links at most, so beyond `_SETTLED` stories those have to do.
        """
        return min(len(self._events[event].members), _SETTLED)

    def _matrix(
        self, blocks: list[list[str]], member: Member, original: Member | None
    ) -> npt.NDArray[np.float64]:
        """Return the sums of links between blocks of stories."""
        place = {name: at for at, names in enumerate(blocks) for name in names}
        matrix = np.zeros((len(blocks), len(blocks)))
        for name, at in place.items():
            for other, value in self._links[name].items():
                to = place.get(other, at)
                if to != at:
                    matrix[at, to] += value
        if original:  # bind the two, whatever the mean says
            one, two = place[member.id], place[original.id]
            matrix[one, two] = matrix[two, one] = 1000.0
        return matrix

    def _settle(self, local: list[str], groups: list[list[str]]) -> None:
        """Give the groups their event ids: each event's id stays with the most of its stories."""
        was = {name: self._members[name].event for group in groups for name in group}
        claims = sorted(
            (-sum(was[name] == event for name in group), self._events[event].since, event, at)
            for at, group in enumerate(groups)
            for event in local
        )
        owner: dict[int, str] = {}
        for share, _, event, at in claims:
            if share < 0 and at not in owner and event not in owner.values():
                owner[at] = event
        repeats = [name for event in local for name in self._events[event].copies]
        for event in local:
            del self._events[event]
        for at, group in enumerate(groups):
            inside = set(group)
            follow = [name for name in repeats if self._members[name].copy_of in inside]
            self._regather(owner.get(at) or self._name(group[0], local), group + follow)

    def _name(self, story: str, taken: Collection[str] = ()) -> str:
        """Return an id for an event founded by a story; the same in every replay."""
        name = "e" + hashlib.blake2b(story.encode(), digest_size=5).hexdigest()
        while name in self._events or name in taken:  # its founder was parted from it
            name = "e" + hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
        return name

    def _regather(self, name: str, stories: list[str]) -> None:
        """Make an event of stories (copies among them), and note in each where it belongs."""
        if not stories:
            return
        members = sorted((self._members[story] for story in stories), key=lambda m: m.order)
        since = min(member.since or member.time for member in members)
        event = self._events[name] = Event(name, since, members[0].time)
        for member in members:
            event.take(member)
        for member in members:
            if member.event not in ("", name):
                self._was.setdefault(member.id, member.event)
                self._changed.add(member.id)
            member.event, member.since = name, event.since

    def _file_copy(self, story: Story, member: Member, original: Member, kind: str) -> Assignment:
        member.event, member.copy_of, member.copy_kind = original.event, original.id, kind
        event = self._events[original.event]
        member.since = event.since
        correction = novelty.is_correction(story)
        said = None
        if correction:
            said = novelty.find(story, event.terms, event.statuses(), self._rarity)
        event.take(member)
        self._remember(member, {})
        self._changed.add(member.id)
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

    def _remember(self, member: Member, links: dict[str, float]) -> None:
        self._members[member.id] = member
        self._finder.add(member)
        if not member.copy_of:
            self._rows.add(member)
            self._links[member.id] = links
            for other, value in links.items():
                self._links[other][member.id] = value
        member.vector = np.zeros(0, np.float32)

    def _drop(self, story: str) -> None:
        member = self._members.pop(story)
        self._finder.drop(member)
        self._rows.drop(story)
        for other in self._links.pop(story, {}):
            self._links[other].pop(story, None)
        self._changed.discard(story)

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

    def _nearest(self, member: Member, event: Event) -> Member | None:
        links = self._links[member.id]
        others = [name for name in event.members if name != member.id]
        if not others:
            return None
        return self._members[max(others, key=lambda name: (links.get(name, 0.0), name))]

    def _why(self, member: Member, story: Story, nearest: Member | None) -> str:
        if nearest is None:
            return "first report of this happening"
        theirs = set(nearest.terms.tolist())
        keys = {word.surface: bucket(word.stem) for word in tokens(story.title)}
        shared = [surface for surface, key in keys.items() if key in theirs]
        shared.sort(key=lambda surface: -self._rarity(keys[surface]))
        link_ = self._links[member.id].get(nearest.id, 0.0)
        hours = abs(member.time - nearest.time) / 3600
        parts = [f"{link_:.0%} likely the same"]
        if shared:
            parts.append("shares " + ", ".join(shared[:3]))
        parts.append(f"{hours:.0f} h apart" if hours >= 1 else "within the hour")
        return f"same happening as “{nearest.title}”: " + ", ".join(parts)


def _statuses(terms: set[int]) -> set[str]:
    return {_STATUS_OF[term] for term in terms if term in _STATUS_OF}


_KINDS = {
    "revision": "article, edited,",
    "url": "address",
    "title": "headline",
    "text": "text",
    "wording": "wording",
}
