"""What a further story adds to an event: one sentence of the story, word for word, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from monitor.death_toll import death_toll
from monitor.events import outcomes
from monitor.events.lexicon import CORRECTION_PHRASES, STATUSES
from monitor.events.text import Token, bucket, lead_of, strip_outlet, title_case, tokens
from monitor.model import Story
from monitor.sentences import whole_sentences
from monitor.text import one_line, shorten

LINE = 220  # characters of a line
_NO_STATUS = ("fire", "fires")  # of one stem with "fired"
_READ = 1500  # characters of a body that are looked through for it
_SENTENCES = 8  # of summary and body
_ORDER = ("outcome", "number", "status", "name")
_LISTICLE = re.compile(
    r"\b(?:things|takeaways|ways|reasons|charts|photos|questions|key|tips|facts|points|lessons|trends)\b",
    re.IGNORECASE,
)
_HARM = re.compile(
    r"\b(?:dead|die[sd]?|kill\w*|hurt|injur\w*|wound\w*|missing|arrest\w*|detain\w*|hostage\w*|"
    r"shot|rescued|trapped)\b",
    re.IGNORECASE,
)
# A count that is said to have fallen, or that belongs to a further happening.
_REVISED = re.compile(
    r"\b(?:revis(?:ed|es|ion)|toll (?:is |was )?(?:lowered|cut|reduced)|down (?:to|from)|second|"
    r"another)\b",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d$")
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    "sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
# A day of a month ("Aug. 10", "10 August"), the second year of two ("2019-20"), an age or a span
# that only describes ("32-year-old", "150-year history"): # is the number.
_NO_FIGURE = (
    rf"\b#-years?\b|\b(?:19|20)\d\d[-–/]#\b|"
    rf"\b{_MONTH}\.?\s#\b(?![.,]\d)|\b#(?:st|nd|rd|th)?\s{_MONTH}\b"
)
# What sites put below a summary, and what says nothing without the sentence before it.
_BOILERPLATE = re.compile(
    r"^The post .* (?:appeared first )?on |^(?:continue reading|read more|read also|sign up|"
    r"subscribe|follow our|click here|photo(?:graph)?:|image:|good (?:morning|evening))\b",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"[\"“‘]?(?:he|she|it|they|we|i|this|that|these|those|his|her|its|their|but|and|so|plus|also|"
    r"however|meanwhile)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Novelty:
    """What is new: its kind ("correction", "outcome", "number", "status", "name"), word, line."""

    kind: str
    word: str
    line: str


@dataclass(frozen=True, slots=True)
class Known:
    """What an event has said so far.

    `terms` are vocabulary buckets, `statuses` words of `lexicon`, `outcomes` bits of `outcomes`,
    `toll` is the highest number of dead that a headline gave.
    `said` tells whether a sentence was quoted, or stood in a report, before.
    """

    terms: Container[int] = frozenset()
    statuses: Container[str] = frozenset()
    outcomes: int = 0
    toll: int = 0
    said: Callable[[str], bool] = lambda sentence: False


def is_correction(story: Story) -> bool:
    """Whether the story says of itself that it corrects or withdraws an earlier one."""
    text = f"{story.title}\n{lead_of(story, 300)}".casefold()
    return any(phrase in text for phrase in CORRECTION_PHRASES)


def find(
    story: Story, known: Known, corrects: bool, rarity: Callable[[int], float]
) -> Novelty | None:
    """Return the first thing in the story that the event did not have, or None.

    A correction (`corrects`) comes first, then outcomes, figures, a status ("denied", "ended"),
    then names that are rare enough to matter. `rarity` gives the idf of a vocabulary bucket. The
    line is the sentence of the story that says most that is new, word for word.
    """
    headline = one_line(strip_outlet(story.title, story.source))
    lines = [headline, *whole_sentences(lead_of(story))[:2]]
    if corrects:
        said = next((line for line in lines if _corrects(line)), headline)
        return Novelty("correction", "", shorten(said, LINE))
    facts = _facts(lines, known, rarity)
    choices: list[tuple[str, set[Fact]]] = []
    for fact in facts:
        choices = choices or _choices(story, headline, known, rarity)
        if line := _best([one for one in choices if fact in one[1]]):
            return Novelty(fact.kind, fact.word, shorten(line, LINE))
    return None


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is new: its kind and what it is told by; `word` is how the story writes it."""

    kind: str
    key: str
    word: str = field(default="", compare=False)


