"""Topics against stories: calibrated, gated, explained. Pure NumPy, no store, no model."""

from monitor.match.background import Background
from monitor.match.matcher import LINES, Scores, TopicMatcher
from monitor.match.phrases import texts

__all__ = ["LINES", "Background", "Scores", "TopicMatcher", "texts"]
