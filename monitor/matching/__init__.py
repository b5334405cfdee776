"""Topics against stories: calibrated, gated, explained. Pure NumPy, no store, no model."""

from monitor.matching.background import Background
from monitor.matching.matcher import LINES, Scores, TopicMatcher
from monitor.matching.phrases import texts
from monitor.matching.rerank import SecondLook
from monitor.matching.topic_review import Doubt, DoubtKind, review

__all__ = [
    "LINES",
    "Background",
    "Doubt",
    "DoubtKind",
    "Scores",
    "SecondLook",
    "TopicMatcher",
    "review",
    "texts",
]