def _facts(lines: list[str], known: Known, rarity: Callable[[int], float]) -> list[Fact]:
    """Return what headline and lead have that is new, the most telling first.

    Outcomes, statuses and names count in the headline only: below it they are mostly background.
    """
    headline, *below = lines
    found = sorted(_new_in(headline, known, rarity), key=lambda fact: _ORDER.index(fact.kind))
    numbers = [fact for line in below for fact in _new_in(line, known, rarity)]
    at = sum(fact.kind in ("outcome", "number") for fact in found)
    return [*found[:at], *(one for one in numbers if one.kind == "number"), *found[at:]]


def _new_in(line: str, known: Known, rarity: Callable[[int], float]) -> list[Fact]:
    """Return everything new in one sentence, in the order in which it stands."""
    words = tokens(line)
    found = [
        Fact("outcome", kind, kind)
        for kind in outcomes.outcomes_in(line)
        if not known.outcomes & outcomes.bit(kind)
    ]
    shouting = title_case(words)
    toll = death_toll(line)
    old = toll if toll <= known.toll and not _REVISED.search(line) else 0  # a count from before
    for at, word in enumerate(words):
        key = bucket(word.stem)
        status = STATUSES.get(word.stem) if word.surface.casefold() not in _NO_STATUS else None
        if word.number:
            counted = bool(old) and _size(word) == old
            if key not in known.terms and not counted and _tells(word, line):
                found.append(Fact("number", word.stem, word.surface))
        elif status and status not in known.statuses:
            found.append(Fact("status", status, word.surface))
        elif at and not shouting and word.capital and key not in known.terms and rarity(key) > 6.0:
            found.append(Fact("name", word.stem, word.surface))
    return found


def _choices(
    story: Story, headline: str, known: Known, rarity: Callable[[int], float]
) -> list[tuple[str, set[Fact]]]:
    """Return the sentences that may be quoted, each with what is new in it.

    Sentences of the text come before the headline, which stands above the line anyway; those that
    need the one before them ("He said …") come after it.
    """
    found = dict.fromkeys(
        line
        for text in (story.summary, story.body[:_READ])
        for line in whole_sentences(text)
        if not _BOILERPLATE.search(line)
    )
    below = list(found)[:_SENTENCES]
    alone = [line for line in below if not _LEANS.match(line)]
    lines = [*alone, headline, *(line for line in below if line not in alone)]
    return [(line, set(_new_in(line, known, rarity))) for line in lines if not known.said(line)]


def _best(choices: list[tuple[str, set[Fact]]]) -> str:
    """Return the sentence that says most that is new; whole ones before those that must be cut."""
    best = max(choices, key=lambda one: (len(one[0]) <= LINE, min(len(one[1]), 3)), default=None)
    return best[0] if best else ""


def _tells(number: Token, line: str) -> bool:
    """Whether a new figure is news: no year, day or age, no list of five things, no small count.

    Two or three of something count only where people came to harm.
    """
    text = number.surface
    if _YEAR.match(text) or _LISTICLE.search(line):
        return False
    if re.search(_NO_FIGURE.replace("#", re.escape(text)), line, re.IGNORECASE):
        return False
    size = _size(number)
    return size > 3 or bool(size and _HARM.search(line))


def _size(number: Token) -> float:
    try:
        return float(number.stem)
    except ValueError:  # a version or a date, "1.2.3"
        return 0.0


def _corrects(line: str) -> bool:
    low = line.casefold()
    return any(phrase in low for phrase in CORRECTION_PHRASES)
