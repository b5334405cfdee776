"""An optional second look at what lies near a topic's line: topic and passage read together.

A cross-encoder reads both texts at once, which is slower by orders of magnitude than comparing
vectors and often sharper (Reimers and Gurevych 2019; sbert.net, "Retrieve & Re-Rank"). So only
scores near the line are looked at again, and the second opinion can move them across it, not more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitor.config.schema import Topic
from monitor.matching.matcher import LINES, Scores

# Pairs of texts -> 0 (no) to 1 (yes).
Judge = Callable[[Sequence[tuple[str, str]]], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Asks `judge` about every score within `band` of its line, and moves it by up to `weight` / 2.

    `judge` gets (what the topic says, the passage that decided) and answers from 0 to 1.
    """

    judge: Judge
    band: float = 0.15
    weight: float = 0.3

    def over(self, scores: Scores) -> Scores:
        """Return the scores after the second look; those far from their line are untouched."""
        lines = np.array([LINES[topic.sensitivity] for topic in scores.matcher.topics])
        near = np.argwhere(np.abs(scores.score - lines) <= self.band)
        if not len(near):
            return scores
        pairs = [
            (topic_words(scores.matcher.topics[topic]), scores.evidence(story, topic))
            for story, topic in near
        ]
        opinions = np.clip(self.judge(pairs), 0.0, 1.0)
        moved = scores.score.copy()
        for (story, topic), opinion in zip(near, opinions, strict=True):
            moved[story, topic] += self.weight * (opinion - 0.5)
        return replace(scores, score=np.clip(moved, 0.0, 1.0))


def topic_words(topic: Topic) -> str:
    """Return what a topic says of itself, as one text."""
    return ". ".join(part.rstrip(".") for part in (topic.name, topic.description) if part)
