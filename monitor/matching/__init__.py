"""Topics against stories: calibrated, gated, explained. Pure NumPy, no store, no model."""

from monitor.matching.background import Background
from monitor.matching.match_score import THRESHOLDS
from monitor.matching.matcher import Scores, TopicMatcher
from monitor.matching.phrases import texts
from monitor.matching.topic_judge import TopicJudge
from monitor.matching.topic_review import Doubt, DoubtKind, review

__all__ = [
    "THRESHOLDS",
    "Background",
    "Doubt",
    "DoubtKind",
    "Scores",
    "TopicJudge",
    "TopicMatcher",
    "review",
    "texts",
]
