"""How many alerts a day a topic will send, and how sure that is. Pure.

From a service's own stories it is a count. Before there are any, it is a guess: how many of some
two hundred sentences of ordinary news (our own) the topic takes, on top of what topics usually
take, which is one story in 130 (ten topics on a labelled day of 24 outlets: 75 of 9,900).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

STORIES_A_FEED = 40  # a day: what 24 world outlets published on a day (990 items)
REPORTS = 1.5  # matching stories for one first alert: the rest are copies and further reports
USUAL = 1.0 / 130.0  # of all stories, what belongs to a topic
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
    least, most = _range(events)
    counted = f"{stories:,} stories of " + (
        f"{days:.0f} days" if days >= 1.5 else f"{24 * days:.0f} hours"
    )
    return Volume(events / days, least / days, most / days, f"your own {counted}")


def from_ordinary_news(taken: int, sentences: int, stories: float) -> Volume:
    """Return the volume to be guessed at so many `stories` a day.

    Args:
        taken: how many sentences of ordinary news matched.
        sentences: of how many.
        stories: how many stories come in a day.
    """
    days = (sentences + 1.0 / USUAL) / stories * REPORTS
    least, most = _range(taken + 1.0)
    basis = f"ordinary news at {_number(stories)} stories a day, a rough guess"
    return Volume((taken + 1.0) / days, least / days, most / days, basis)


def _range(count: float) -> tuple[float, float]:
    """Return between what a Poisson count lies, about 95 %."""
    return max(0.0, math.sqrt(count) - 1.0) ** 2, (math.sqrt(count + 1.0) + 1.0) ** 2


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.5 else f"{value:.1f}".removesuffix(".0")
