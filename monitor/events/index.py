"""The index of open events: stories in, assignments out, in one pass over a rolling window.

    prepared = index.prepare(batch)            what is near each story, and what to ask the judge
    index.assign(prepared, answers)

    for story in batch, in order of (time, id):
        seen before?            -> its assignment again, marked `repeated`
        a copy of one we hold?  -> the original's event
        else links   = probability of "same happening" with stories of similar meaning
             place   = it founds an event or joins one, and thereby may merge or part others

No I/O and no clock: time is the stories' own. The caller stores `pack(id)` for every id in
`changed()`, and hands the records back to `restore` after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitor.config.schema import EventSettings
from monitor.death_toll import death_toll
from monitor.events import copies, grounds, novelty, pair_judge, pair_score, records, vector_space
from monitor.events.features import Member, reduce
from monitor.events.groups import FACE, JOIN, LIFE, Event, Groups, Links
from monitor.events.index_rows import Hits, Rows
from monitor.events.lexicon import STATUSES
from monitor.events.owners import Owners
from monitor.events.pair_judge import Answers, Compared, Question
from monitor.events.text import bucket, digest
from monitor.model import Assignment, EmbeddedStory, Story

FLOOR = 0.15  # least similarity of a candidate
_CANDIDATES = 64  # nearest stories looked at
_WEAK = 0.05  # links below this are not kept
_ALIKE = 0.7  # similarity from which a story is looked at as a possible original
_SAME_PAGE = 0.3  # similarity below which an address was reused for something else
CERTAIN = 0.7  # strongest link from which a story counts as a source of its event
_STATUS_OF = {bucket(word): status for word, status in STATUSES.items()}
_KINDS = {
    "revision": "article, edited,",
    "url": "address",
    "title": "headline",
    "text": "text",
    "wording": "wording",
}

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch before it is assigned: its new stories in order, what is near them, what to ask."""

    batch: tuple[EmbeddedStory, ...]
    queue: tuple[tuple[EmbeddedStory, Member], ...]
    near: tuple[Hits, ...]
    before: int
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A story's links, whether it is sure of its event, and the earlier story it is closest to."""

    links: dict[str, float]
    sure: bool
    closest: Member | None
    likely: float  # of `closest`
    judge: float | None  # logit of the pair judge on `closest`


