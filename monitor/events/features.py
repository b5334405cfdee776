"""One story, reduced once: everything copies, links and novelty are decided by.

The reduction is what is stored (see `records`) and what the window holds in memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.events import space
from monitor.events.lexicon import STATUSES
from monitor.events.owners import Owners
from monitor.events.text import (
    NAME,
    NUMBER,
    STATUS,
    TITLE,
    bucket,
    lead_of,
    sketch,
    strip_outlet,
    title_case,
    tokens,
)
from monitor.model import EmbeddedStory, Vector

TERMS = 40  # terms kept of one story; headlines have about ten


@dataclass(slots=True)
class Member:
    """A story as the window remembers it.

    `vector` is the story's unit vector in meaning space (headline and lead together); it is empty
    in memory once the story has a row of the window, which then holds it. `terms` are vocabulary
    buckets, `flags` say for each whether it is a number, a name, a status word, in the headline.
    """

    id: str
    title: str
    url: str
    owner: str
    time: float
    vector: Vector
    terms: npt.NDArray[np.int32]
    flags: npt.NDArray[np.uint8]
    sketch: tuple[int, ...]
    event: str = ""
    copy_of: str = ""
    copy_kind: str = ""
    quiet: bool = False  # baseline or stale: never told
    since: float = 0.0  # when its event began
    model: str = ""  # fingerprint of the model behind the vector
    order: int = 0  # the how-manieth story of this index it was


def reduce(item: EmbeddedStory, owners: Owners) -> Member:
    """Reduce a story with its vectors to a `Member` that has no event yet."""
    story = item.story
    title = strip_outlet(story.title, story.source)
    lead = lead_of(story)
    terms, flags = _terms(title, lead)
    time = story.published or story.seen_at
    return Member(
        id=story.id,
        title=title,
        url=story.url,
        owner=owners.of(story),
        time=time if math.isfinite(time) else 0.0,
        vector=_vector(item),
        terms=terms,
        flags=flags,
        sketch=sketch(story.body[:3000] or story.summary),
        quiet=story.baseline or story.stale,
        model=item.model,
    )


def _vector(item: EmbeddedStory) -> Vector:
    """Return the unit mean of headline and lead vectors; empty if the story has none."""
    if not len(item.vectors):
        return np.zeros(0, np.float32)
    chosen = [
        vector
        for passage, vector in zip(item.passages, item.vectors, strict=False)
        if passage.kind in ("title", "lead")
    ]
    mean = np.asarray(np.mean(chosen or item.vectors[:1], axis=0), dtype=np.float32)
    return space.project(mean, item.model)


def _terms(title: str, lead: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    found: dict[int, int] = {}
    for text, place in ((title, TITLE), (lead, 0)):
        words = tokens(text)
        shouting = title_case(words)
        for at, word in enumerate(words):
            flag = place
            if word.number:
                flag |= NUMBER
            elif word.capital and not shouting and at:
                flag |= NAME
            if word.stem in STATUSES:
                flag |= STATUS
            key = bucket(word.stem)
            found[key] = found.get(key, 0) | flag
    # Headline terms come first in the mapping, so a cut at TERMS drops words of the lead only.
    kept = list(found.items())[:TERMS]
    return (
        np.fromiter((key for key, _ in kept), np.int32, len(kept)),
        np.fromiter((flag for _, flag in kept), np.uint8, len(kept)),
    )
