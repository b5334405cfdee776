"""How many alerts a day a topic will send, and how sure that is. Pure.

From a service's own stories it is a count. Before there are any, it is read off the vectors of
ordinary news that ship: a topic's scores are probabilities, so their sum is how many of so many
stories an editor would call right. That is the encoder's word alone, without the judge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.matching.topic_profile import Array

STORIES_A_FEED = 40  # a day: what 24 world outlets published on a day (990 items)
REPORTS = 1.5  # matching stories for one first alert: the rest are copies and further reports
_SHIPPED_ERROR = 3.0  # factor by which the estimate from ordinary news may be off, either way
BUSY = 25.0  # alerts a day from which a topic is too much to read


@dataclass(frozen=True, slots=True)
class Volume:
    """First alerts a day of a topic: expected, and from least to most. `basis` says from what."""

    a_day: float
    least: float
    most: float
    basis: str

    @property
    def span(self) -> str:
        """In words: "about 4 alerts a day (1 to 12)", "about one in 5 days (up to 1.2 a day)"."""
        if self.a_day < 0.03:
            return f"hardly any (up to {_number(self.most)} a day)"
        if self.a_day < 0.5:
            return f"about one in {1 / self.a_day:.0f} days (up to {_number(self.most)} a day)"
        span = f"{_number(self.least)} to {_number(self.most)}"
        return f"about {_number(self.a_day)} alerts a day ({span})"

    def __str__(self) -> str:
        return f"{self.span}, by {self.basis}"


def from_stories(events: float, stories: int, days: float) -> Volume:
    """Return the volume by what was counted.

    Args:
        events: happenings that matched, or the sum of their probabilities.
        stories: how many stories were looked at.
        days: how long they took to come in.
    """
    least = max(0.0, math.sqrt(events) - 1.0) ** 2  # of a Poisson count, about 95 %
    most = (math.sqrt(events + 1.0) + 1.0) ** 2
    counted = f"{stories:,} stories of " + (
        f"{days:.0f} days" if days >= 1.5 else f"{24 * days:.0f} hours"
    )
    return Volume(events / days, least / days, most / days, f"your own {counted}")


def from_ordinary_news(scores: Array, stories: float) -> Volume:
    """Return the volume expected of so many `stories` a day.

    Args:
        scores: a topic's calibrated scores of ordinary news, shape (n,).
        stories: how many stories come in a day.
    """
    found = float(np.mean(scores)) * stories / REPORTS
    basis = f"ordinary news at {_number(stories)} stories a day, a rough guess"
    return Volume(found, found / _SHIPPED_ERROR, found * _SHIPPED_ERROR, basis)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.5 else f"{value:.1f}".removesuffix(".0")
