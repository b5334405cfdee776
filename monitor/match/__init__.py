"""Topics against stories: calibrated, gated, explained. Pure NumPy, no store, no model."""

from monitor.match.background import Background
from monitor.match.judge import Doubt, DoubtKind, judge
from monitor.match.matcher import LINES, Scores, TopicMatcher
from monitor.match.phrases import texts
from monitor.match.second import SecondLook

__all__ = [
    "LINES",
    "Background",
    "Doubt",
    "DoubtKind",
    "Scores",
    "SecondLook",
    "TopicMatcher",
    "judge",
    "texts",
]
