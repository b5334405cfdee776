"""The real model, once, and ways to make stories and matchers with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from monitor.config.schema import Topic
from monitor.embedding.passages import passages
from monitor.embedding.transformer import TransformerEmbedder
from monitor.matching import Background, TopicMatcher, texts
from monitor.model import EmbeddedStory, Story, Vector


@pytest.fixture(scope="session")
def model(transformer: TransformerEmbedder) -> TransformerEmbedder:
    """The model that these tests' figures belong to."""
    return transformer


@pytest.fixture(scope="session")
def background(model: TransformerEmbedder) -> Background:
    """The background shipped for it."""
    found = Background.shipped(model.fingerprint)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def vectors_of(model: TransformerEmbedder) -> Callable[..., dict[str, Vector]]:
    """Vectors for what some topics need."""

    def make(*topics: Topic) -> dict[str, Vector]:
        needed = texts(topics)
        return dict(zip(needed, model.encode(needed), strict=True))

    return make


@pytest.fixture(scope="session")
def matcher_of(
    background: Background, vectors_of: Callable[..., dict[str, Vector]]
) -> Callable[..., TopicMatcher]:
    """A matcher of some topics."""
    return lambda *topics: TopicMatcher.build(topics, vectors_of(*topics), background)


@pytest.fixture(scope="session")
def embedded(model: TransformerEmbedder) -> Callable[..., EmbeddedStory]:
    """A story with its vectors."""

    def make(title: str, **fields: object) -> EmbeddedStory:
        story = Story(id=title[:20], title=title, **fields)  # type: ignore[arg-type]
        parts = passages(story, 24)
        vectors = model.encode([part.embedded for part in parts])
        return EmbeddedStory(story, parts, np.asarray(vectors), model.fingerprint)

    return make
