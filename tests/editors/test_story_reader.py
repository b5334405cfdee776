"""Who is read for severity: what a topic may take, whether or not the topic judge answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from monitor.analysis.offline import build_matcher, topic_judge
from monitor.analysis.story_reader import StoryReader
from monitor.config.schema import Topic
from monitor.editors.severity import SeverityReader
from monitor.embedding import embed_stories
from monitor.embedding.multilingual import MultilingualEmbedder
from monitor.errors import ModelError
from monitor.matching import TopicJudge
from monitor.model import Matrix, Story

pytestmark = pytest.mark.slow

STRIKES = Topic(id="energy", name="Attacks on power plants, grids and refineries")
STORIES = [
    Story(id="on", title="Drones hit a power plant near Kharkiv, half the city is dark"),
    Story(id="off", title="Five ways to keep a small kitchen tidy"),
]


def fails(topics: Sequence[str], stories: Sequence[str]) -> Matrix:
    """A judge that has no memory left."""
    raise ModelError("out of memory")


@pytest.mark.parametrize("judge", ["real", "failed", "none"])
def test_only_what_a_topic_may_take_is_read(judge: str, multilingual: MultilingualEmbedder) -> None:
    """Ordinary news costs nothing; without a judge the encoder's score says who is read."""
    asked: list[str] = []

    def chances(texts: Sequence[str]) -> Matrix:
        asked.extend(texts)
        return np.full((len(texts), 4), 0.5, np.float32)

    judges = {
        "real": topic_judge(multilingual),
        "failed": TopicJudge(fails, "x", lambda: 0.0),
        "none": None,
    }
    reader = StoryReader(judges[judge], SeverityReader(chances))
    matcher = build_matcher([STRIKES], multilingual)
    found = reader.over(matcher, embed_stories(multilingual, STORIES, 4))
    assert [bool(one.levels) for one in found] == [True, False]
    assert asked == [STORIES[0].title]
    assert reader.over(build_matcher([], multilingual), found) == found
