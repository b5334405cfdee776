"""The phrases of a topic: every text whose vector matching needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.config.schema import Topic


@dataclass(frozen=True, slots=True)
class Phrase:
    """One text of a topic and its part in it: name, description, example or counter-example."""

    text: str
    kind: str  # "name", "description", "example" or "not"


def phrases(topic: Topic) -> tuple[Phrase, ...]:
    """Return the topic's phrases: its name first, then description, examples, counter-examples."""
    found = [Phrase(_clean(topic.name), "name")]
    if topic.description.strip():
        found.append(Phrase(_clean(topic.description), "description"))
    found += [Phrase(_clean(text), "example") for text in topic.examples if text.strip()]
    found += [Phrase(_clean(text), "not") for text in topic.not_ if text.strip()]
    return tuple(dict.fromkeys(found))


def texts(topics: Iterable[Topic]) -> list[str]:
    """Return every text whose vector is needed to build a matcher, each once, in stable order."""
    return list(dict.fromkeys(phrase.text for topic in topics for phrase in phrases(topic)))


def positives(found: Sequence[Phrase]) -> list[Phrase]:
    """Return the phrases that say what belongs."""
    return [phrase for phrase in found if phrase.kind != "not"]


def _clean(text: str) -> str:
    return " ".join(text.split())
