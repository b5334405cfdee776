"""Which pairs of reports the pair judge is asked about, and what its answer does to the links.

Vectors cannot tell two events of one kind: trains derailed in two countries have nearer vectors
than two reports of one derailment. The judge is a cross-encoder that reads both reports together.
It is slow, so it is asked about the best pair of the likeliest events only, at most `MOST` a story.
Its answer counts for all stories of that event. A pair that it did not answer is held to be apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.events.features import Member
from monitor.events.index_rows import Hits, Rows
from monitor.events.pair_score import Bools, Floats, judged_shift, shifted

MOST = 2  # questions a story
ASK_FROM = 0.3  # probability, before the judge, from which a pair is asked about
ASK_FROM_ABROAD = 0.06  # the same for two languages: they share no words
CAUTIOUS = 0.2  # most that a pair counts for which the judge did not answer

Answers = Mapping[tuple[str, str], float]  # (story, earlier story) -> logit of "one event"


@dataclass(frozen=True, slots=True)
class Compared:
    """What is near a story: rows, probability of one event, evidence against it."""

    rows: npt.NDArray[np.intp]
    chances: Floats
    doubtful: Bools
    distance: Floats


Compare = Callable[[Member, Rows, Hits], Compared]


@dataclass(frozen=True, slots=True)
class Question:
    """A story and an earlier one, with their texts (headline and lead) for the judge to read."""

    story: str
    other: str
    one: str
    two: str


def ask_from(one: Member, two: Member) -> float:
    """Return the probability from which the judge is asked about two stories."""
    known = one.language and two.language
    return ASK_FROM_ABROAD if known and one.language != two.language else ASK_FROM


def questions(
    queue: Sequence[Member],
    near: Sequence[Hits],
    held: Rows,
    members: Mapping[str, Member],
    compare: Compare,
    floor: float,
) -> list[Question]:
    """Return what to ask about a batch: of each event near a story the likeliest pair."""
    asked: list[Question] = []
    batch, known = Rows(), dict[str, Member]()
    for member, hits in zip(queue, near, strict=True):
        batch.expect(held.model, held.vectors.shape[1])
        found: dict[str, tuple[float, Member]] = {}
        window = compare(member, held, hits)
        candidates = [
            (members[held.ids[row]], chance)
            for row, chance in zip(window.rows, window.chances, strict=True)
        ]
        if batch.size:
            sims = batch.similar(member.vector, 0)
            keep = np.flatnonzero(sims >= floor)
            beside = compare(member, batch, (keep, sims[keep]))
            candidates += [
                (known[batch.ids[row]], chance)
                for row, chance in zip(beside.rows, beside.chances, strict=True)
            ]
        for other, chance in candidates:
            event = other.event or other.id
            best = found.get(event)
            likelier = best is None or (chance, other.id) > (best[0], best[1].id)
            if chance >= ask_from(member, other) and likelier:
                found[event] = float(chance), other
        best_first = sorted(found.values(), key=lambda pair: (-pair[0], pair[1].id))
        asked += [Question(member.id, m.id, member.text, m.text) for _, m in best_first[:MOST]]
        batch.add(member)
        known[member.id] = member
    return asked


def weigh(
    story: str,
    links: Mapping[str, float],
    event_of: Mapping[str, str],
    answers: Answers,
    distance: Mapping[str, float],
) -> dict[str, float]:
    """Return a story's links after the judge: moved by its answer on their event, or cautious."""
    shifts: dict[str, list[float]] = {}
    for other, chance in links.items():
        if (answer := answers.get((story, other))) is not None:
            shift = judged_shift(chance, answer, distance.get(other, 0.0))
            shifts.setdefault(event_of[other], []).append(shift)
    weighed = {}
    for other, chance in links.items():
        if found := shifts.get(event_of[other]):
            weighed[other] = shifted(chance, sum(found) / len(found))
        else:
            weighed[other] = min(chance, CAUTIOUS) if chance >= ASK_FROM else chance
    return weighed
