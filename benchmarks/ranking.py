"""Measures of ranking (Manning, Raghavan, Schütze 2008, chapter 8)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitor.analysis.quality import quality


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
