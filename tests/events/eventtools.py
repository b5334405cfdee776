"""Stories for the event tests: written here, with vectors made to be as near as a test needs."""

from __future__ import annotations

from functools import cache

import numpy as np

from monitor.config.schema import EventSettings
from monitor.embedding.hashing import HashingEmbedder
from monitor.embedding.passages import passages
from monitor.events import EventIndex, Owners
from monitor.model import EmbeddedStory, Story

NOON = 1_780_000_000.0
HOUR = 3600.0


@cache
def owners() -> Owners:
    """The shipped table, read once."""
    return Owners.load()


def index(window_hours: float = 72) -> EventIndex:
    """An empty index."""
    return EventIndex(EventSettings(window=window_hours * HOUR), owners())


def axis(number: int, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A unit vector along one axis; `noise` turns it a little, the same way for the same seed."""
    vector = np.zeros(64, np.float32)
    vector[number % 64] = 1.0
    if noise:
        vector = vector + noise * np.random.default_rng(seed).standard_normal(64) / 8
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def story(
    id: str, title: str, at: float = 0.0, vector: np.ndarray | None = None, **more: object
) -> EmbeddedStory:
    """A story `at` hours after noon; vectors by spelling unless one is given for all passages."""
    when = NOON + at * HOUR
    told = Story(id=id, title=title, published=when, seen_at=when, **more)  # type: ignore[arg-type]
    parts = passages(told)
    if vector is None:
        vectors = HashingEmbedder(64).encode([part.embedded for part in parts])
    else:
        vectors = np.stack([vector] * len(parts))
    return EmbeddedStory(told, parts, vectors, "made-for-tests")
