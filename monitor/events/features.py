"""One story, reduced once: everything copies, links and novelty are decided by.

The reduction is what is stored (see `records`) and what the window holds in memory.
"""

from __future__ import annotations

import math
import sys
from array import array
from dataclasses import dataclass, field

import numpy as np

from monitor.events import outcomes, vector_space
from monitor.events.lexicon import STATUSES
from monitor.events.owners import Owners
from monitor.events.place_names import MOST, places_in
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
LEAD = 230  # characters of the lead kept, for the pair judge to read


@dataclass(slots=True)
class Member:
    """A story as the window remembers it.

    `vector` is the story's unit vector in meaning space (headline and lead together); it is empty
    in memory once the story has a row of the window, which then holds it. `terms` are vocabulary
    buckets, `flags` say for each whether it is a number, a name, a status word, in the headline.
    They are flat buffers, since there may be hundreds of thousands of stories. `places` are numbers
    of `place_names`, the first `main` of them from the headline.
    """

    id: str
    title: str
    url: str
    owner: str
    time: float
    vector: Vector
    terms: array[int]
    flags: bytes
    sketch: array[int]
    event: str = ""
    copy_of: str = ""
    copy_kind: str = ""
    quiet: bool = False  # baseline or stale: never told
    since: float = 0.0  # when its event began
    model: str = ""  # what made the vector: only like is compared with like
    order: int = 0  # its sequence number in this index
    places: array[int] = field(default_factory=lambda: array("H"))
    main: int = 0
    lead: str = ""
    trust: str = ""  # of its source, a word of `Trust`
    agency: str = ""  # news agency or outlet that the text is credited to
    outcomes: int = 0  # what its headline says has ended, and how (`outcomes.bits`)
    sure: bool = True  # certain enough of its event to count as a source
    outlet: str = ""  # its outlet's name as readers know it
    quoted: int = 0  # the sentence that was quoted of it (`text.digest`), 0 for none
    language: str = ""  # of its text, as its code without a region

    @property
    def text(self) -> str:
        """Return headline and lead, as the pair judge reads them."""
        return f"{self.title}. {self.lead}" if self.lead else self.title


def reduce(item: EmbeddedStory, owners: Owners) -> Member:
    """Reduce a story with its vectors to a `Member` that has no event yet."""
    story = item.story
    title = strip_outlet(story.title, story.source, story.outlet)
    lead = lead_of(story)
    terms, flags = _terms(title, lead)
    places, main = _places(title, lead[:400])
    time = story.published or story.seen_at
    return Member(
        id=story.id,
        title=title,
        url=story.url,
        owner=owners.of(story),
        time=time if math.isfinite(time) else 0.0,
        vector=_place(item),
        terms=terms,
        flags=flags,
        sketch=array("I", sketch(story.body[:3000] or story.summary)),
        quiet=story.baseline or story.stale,
        model=vector_space.name(item.model),
        places=places,
        main=main,
        lead=" ".join(lead[: 2 * LEAD].split())[:LEAD],
        trust=story.trust,
        agency=owners.credited(story),
        outcomes=outcomes.bits(title),
        outlet=sys.intern(story.source or story.feed_id),
        language=sys.intern(story.language.partition("-")[0]),
    )


def mean_of(item: EmbeddedStory) -> Vector:
    """Return the mean of headline and lead vectors."""
    chosen = [
        vector
        for passage, vector in zip(item.passages, item.vectors, strict=False)
        if passage.kind in ("title", "lead")
    ]
    return np.asarray(np.mean(chosen or item.vectors[:1], axis=0), dtype=np.float32)


def _place(item: EmbeddedStory) -> Vector:
    """Return where a story stands by headline and lead; empty if it has no vectors."""
    if not len(item.vectors):
        return vector_space.NOTHING
    return vector_space.place(mean_of(item), item.happening, item.model)


def _places(title: str, lead: str) -> tuple[array[int], int]:
    """Return the places of a story, and how many of them are its own rather than in passing.

    Its own are those of the headline, or else the first that the lead names.
    """
    own, below = places_in(title), places_in(lead)
    found = list(dict.fromkeys((*own, *below)))[:MOST]
    return array("H", found), len(own) or min(1, len(found))


def _terms(title: str, lead: str) -> tuple[array[int], bytes]:
    found: dict[int, int] = {}
    for text, place in ((title, TITLE), (lead, 0)):
        words = tokens(text)
        shouting = title_case(words)
        for at, word in enumerate(words):
            flag = place
            if word.number:
                flag |= NUMBER
            elif word.capital and not shouting and (at or not word.surface[1:].islower()):
                flag |= NAME
            if word.stem in STATUSES:
                flag |= STATUS
            key = bucket(word.stem)
            found[key] = found.get(key, 0) | flag
    # Headline terms come first in the mapping, so a cut at TERMS drops words of the lead only.
    kept = list(found.items())[:TERMS]
    return array("i", (key for key, _ in kept)), bytes(flag for _, flag in kept)
