"""Measures of decisions (Manning, Raghavan, Schütze 2008, chapter 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
