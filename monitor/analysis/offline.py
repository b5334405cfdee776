"""The analysis without a store: for replay, backtest and other commands that load the model."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.analysis.story_analysis import Analysis
from monitor.config.schema import Config, EmbeddingSettings, Topic
from monitor.embedding import Embedder, open_embedder
from monitor.events.index import EventIndex
from monitor.events.owners import Owners
from monitor.matching import Background, SecondLook, TopicMatcher, texts
from monitor.matching.topic_review import Doubt, review


def load_encoder(settings: EmbeddingSettings) -> Embedder:
    """Load the model the settings name, as the service's embedder does.

    Raises:
        ModelError: it is missing or altered.
    """
    return open_embedder(settings)


def build_matcher(topics: Sequence[Topic], encoder: Embedder) -> TopicMatcher:
    """Make topics ready with a model at hand."""
    phrases = texts(topics)
    vectors = dict(zip(phrases, encoder.encode(phrases), strict=True))
    background = Background.of(encoder.fingerprint, encoder.encode)
    return TopicMatcher.build(topics, vectors, background)


def second_look(settings: EmbeddingSettings) -> SecondLook | None:
    """Load the cross-encoder for scores near their line, if the settings name one.

    Raises:
        ModelError: it cannot be loaded.
    """
    if not settings.second_look:
        return None
    from monitor.matching.rerank_model import load_judge

    return SecondLook(load_judge(settings.second_look))


def review_topics(topics: Sequence[Topic], settings: EmbeddingSettings) -> list[Doubt]:
    """Return what is doubtful about the meaning of topics.

    Raises:
        ModelError: the model is missing or altered.
    """
    matcher = build_matcher(topics, load_encoder(settings))
    return review(topics, matcher, matcher.vectors)


def offline_analysis(config: Config) -> tuple[Analysis, Embedder]:
    """Return a fresh analysis with an empty window, and the model for its stories."""
    encoder = load_encoder(config.embedding)
    index = EventIndex(config.events, Owners.load(config.events.owners_file))
    matcher = build_matcher(config.topics, encoder)
    return Analysis(matcher, index, second_look(config.embedding)), encoder
