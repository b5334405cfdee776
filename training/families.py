"""Families of reports of our own writing: happenings of one kind, each told by several outlets."""

from __future__ import annotations

import json
import random
from pathlib import Path

WRITTEN = Path(__file__).parent / "labels/happenings.jsonl"
_LEADS = 0.4  # share of texts that keep their lead: short pairs are taught in half the time

Pair = tuple[str, str, int, str]


def written(*, held: bool) -> list[list[list[tuple[str, str]]]]:
    """Return families of our own writing: happenings of one kind, each as (title, summary)s.

    One family in ten is `held`: it is not taught, it measures.
    """
    found = []
    for number, row in enumerate(WRITTEN.read_text(encoding="utf-8").splitlines()):
        if (number % 10 == 7) == held:
            happenings = json.loads(row)["happenings"]
            found.append([[(title, lead) for _, title, lead in one] for one in happenings])
    return found


def of_families(rng: random.Random, apart: int) -> list[Pair]:
    """Return pairs of the families: all of one happening; of two, the nearest in wording.

    `apart` is how many of two happenings a family gives.
    """
    found = list[Pair]()
    for happenings in written(held=False):
        texts = [[_told(*report, rng) for report in one] for one in happenings]
        for one in texts:
            found += [(a, b, 1, "family") for at, a in enumerate(one) for b in one[at + 1 :]]
        both = [
            (a, b)
            for at, one in enumerate(texts)
            for other in texts[at + 1 :]
            for a in one
            for b in other
        ]
        rng.shuffle(both)
        words = {text: set(text.casefold().split()) for one in texts for text in one}
        both.sort(key=lambda pair: -len(words[pair[0]] & words[pair[1]]))
        found += [(a, b, 0, "family, another") for a, b in both[:apart]]
    return found


def _told(title: str, lead: str, rng: random.Random) -> str:
    return f"{title}. {lead}" if lead and rng.random() < _LEADS else title
