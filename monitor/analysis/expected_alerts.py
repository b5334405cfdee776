"""How many alerts a day each topic will send: by the archive where there is one, else a guess."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.analysis.archive import AnalysisStore
from monitor.config.schema import Config, Topic
from monitor.matching import TopicMatcher
from monitor.matching.topic_profile import Array
from monitor.matching.volume import STORIES_A_FEED, Volume, from_ordinary_news, from_stories
from monitor.reasons import SuppressionReason

SINCE = 7 * 86400.0
MOST = 3_000  # newest stories that are looked at
LEAST = 100  # and the fewest that say something
_BATCH = 256
_UNJUDGED = 0.02  # scores below this are taken for nothing

_CLOSED = (
    SuppressionReason.LANGUAGE,
    SuppressionReason.OUT_OF_SCOPE,
    SuppressionReason.NOT_REQUIRED,
    SuppressionReason.EXCLUDED,
)


def guessed(topics: Sequence[Topic], ordinary: Array, config: Config) -> dict[str, Volume]:
    """Return each topic's volume by ordinary news, for the feeds there are.

    `ordinary` says which sentences of ordinary news each topic takes, shape (n, topics).
    """
    feeds = sum(feed.enabled for feed in config.feeds)
    stories = float(STORIES_A_FEED * max(feeds, 5))
    return {
        topic.id: from_ordinary_news(int(ordinary[:, at].sum()), len(ordinary), stories)
        for at, topic in enumerate(topics)
    }


async def counted(archive: AnalysisStore, matcher: TopicMatcher, now: float) -> dict[str, Volume]:
    """Return each topic's volume by the newest stories kept; {} where there are too few.

    A match counts where a judge has read topic and story; where none has (the topic is new), its
    probability counts. Reports of one event are one alert.
    """
    rows = await archive.newest(now - SINCE, now, matcher.model, MOST)
    rows = [(item, record) for item, record in rows if not item.story.baseline]
    items = [item for item, _ in rows]
    events = {item.story.id: str(record.get("event", "")) for item, record in rows}
    days = (now - items[0].story.seen_at) / 86400.0 if items else 0.0
    if len(items) < LEAST or days < 0.25:
        return {}
    found: dict[str, dict[str, float]] = {topic.id: {} for topic in matcher.topics}
    for start in range(0, len(items), _BATCH):
        scores = matcher.score(items[start : start + _BATCH])
        for at, place in np.argwhere(scores.score >= _UNJUDGED):
            match = scores.match(int(at), int(place))
            story = scores.stories[at].story.id
            if match.judged == "encoder":
                weight = 0.0 if match.reason in _CLOSED else match.score
            else:
                weight = float(match.fired)
            known, event = found[match.topic], events[story] or story
            known[event] = max(known.get(event, 0.0), weight)
    return {
        topic: from_stories(sum(weights.values()), len(items), days)
        for topic, weights in found.items()
    }
