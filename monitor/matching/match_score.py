"""From what encoder and judge say to one score: how likely an editor calls the match right.

Logistic regressions, fitted by `python -m training.match_score` on topics that neither model was
taught, among ordinary news at its natural rate: about one story in a hundred belongs to a topic.
The encoder's part holds the topic's own background, the words of its name, and the editors'
examples and counter-examples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.models import base

Array = npt.NDArray[np.float32]

# A topic's sensitivity is a promise of how many of its alerts are right or arguable.
THRESHOLDS = {"strict": 0.65, "balanced": 0.5, "broad": 0.35}


@dataclass(frozen=True, slots=True)
class Standing:
    """How passages stand to topics by the encoder, each (passages, topics).

    `whole` is the closeness to the topic as a whole and `margin` the one of topic_profile.py, both
    in standard deviations of ordinary news; `contrast` is what an editor's examples and
    counter-examples add to the margin.
    """

    whole: Array
    margin: Array
    contrast: Array

    def part(self, start: int, end: int) -> Standing:
        """Return some of the passages."""
        parts = (one[start:end] for one in (self.whole, self.margin, self.contrast))
        return Standing(*parts)

    def without_contrast(self) -> Standing:
        """Return what it would be if the topic had no counter-examples."""
        return Standing(self.whole, self.margin, np.zeros_like(self.contrast))

    def of_bodies(self, allowance: Array, share: Array) -> Standing:
        """Return it with what is taken off body passages, and the headline's share in them."""
        if not share.any():
            return self
        drawn = (one + share[:, None] * (one[:1] - one) for one in (self.margin, self.contrast))
        margin, contrast = drawn
        return Standing(self.whole, margin - allowance[:, None], contrast)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of one encoder.

    `alone` and `judged`: of closeness, margin and logit, and the constant, without and with an
    answer of the judge. `examples`: what an answer on a topic with examples is worth more, since
    the judge knows better then. `kept_out`: the most that a story can have which the encoder did
    not show to the judge. All in log-odds.
    """

    alone: tuple[float, float, float]
    judged: tuple[float, float, float, float]
    examples: float = 0.7
    kept_out: float = -3.0

    def log_odds(self, standing: Standing, logit: float | None = None) -> Array:
        """Return log-odds for each passage and topic."""
        if logit is None:
            (whole, margin, constant), judge = self.alone, 0.0
        else:
            whole, margin, weight, constant = self.judged
            judge = weight * logit
        found = whole * standing.whole + margin * standing.margin + standing.contrast
        return np.asarray(found + judge + constant, dtype=np.float32)


# Of any other encoder nothing is known: its margin is read as log-odds.
PLAIN = Calibration((0.0, 1.0, 0.0), (0.7, 0.21, 0.7, -2.5))
_FITTED = {base.NAME: Calibration((0.6, 0.8, -4.0), (0.7, 0.21, 0.7, -2.7))}


def calibration(model: str) -> Calibration:
    """Return the weights for an encoder by its fingerprint (`name/weights/tN`)."""
    return _FITTED.get(model.split("/")[0], PLAIN)


def probability(log_odds: Array) -> Array:
    """Return probabilities from 0 to 1."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -30, 30))), dtype=np.float32)
