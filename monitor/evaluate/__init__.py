"""How good matching is, in numbers: average precision, precision, recall, F1."""

from monitor.evaluate.metrics import Quality, average_precision, quality

__all__ = ["Quality", "average_precision", "quality"]
