"""What the judge reads of a topic, and the names under which its answers go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from monitor.config.schema import Topic

EXAMPLES = 4  # of a topic that the judge reads; more it was not taught to


def topic_text(topic: Topic) -> str:
    """Return what the judge reads of a topic, as it was taught."""
    parts = [" ".join(part.split()) for part in (topic.name, topic.description)]
    text = ". ".join(part.rstrip(".") if at == 0 else part for at, part in enumerate(parts) if part)
    examples = [" ".join(one.split()) for one in topic.examples[:EXAMPLES] if one.strip()]
    return " | ".join([text, *examples])


def fingerprint(topic: Topic) -> str:
    """Return the name under which a topic's answers go; it changes with what the judge reads."""
    return hashlib.blake2b(topic_text(topic).encode(), digest_size=6).hexdigest()


def all_of(topics: Iterable[Topic]) -> str:
    """Return the name of a set of topics, whatever their order."""
    names = " ".join(sorted({fingerprint(topic) for topic in topics}))
    return hashlib.blake2b(names.encode(), digest_size=6).hexdigest()