class EventIndex:
    """Assigns stories to events and recognises copies. Not safe for use by several threads."""

    def __init__(self, settings: EventSettings, owners: Owners | None = None) -> None:
        self._window = settings.window
        self._owners = owners or Owners.load(settings.owners_file)
        self._rows = Rows()
        self._finder = copies.CopyFinder()
        self._groups = Groups(settings.window)
        self._members = self._groups.members
        self._order = 0
        self._idf: Floats = self._rows.idf(*pair_score.prior())

    def __len__(self) -> int:
        return len(self._members)

    def time_of(self, story: str) -> float:
        """Return the time of a story of the window; its record's place in the store follows it."""
        return self._members[story].time

    def stories(self) -> list[str]:
        """Return the ids of all stories in the window, in the order they came."""
        return list(self._members)

    def event_of(self, story: str) -> str:
        """Return the event a story is in now (merges and splits included), or ""."""
        member = self._members.get(story)
        return member.event if member else ""

    def prepare(self, batch: Sequence[EmbeddedStory], *, ask: bool = False) -> Prepared:
        """Find what is near the stories of a batch, and what to `ask` the judge about them."""
        fresh: dict[str, tuple[EmbeddedStory, Member]] = {}
        for item in batch:
            if item.story.id not in self._members and item.story.id not in fresh:
                fresh[item.story.id] = item, reduce(item, self._owners)
        queue = sorted(fresh.values(), key=lambda pair: (pair[1].time, pair[1].id))
        for _, member in queue:
            self._rows.expect(member.model, len(member.vector))
        self._idf = self._rows.idf(*pair_score.prior())
        oldest = min((member.time for _, member in queue), default=0.0)
        found = self._rows.search(
            [member.vector for _, member in queue], FLOOR, _CANDIDATES, oldest - self._window
        )
        asked = (
            pair_judge.questions(
                [m for _, m in queue], found, self._rows, self._members, self._compare, FLOOR
            )
            if ask
            else []
        )
        return Prepared(tuple(batch), tuple(queue), tuple(found), self._rows.size, tuple(asked))

    def assign(
        self, batch: Sequence[EmbeddedStory] | Prepared, answers: Answers | None = None
    ) -> list[Assignment]:
        """Assign every story of a batch, and return the assignments in the order given.

        Stories are taken in order of (time, id), so their order within the batch has no effect.
        Events are as the batch's last story left them; `merged` and `moved` say what changed
        between before and after the batch. `answers` are the judge's to the questions of `prepare`;
        None where there is no judge.
        """
        prepared = batch if isinstance(batch, Prepared) else self.prepare(batch)
        done: dict[str, Assignment] = {}
        before = prepared.before
        for (item, member), (rows, sims) in zip(prepared.queue, prepared.near, strict=True):
            late = self._rows.similar(member.vector, before)
            keep = np.flatnonzero(late >= FLOOR)
            rows = np.concatenate([rows, keep + before])
            sims = np.concatenate([sims, late[keep]])
            done[member.id] = self._assign(item.story, member, rows, sims, answers)
        self._bring_up_to_date(done)
        return [
            done.pop(item.story.id) if item.story.id in done else self._again(item.story.id)
            for item in prepared.batch
        ]

    def part(self, story: str, why: str) -> tuple[Assignment, tuple[str, ...]] | None:
        """Give a story an event of its own and keep it apart from the others of the one it was in.

        Returns:
            Its assignment, with `moved`, and the stories it is kept apart from; None where there
            is nothing to part: the story is not in the window, is a copy, or is alone.
        """
        others = self._groups.part(story) if story in self._members else ()
        if not others:
            return None
        _, moved = self._groups.take_moves()
        found = replace(self._again(story), repeated=False, new_event=True, why=why, moved=moved)
        return found, others

    def keep_apart(self, story: str, others: Iterable[str]) -> None:
        """Keep a story apart as a person said, after a restart."""
        self._groups.keep_apart(story, others)

    def forget(self, before: float) -> None:
        """Drop events with no story since `before`, and stories that outlived an event's life."""
        groups = self._groups
        for event in list(groups.events.values()):
            over = event.last < before
            limit = before if over else before - (LIFE - 1) * self._window
            if not over and event.since >= limit:
                continue
            stories = [*event.members, *event.copies]
            gone = {story for story in stories if over or self._members[story].time < limit}
            gone |= {story for story in event.copies if self._members[story].copy_of in gone}
            for story in gone:
                self._finder.drop(groups.drop(story))
                self._rows.drop(story)
            if gone:
                groups.gather(event.id, [story for story in stories if story not in gone])

    def changed(self) -> set[str]:
        """Return the stories whose records must be written again, and start afresh."""
        changed, self._groups.changed = self._groups.changed, set()
        return changed

    def pack(self, story: str) -> bytes:
        """Return the record of a story, for `restore`.

        Raises:
            KeyError: the story is not in the window.
        """
        member = self._members[story]
        older = {
            other: value
            for other, value in self._groups.links.get(story, ())
            if self._members[other].order < member.order
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
        events: dict[str, list[str]] = {}
        for member, older in kept:
            self._rows.expect(member.model, len(member.vector))
            known = ((self._members.get(name), value) for name, value in older.items())
            self._remember(member, Links((other.id, value) for other, value in known if other))
            events.setdefault(member.event, []).append(member.id)
            self._order = max(self._order, member.order + 1)
        for event, names in events.items():
            self._groups.gather(event, names)
        self.changed()
        return bad

    def _assign(
        self, story: Story, member: Member, rows: Ints, sims: Floats, answers: Answers | None
    ) -> Assignment:
        member.order, self._order = self._order, self._order + 1
        original, kind = self._original(story, member, rows, sims)
        if kind and original and self._is_at_home(member, original):
            kind = ""  # another had its address first; it is a report of its own
        if original and kind:
            return self._file_copy(story, member, original, kind)
        linked = self._link(member, (rows, sims), answers)
        links, member.sure = linked.links, linked.sure
        if original:  # the same article, changed in what it says: same event, yet not a copy
            links[original.id] = 1.0
        self._remember(member, Links(links.items()))
        self._groups.place(member, original.id if original else "")
        event = self._groups.events[member.event]
        nearest = self._nearest(member, event)
        new = self._novelty(story, member, event) if nearest else None
        return Assignment(
            story=member.id,
            event=event.id,
            new_event=nearest is None,
            similarity=links.get(nearest.id, 0.0) if nearest else 0.0,
            why=self._why(member, nearest, linked, answers),
            novelty=new.line if new else "",
            novelty_kind=new.kind if new else "",
            corrects=self._corrects(story, member, event),
            sources=self._groups.sources(event.id),
            outlets=self._groups.outlets(event.id),
            trusts=self._groups.trusts(event.id),
            size=event.size,
        )

    def _bring_up_to_date(self, done: dict[str, Assignment]) -> None:
        """Bring a batch's assignments to where its last story left things."""
        merged, moved = self._groups.take_moves()
        for story, assignment in done.items():
            event = self._members[story].event
            gone = tuple(name for name, into in merged.items() if into == event)
            merged = {name: into for name, into in merged.items() if into != event}
            if gone or moved or event != assignment.event:
                done[story] = replace(assignment, event=event, merged=gone, moved=moved)
            moved = ()

    def _original(
        self, story: Story, member: Member, rows: Ints, sims: Floats
    ) -> tuple[Member | None, str]:
        """Return the story this one repeats and how; or (the story it is a changed form of, "")."""
        if story.revises and (before := self._members.get(story.revises)):
            changed = copies.numbers_differ(member, before) or novelty.is_correction(story)
            return self._root(before), "" if changed else "revision"
        alike = np.flatnonzero(sims >= _ALIKE)
        near = {self._rows.ids[rows[at]]: float(sims[at]) for at in alike}
        for name in dict.fromkeys((*self._finder.candidates(member), *near)):
            other = self._members[name]
            if abs(other.time - member.time) > self._window:
                continue
            root = self._root(other)
            meaning = near.get(root.id)
            if meaning is None:
                meaning = self._rows.between(member.vector, root.id)
            if kind := copies.kind_of(member, other, meaning):
                return root, kind
            if member.url == other.url and copies.tells_one_page(member.url):
                return (root, "") if meaning > _SAME_PAGE else (None, "")
        return None, ""

    def _root(self, member: Member) -> Member:
        return self._members.get(member.copy_of) or member

    def _compare(self, member: Member, held: Rows, hits: Hits) -> Compared:
        """Return what is near a story in time and meaning, and how likely it is of one event."""
        rows, sims = hits
        near = np.abs(held.times[rows] - member.time) <= self._window
        rows, sims = rows[near], sims[near]
        if len(rows) > _CANDIDATES:
            top = np.argpartition(-sims, _CANDIDATES)[:_CANDIDATES]
            rows, sims = rows[top], sims[top]
        taught = member.model.startswith(pair_score.ENCODER)
        meaning = sims if taught else vector_space.level(sims, member.model)
        others = pair_score.Others(
            held.terms[rows], held.flags[rows], held.times[rows], held.places[rows], held.main[rows]
        )
        table = pair_score.features(member, meaning, others, self._idf)
        return Compared(
            rows,
            pair_score.probabilities(table, member.model),
            pair_score.doubtful(table),
            pair_score.distance(table),
        )

    def _link(self, member: Member, hits: Hits, answers: Answers | None) -> Linked:
        """Return the links of a story to those near it, and what it is closest to."""
        found = self._compare(member, self._rows, hits)
        names = [self._rows.ids[row] for row in found.rows]
        links = {
            names[at]: float(found.chances[at])
            for at in np.flatnonzero(found.chances >= _WEAK)
            if self._groups.is_open(self._members[names[at]].event, member.time)
        }
        best = max(links, key=lambda name: (links[name], name), default="")
        if answers is not None:
            event_of = {name: self._members[name].event for name in links}
            far = {names[at]: float(found.distance[at]) for at in np.flatnonzero(found.distance)}
            links = pair_judge.weigh(member.id, links, event_of, answers, far)
        doubted = {names[at] for at in np.flatnonzero(found.doubtful)}
        strongest = max(links.values(), default=0.0)
        trusted = max((value for name, value in links.items() if name not in doubted), default=0.0)
        return Linked(
            {name: value for name, value in links.items() if value >= _WEAK},
            strongest < JOIN or trusted >= CERTAIN,
            self._members.get(best),
            links.get(best, 0.0),
            answers.get((member.id, best)) if answers else None,
        )

    def _file_copy(self, story: Story, member: Member, original: Member, kind: str) -> Assignment:
        member.copy_of, member.copy_kind = original.id, kind
        self._remember(member, Links())
        self._groups.file(member)
        event = self._groups.events[member.event]
        corrects = self._corrects(story, member, event)
        said = self._novelty(story, member, event) if corrects else None
        return Assignment(
            story=member.id,
            event=event.id,
            copy_of=original.id,
            copy_kind=kind,
            similarity=1.0,
            why=f"same {_KINDS[kind]} as “{original.title}” ({original.owner})",
            novelty=said.line if said else "",
            novelty_kind=said.kind if said else "",
            corrects=corrects,
            sources=self._groups.sources(event.id),
            outlets=self._groups.outlets(event.id),
            trusts=self._groups.trusts(event.id),
            size=event.size,
            copy_of_old=original.quiet and original.owner == member.owner,
        )

    def _remember(self, member: Member, links: Links) -> None:
        self._groups.add(member, links)
        self._finder.add(member)
        if not member.copy_of:
            self._rows.add(member)
        member.vector = vector_space.NOTHING

    def _again(self, story: str) -> Assignment:
        member = self._members[story]
        original = self._members.get(member.copy_of)
        return Assignment(
            story=story,
            event=member.event,
            copy_of=member.copy_of,
            copy_kind=member.copy_kind,
            why="assigned before",
            sources=self._groups.sources(member.event),
            outlets=self._groups.outlets(member.event),
            trusts=self._groups.trusts(member.event),
            size=self._groups.events[member.event].size,
            repeated=True,
            copy_of_old=bool(original and original.quiet and original.owner == member.owner),
        )

    def _novelty(self, story: Story, member: Member, event: Event) -> novelty.Novelty | None:
        """Return what a story says that the other stories of its event had not; remember it."""
        terms, ended = set[int](), 0
        names = dict.fromkeys((*event.members[:1], *event.members[-FACE:]))
        others = [self._members[name] for name in names if name != member.id]
        for other in others:
            terms.update(other.terms)
            ended |= other.outcomes
        quoted = {self._members[name].quoted for name in event.members}

        def said(sentence: str) -> bool:
            known = any(sentence == one.title or sentence in one.lead for one in others)
            return known or digest(sentence) in quoted

        statuses = {_STATUS_OF[term] for term in terms & _STATUS_OF.keys()}
        toll = max((death_toll(one.title) for one in others), default=0)
        known = novelty.Known(terms, statuses, ended, toll, said)
        corrects = bool(self._corrects(story, member, event))
        new = novelty.find(story, known, corrects, self._rarity)
        member.quoted = digest(new.line) if new else 0
        return new

    def _corrects(self, story: Story, member: Member, event: Event) -> tuple[str, ...]:
        """Return the earlier stories of an event that a correction speaks of: its own owner's."""
        if not novelty.is_correction(story):
            return ()
        stories = (self._members[name] for name in (*event.members, *event.copies))
        return tuple(m.id for m in stories if m.owner == member.owner and m.id != member.id)

    def _is_at_home(self, member: Member, original: Member) -> bool:
        """Whether a story has its own owner's address, and what it repeats has borrowed that."""
        if member.owner == original.owner or not member.url:
            return False
        return self._owners.of_address(member.url) == member.owner and member.url == original.url

    def _rarity(self, term: int) -> float:
        return float(self._idf[term])

    def _nearest(self, member: Member, event: Event) -> Member | None:
        links = dict(self._groups.links[member.id])
        linked = [name for name in links if self._members[name].event == event.id]
        others = linked or [name for name in event.members[:FACE] if name != member.id]
        if not others:
            return None
        return self._members[max(others, key=lambda name: (links.get(name, 0.0), name))]

    def _why(
        self, member: Member, nearest: Member | None, linked: Linked, answers: Answers | None
    ) -> str:
        if nearest is None:
            return grounds.first(member, linked.closest, linked.likely, linked.judge)
        judge = (answers or {}).get((member.id, nearest.id))
        likely = linked.links.get(nearest.id, 0.0)
        return grounds.joined(member, nearest, likely, judge, self._rarity)
