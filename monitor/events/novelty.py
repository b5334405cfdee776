"""What a further story adds to an event: one line, taken from the story, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass

from monitor.events import outcomes
from monitor.events.lexicon import CORRECTION_PHRASES, STATUSES
from monitor.events.text import bucket, lead_of, sentences, strip_outlet, title_case, tokens
from monitor.model import Story
from monitor.text import shorten

_LINE = 220  # characters of a novelty line
_LISTICLE = re.compile(
    r"\b(?:things|takeaways|ways|reasons|charts|photos|questions|key|tips|facts|points|lessons)\b",
    re.IGNORECASE,
)
_HARM = re.compile(
    r"\b(?:dead|die[sd]?|kill\w*|hurt|injur\w*|wound\w*|missing|arrest\w*|detain\w*|hostage\w*|"
    r"shot|rescued|trapped)\b",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d$")


@dataclass(frozen=True, slots=True)
class Novelty:
    """What is new: its kind ("correction", "outcome", "number", "status", "name"), word, line."""

    kind: str
    word: str
    line: str


def is_correction(story: Story) -> bool:
    """Whether the story says of itself that it corrects or withdraws an earlier one."""
    text = f"{story.title}\n{lead_of(story, 300)}".casefold()
    return any(phrase in text for phrase in CORRECTION_PHRASES)


def find(
    story: Story,
    known_terms: Container[int],
    known_statuses: Container[str],
    known_outcomes: int,
    corrects: bool,
    rarity: Callable[[int], float],
) -> Novelty | None:
    """Return the first thing in the story that the event did not have, or None.

    A correction (`corrects`) comes first, then outcomes (`known_outcomes`: bits of `outcomes`),
    figures, a status ("denied", "ended"), then names that are rare enough to matter. `rarity` gives
    the idf of a vocabulary bucket.
    """
    headline = strip_outlet(story.title, story.source)
    lines = [headline, *sentences(lead_of(story))[:2]]
    if corrects:
        said = next((line for line in lines if _corrects(line)), headline)
        return Novelty("correction", "", shorten(said, _LINE))
    for kind in outcomes.outcomes_in(headline):
        if not known_outcomes & outcomes.bit(kind):
            return Novelty("outcome", kind, shorten(headline, _LINE))
    words = [tokens(line) for line in lines]
    for line, found in zip(lines, words, strict=True):
        for word in found:
            if word.number and bucket(word.stem) not in known_terms and _tells(word.stem, line):
                return Novelty("number", word.surface, shorten(line, _LINE))
    for word in words[0]:
        status = STATUSES.get(word.stem)
        if status and status not in known_statuses:
            return Novelty("status", word.surface, shorten(headline, _LINE))
    if not title_case(words[0]):
        for word in words[0][1:]:
            key = bucket(word.stem)
            if word.capital and key not in known_terms and rarity(key) > 6.0:
                return Novelty("name", word.surface, shorten(headline, _LINE))
    return None


def _tells(number: str, line: str) -> bool:
    """Whether a new figure is news: no year, no list of five things, no small count of anything.

    Two or three of something count only where people came to harm.
    """
    if _YEAR.match(number) or _LISTICLE.search(line):
        return False
    try:
        size = float(number)
    except ValueError:  # a version or a date, "1.2.3"
        return False
    return size > 3 or bool(_HARM.search(line))


def _corrects(line: str) -> bool:
    low = line.casefold()
    return any(phrase in low for phrase in CORRECTION_PHRASES)
