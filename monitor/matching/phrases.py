"""The phrases of a topic: every text whose vector matching needs, and the part each plays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.config.schema import Topic
from monitor.matching.terms import content_words

# A sentence of a description that says what does not belong counts against, not for.
_ASIDE = re.compile(
    r"\b(?:not belong|n't belong|not count|n't count|not included?|n't include|not meant|not about"
    r"|exclud\w+|out of scope|not part of|leave out|ignor\w+|is not wanted|are not wanted)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One text of a topic and the part it plays.

    `kind` is "name", "description", "example", "not" (a counter-example), "aside" (a sentence of
    the description that says what does not belong) or "word" (one content word of the name).
    """

    text: str
    kind: str


def phrases(topic: Topic) -> tuple[Phrase, ...]:
    """Return the topic's phrases, the name first; texts that repeat within a kind only once."""
    found = [Phrase(_clean(topic.name), "name")]
    description = _clean(topic.description)
    if description:
        sentences = _SENTENCE.split(description)
        belongs = " ".join(part for part in sentences if not _ASIDE.search(part))
        if belongs:
            found.append(Phrase(belongs, "description"))
        found += [Phrase(part, "aside") for part in sentences if _ASIDE.search(part)]
    found += [Phrase(_clean(text), "example") for text in topic.examples if text.strip()]
    found += [Phrase(_clean(text), "not") for text in topic.not_ if text.strip()]
    words = content_words(topic.name) or [_clean(topic.name)]
    found += [Phrase(word, "word") for word in words]
    return tuple(dict.fromkeys(found))


def texts(topics: Iterable[Topic]) -> list[str]:
    """Return every text whose vector is needed to build a matcher, each once, in stable order."""
    return list(dict.fromkeys(phrase.text for topic in topics for phrase in phrases(topic)))


def _clean(text: str) -> str:
    return " ".join(text.split())
