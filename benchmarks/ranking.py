"""Measures of ranking and of decisions (Manning, Raghavan, Schütze 2008, chapter 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Quality:
    """What a threshold makes of labelled stories."""

    precision: float
    recall: float
    f1: float


def quality(fired: Sequence[bool], labels: Sequence[bool]) -> Quality:
    """Return precision, recall and F1 of decisions; precision is 1 where nothing fired."""
    said, truth = np.asarray(fired, dtype=bool), np.asarray(labels, dtype=bool)
    hits = float((said & truth).sum())
    precision = hits / said.sum() if said.any() else 1.0
    recall = hits / truth.sum() if truth.any() else 1.0
    f1 = 2 * hits / (said.sum() + truth.sum()) if said.any() or truth.any() else 1.0
    return Quality(float(precision), float(recall), float(f1))


def average_precision(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Return the mean of the precisions at each true story, ranked by score; 0 without any.

    Ties are broken against us: of equal scores, false stories rank first.
    """
    truth = np.asarray(labels, dtype=bool)
    if not truth.any():
        return 0.0
    order = np.lexsort((truth, -np.asarray(scores, dtype=float)))
    ranked = truth[order]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].mean())


def best_f1(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Return the F1 of the best threshold in hindsight: what no line of ours can exceed."""
    values: npt.NDArray[np.float64] = np.asarray(scores, dtype=float)
    return max(quality((values >= line).tolist(), labels).f1 for line in np.unique(values))
