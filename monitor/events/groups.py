"""Which stories are one event: members, the links between them, and regrouping by average link.

When a story comes, it and the stories of the events it is linked to are grouped afresh. So an
event forms, grows, merges with another or parts in two as the reports say, and the outcome hardly
depends on the order in which they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from monitor.events.cluster import average_link
from monitor.events.features import Member
from monitor.reasons import Trust

JOIN = 0.38  # mean link from which stories are one event
LIFE = 4.0  # an event takes stories for at most so many windows
_NEARBY = 0.10  # mean link from which an event is regrouped with a story
_EVENTS = 8  # events regrouped with a story, at most
_LARGE = 24  # an event of more stories, or of older ones, is moved as a whole
_GROWN = 96  # an event of more stories takes further ones, but is regrouped no more
_NEVER = 1e9  # a sum of links that keeps stories apart, whatever joins them
FACE = 64  # newest stories of an event that a further one is held against: bounds its cost


@dataclass(slots=True)
class Event:
    """One happening: its stories (copies apart), and between which instants they lie."""

    id: str
    since: float
    last: float
    members: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)  # independent sources, their outlets
    trust: dict[str, str] = field(default_factory=dict)  # the best trust of each of them
    origins: dict[str, str] = field(default_factory=dict)  # whose report, and who printed it

    def count(self, member: Member) -> None:
        """Count a story as a source: if it surely belongs here and is nobody's report reprinted.

        Whose report it is takes the place of who printed it before, whatever that one said: nobody
        keeps an outlet from counting by naming it.
        """
        if self.owners and not member.sure:
            return
        origin = member.agency or member.owner
        first = self.origins.setdefault(origin, member.owner)
        if first == member.owner:
            self._add(member)
        elif member.owner == origin:
            self.origins[origin] = origin
            if first not in self.origins.values():
                self.owners.pop(first, None)
                self.trust.pop(first, None)
            self._add(member)
        elif self.repeat(member, first):
            self.origins[origin] = member.owner

    def repeat(self, member: Member, source: str) -> bool:
        """Let the more trusted of two that carry one text stand for it; return whether it changed.

        A credit "(Reuters)" in a feed that nobody knows, or an agency's text posted there first,
        must not keep the agency itself from counting. The number of sources never rises by it.
        """
        held = self.trust.get(source)
        if held is None or source == member.owner or Trust.best(held, member.trust) == held:
            return False
        del self.owners[source], self.trust[source]
        self._add(member)
        return True

    def _add(self, member: Member) -> None:
        self.owners.setdefault(member.owner, member.outlet or member.owner)
        self.trust[member.owner] = Trust.best(self.trust.get(member.owner, ""), member.trust)

    @property
    def size(self) -> int:
        """Number of stories, copies included."""
        return len(self.members) + len(self.copies)


class Links:
    """A story's links to others: ids, and probabilities in hundredths. A third of a dict's size."""

    __slots__ = ("_names", "_values")

    def __init__(self, found: Iterable[tuple[str, float]] = ()) -> None:
        pairs = list(found)
        self._names = [name for name, _ in pairs]
        self._values = bytearray(round(100 * value) for _, value in pairs)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        for name, value in zip(self._names, self._values, strict=True):
            yield name, value / 100

    def strongest(self) -> float:
        """Return the highest of the links, 0 if there is none."""
        return max(self._values, default=0) / 100

    def get(self, name: str) -> float:
        """Return the link to a story, 0 if there is none."""
        return self._values[self._names.index(name)] / 100 if name in self._names else 0.0

    def put(self, name: str, value: float) -> None:
        """Add a link to a story that has none yet."""
        self._names.append(name)
        self._values.append(round(100 * value))

    def drop(self, name: str) -> None:
        """Take out the link to a story, if there is one."""
        if name in self._names:
            at = self._names.index(name)
            del self._names[at], self._values[at]


class Groups:
    """The open events and their stories.

    Attributes:
        members: every story of the window, by id, in the order they came.
        links: for each story that is no copy, its links to others (probability of one happening).
        events: the open events by id.
        changed: stories whose event or record changed since the caller last looked.
        apart: stories that a person said are not one happening, for each the others.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self.members: dict[str, Member] = {}
        self.links: dict[str, Links] = {}
        self.events: dict[str, Event] = {}
        self.changed: set[str] = set()
        self.apart: dict[str, set[str]] = {}
        self._was: dict[str, str] = {}

    def add(self, member: Member, links: Links) -> None:
        """Take in a story with its links to earlier ones; it has no event yet."""
        self.members[member.id] = member
        self.changed.add(member.id)
        if not member.copy_of:
            self.links[member.id] = links
            for other, value in links:
                self.links[other].put(member.id, value)

    def drop(self, story: str) -> Member:
        """Take a story out, and return it; its event is the caller's to mend (`gather`)."""
        for other, _ in self.links.pop(story, ()):
            self.links[other].drop(story)
        self.changed.discard(story)
        for other in self.apart.pop(story, ()):
            self.apart[other].discard(story)
        return self.members.pop(story)

    def sources(self, event: str) -> tuple[str, ...]:
        """Return the independent owners that surely reported an event, in the order they did."""
        return tuple(self.events[event].owners)

    def outlets(self, event: str) -> tuple[str, ...]:
        """Return the outlet of each of `sources` that reported first, as readers know it."""
        return tuple(self.events[event].owners.values())

    def trusts(self, event: str) -> tuple[str, ...]:
        """Return the best trust of each of an event's sources, in the same order."""
        held = self.events[event]
        return tuple(held.trust[owner] for owner in held.owners)

    def is_open(self, event: str, time: float) -> bool:
        """Whether an event still takes a story of this time."""
        held = self.events[event]
        return (
            held.since - self._window <= time <= held.last + self._window
            and time - held.since <= LIFE * self._window
        )

    def file(self, copy: Member) -> None:
        """Put a copy into the event of its original."""
        event = self.events[self.members[copy.copy_of].event]
        copy.event, copy.since = event.id, event.since
        event.copies.append(copy.id)
        event.repeat(copy, self.members[copy.copy_of].owner)

    def place(self, member: Member, bound_to: str = "") -> None:
        """Find the event of a story that was just added, regrouping what is near it.

        `bound_to` is a story that it must stay with (it is the same article, changed).
        """
        totals: dict[str, float] = {}
        for other, value in self.links[member.id]:
            event = self.members[other].event
            totals[event] = totals.get(event, 0.0) + value
        weights = {event: self._weight(event, member.time) for event in totals}
        means = {event: total / weights[event] for event, total in totals.items()}
        if bound_to:
            means[self.members[bound_to].event] = 1.0
            weights.setdefault(self.members[bound_to].event, 1)
        nearby = sorted(
            (event for event, mean in means.items() if mean >= _NEARBY),
            key=lambda event: (-means[event], event),
        )[:_EVENTS]
        if nearby and self._is_grown(nearby[0]) and means[nearby[0]] >= JOIN:
            self._join(member, self.events[nearby[0]])
            return
        nearby = [event for event in nearby if not self._is_grown(event)]
        if not nearby:
            self.gather(self._name(member.id), [member.id])
            return
        whole = {event for event in nearby if weights[event] != len(self.events[event].members)}
        if len(nearby) == 1 and whole:
            if means[nearby[0]] >= JOIN:
                self._join(member, self.events[nearby[0]])
            else:
                self.gather(self._name(member.id), [member.id])
            return
        blocks, sizes = {member.order: [member.id]}, {member.order: 1}
        for event in nearby:
            names = self.events[event].members
            for block in [names] if event in whole else [[name] for name in names]:
                first = self.members[block[0]].order
                blocks[first], sizes[first] = block, weights[event] if event in whole else 1
        ordered = [blocks[first] for first in sorted(blocks)]
        sums = self._sums(ordered)
        if bound_to:
            place = {name: at for at, names in enumerate(ordered) for name in names}
            one, two = place[member.id], place[bound_to]
            sums[one, two] = sums[two, one] = 1e6  # whatever the mean says
        labels = average_link(sums, JOIN, np.array([float(sizes[at]) for at in sorted(sizes)]))
        groups: dict[int, list[str]] = {}
        for names, label in zip(ordered, labels, strict=True):
            groups.setdefault(label, []).extend(names)
        self._give_ids(nearby, list(groups.values()))

    def _weight(self, event: str, time: float) -> int:
        """Return by how many stories a sum of links to an event is divided.

        Stories out of the window's reach cannot be linked to; and as a story has a limited number
        of links, those have to do for an event of more than `_LARGE` stories.
        """
        held = self.events[event]
        near = min(len(held.members), FACE)
        if time - held.since > self._window or held.last - time > self._window:
            names = held.members[-FACE:]
            near = sum(abs(self.members[name].time - time) <= self._window for name in names)
        return max(1, min(near, _LARGE))

    def _is_grown(self, event: str) -> bool:
        return len(self.events[event].members) > _GROWN

    def _join(self, member: Member, event: Event) -> None:
        event.members.append(member.id)
        event.count(member)
        event.since, event.last = min(event.since, member.time), max(event.last, member.time)
        member.event, member.since = event.id, event.since

    def gather(self, name: str, stories: list[str]) -> None:
        """Make an event of stories (copies among them), and note in each where it belongs."""
        self.events.pop(name, None)
        if not stories:
            return
        members = sorted((self.members[story] for story in stories), key=lambda m: m.order)
        originals = [member for member in members if not member.copy_of] or members
        since = min(member.since or member.time for member in members)
        last = max(member.time for member in originals)
        event = self.events[name] = Event(name, since, last)
        for member in members:
            (event.copies if member.copy_of else event.members).append(member.id)
            if not member.copy_of:
                event.count(member)
            elif member.copy_of in self.members:
                event.repeat(member, self.members[member.copy_of].owner)
            if member.event not in ("", name):
                self._was.setdefault(member.id, member.event)
                self.changed.add(member.id)
            member.event, member.since = name, since

    def keep_apart(self, story: str, others: Iterable[str]) -> None:
        """Let a story and `others` never again be grouped together, whatever links them."""
        for other in others:
            if other != story and story in self.members and other in self.members:
                self.apart.setdefault(story, set()).add(other)
                self.apart.setdefault(other, set()).add(story)
                self.links[story].drop(other)
                self.links[other].drop(story)

    def part(self, story: str) -> tuple[str, ...]:
        """Give a story, with its copies, an event of its own; return those it is kept apart from.

        Nothing happens to a copy, or where the event has no other story.
        """
        member = self.members[story]
        event = self.events[member.event]
        others = tuple(name for name in event.members if name != story)
        if member.copy_of or not others:
            return ()
        self.keep_apart(story, others)
        copies = [name for name in event.copies if self.members[name].copy_of == story]
        rest = [name for name in event.copies if name not in copies]
        self.gather(event.id, [*others, *rest])
        for name in (story, *copies):
            self.members[name].since = 0.0
        self.gather(self._name(story, [event.id]), [story, *copies])
        self.changed.update((story, *others))
        return others

    def take_moves(self) -> tuple[dict[str, str], tuple[tuple[str, str, str], ...]]:
        """Return what became of events since this was last asked, and start afresh.

        First the events that went into another as a whole (gone -> into), then the single moves
        (story, from, to) of those that parted.
        """
        moved = [
            (story, event, self.members[story].event)
            for story, event in sorted(self._was.items())
            if story in self.members and self.members[story].event != event
        ]
        self._was = {}
        homes: dict[str, set[str]] = {}
        for _, event, into in moved:
            homes.setdefault(event, set()).add(into)
        merged = {
            event: next(iter(into))
            for event, into in homes.items()
            if event not in self.events and len(into) == 1
        }
        return merged, tuple(move for move in moved if move[1] not in merged)

    def _sums(self, blocks: list[list[str]]) -> npt.NDArray[np.float64]:
        """Return the sums of links between blocks of stories."""
        place = {name: at for at, names in enumerate(blocks) for name in names}
        sums = np.zeros((len(blocks), len(blocks)))
        for name, at in place.items():
            for other, value in self.links[name]:
                to = place.get(other, at)
                if to != at:
                    sums[at, to] += value
        for name in place.keys() & self.apart.keys():
            for to in {place.get(other, place[name]) for other in self.apart[name]}:
                if to != place[name]:
                    sums[place[name], to] = -_NEVER
        return sums

    def _give_ids(self, local: list[str], groups: list[list[str]]) -> None:
        """Give the groups their event ids: each event's id stays with the most of its stories."""
        was = {name: self.members[name].event for group in groups for name in group}
        claims = sorted(
            (-sum(was[name] == event for name in group), self.events[event].since, event, at)
            for at, group in enumerate(groups)
            for event in local
        )
        owner: dict[int, str] = {}
        for share, _, event, at in claims:
            if share < 0 and at not in owner and event not in owner.values():
                owner[at] = event
        repeats = [name for event in local for name in self.events[event].copies]
        for event in local:
            del self.events[event]
        for at, group in enumerate(groups):
            inside = set(group)
            follow = [name for name in repeats if self.members[name].copy_of in inside]
            self.gather(owner.get(at) or self._name(group[0], local), group + follow)

    def _name(self, story: str, taken: Collection[str] = ()) -> str:
        """Return an id for an event founded by a story; the same in every replay."""
        name = "e" + hashlib.blake2b(story.encode(), digest_size=5).hexdigest()
        while name in self.events or name in taken:  # its founder was parted from it
            name = "e" + hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
        return name
