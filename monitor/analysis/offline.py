"""The analysis without a store: for replay, backtest and other commands that load the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache

import numpy as np

from monitor.analysis.story_analysis import Analysis
from monitor.analysis.story_reader import StoryReader
from monitor.config.schema import Config, EmbeddingSettings, Topic
from monitor.editors.severity import SeverityReader
from monitor.embedding import Embedder, library_of, open_embedder
from monitor.events.index import EventIndex
from monitor.events.owners import Owners
from monitor.matching import THRESHOLDS, Background, TopicJudge, TopicMatcher, texts
from monitor.matching.background_sentences import SENTENCES
from monitor.matching.topic_profile import Array
from monitor.matching.topic_review import Doubt, review
from monitor.model import EmbeddedStory, Passage, Story
from monitor.models.library import Library

# Closeness from which ordinary news is read, because `check` waits for it: half as many readings as
# from the service's own, and the same guesses for the five topics of the start.
_SCREEN = 1.5


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


def topic_judge(encoder: Embedder) -> TopicJudge | None:
    """Return the judge that goes with an encoder; only the one that comes with Wirewatch has one.

    The same one each time: it remembers what it has read.

    Raises:
        ModelError: its weights are missing or damaged.
    """
    library = library_of(encoder)
    return _judge_of(library) if library else None


@cache
def _judge_of(library: Library) -> TopicJudge:
    judge = library.topic_judge
    return TopicJudge(judge.score, judge.fingerprint, time.monotonic)


def severity_reader(encoder: Embedder) -> SeverityReader | None:
    """Return what reads how grave stories are; only the encoder of Wirewatch comes with one.

    Raises:
        ModelError: its weights are missing or damaged.
    """
    library = library_of(encoder)
    return SeverityReader(library.severity.chances) if library else None


def story_reader(encoder: Embedder) -> StoryReader:
    """Return all that reads stories beside the encoder.

    Raises:
        ModelError: its weights are missing or damaged.
    """
    return StoryReader(topic_judge(encoder), severity_reader(encoder))


def ordinary_news(matcher: TopicMatcher, encoder: Embedder, judge: TopicJudge | None) -> Array:
    """Return which sentences of ordinary news each topic takes: 1 or 0, shape (n, topics)."""
    news = [
        EmbeddedStory(
            Story(id=f"ordinary-{at}", title=text),
            (Passage(0, "title", text, text),),
            vector[None],
            matcher.model,
        )
        for at, (text, vector) in enumerate(zip(SENTENCES, encoder.encode(SENTENCES), strict=True))
    ]
    scores = matcher.score(judge.over(matcher, news, screen=_SCREEN) if judge else news)
    lines = np.array([THRESHOLDS[topic.sensitivity] for topic in matcher.topics], dtype=np.float32)
    return (scores.score >= lines).astype(np.float32)


def review_topics(
    topics: Sequence[Topic], settings: EmbeddingSettings
) -> tuple[list[Doubt], TopicMatcher, Array]:
    """Return what is doubtful about the meaning of topics, the matcher, and `ordinary_news`.

    Raises:
        ModelError: the model is missing or altered.
    """
    encoder = load_encoder(settings)
    matcher, judge = build_matcher(topics, encoder), topic_judge(encoder)
    ordinary = ordinary_news(matcher, encoder, judge)
    return review(topics, matcher, matcher.vectors, judge, ordinary), matcher, ordinary


def offline_analysis(config: Config) -> tuple[Analysis, Embedder]:
    """Return a fresh analysis with an empty window, and the model for its stories."""
    encoder = load_encoder(config.embedding)
    index = EventIndex(config.events, Owners.load(config.events.owners_file))
    matcher = build_matcher(config.topics, encoder)
    return Analysis(matcher, index, story_reader(encoder)), encoder
