"""The judge's part in matching: it reads topic and story together where the encoder sees a chance.

The encoder screens: of each story it lets through the topics that it is close enough to, the
likeliest first, no more than a few. Headline and lead are read as one; a stretch of the text is
read by itself, so that an article on talks with one paragraph on strikes is found for both.
Answers are kept by topic and text: a copy costs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.errors import ModelError
from monitor.matching.judge_text import all_of, fingerprint, topic_text
from monitor.matching.matcher import TopicMatcher
from monitor.model import EmbeddedStory, Judged, Matrix
from monitor.observability.logs import get_logger

SCREEN = 1.0  # closeness from which headline and lead are read
SCREEN_BODY = 2.2  # and a stretch of the text
MOST = 10  # readings of one story
REMEMBERED = 50_000  # answers
PART = 64  # readings between two looks at the clock
DEADLINE = 20.0  # seconds for one batch; what is not read by then goes by the encoder

log = get_logger(__name__)

# Texts of topics, texts of stories -> a logit for each pair.
Score = Callable[[Sequence[str], Sequence[str]], Matrix]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One thing to read: a passage of a story for a topic."""

    story: int
    topic: int
    passage: int
    closeness: float
    text: str


class TopicJudge:
    """Asks the judge about stories.

    Args:
        score: the judge.
        name: its fingerprint.
        clock: seconds that only grow, to keep the deadline.
        deadline: seconds for one batch.
    """

    def __init__(
        self, score: Score, name: str, clock: Callable[[], float], *, deadline: float = DEADLINE
    ) -> None:
        self.name = name
        self._score, self._clock, self._deadline = score, clock, deadline
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def over(
        self,
        matcher: TopicMatcher,
        stories: Sequence[EmbeddedStory],
        *,
        screen: float = SCREEN,
        only: Collection[int] | None = None,
    ) -> list[EmbeddedStory]:
        """Return the stories with the judge's answers. One that fails leaves them without.

        Headline and lead are read from the closeness `screen` on; if `only` is given, for the
        topics at those places alone: of the others nothing is known then.
        """
        if not matcher.topics or not stories:
            return list(stories)
        readings = self._screened(matcher, stories, screen, only)
        names = [fingerprint(topic) for topic in matcher.topics]
        texts = [topic_text(topic) for topic in matcher.topics]
        try:
            late = self._read([(texts[one.topic], one.text) for one in readings])
        except ModelError as error:
            log.warning("judge_failed", stories=len(stories), error=str(error))
            return list(stories)
        answers: list[dict[str, tuple[float, int]]] = [{} for _ in stories]
        partly = {readings[at].story for at in late}
        strength: dict[tuple[int, str], float] = {}
        for reading in readings:
            logit = self._known.get((texts[reading.topic], reading.text))
            if logit is None:
                continue
            # What decides is both opinions together, as in the score (match_score.py).
            place = (reading.story, names[reading.topic])
            if logit + reading.closeness > strength.get(place, -np.inf):
                strength[place] = logit + reading.closeness
                answers[reading.story][place[1]] = (logit, reading.passage)
        everything = all_of(matcher.topics)
        return [
            replace(story, judged=Judged("" if at in partly else everything, answers[at]))
            for at, story in enumerate(stories)
        ]

    def _screened(
        self,
        matcher: TopicMatcher,
        stories: Sequence[EmbeddedStory],
        screen: float,
        only: Collection[int] | None,
    ) -> list[_Reading]:
        """Return what is worth reading, the likeliest of the batch first."""
        found: list[_Reading] = []
        for at, (story, close) in enumerate(zip(stories, matcher.closeness(stories), strict=True)):
            lead = max(one.index for one in story.passages if one.kind != "body")
            head, text = close[: lead + 1].max(axis=0), story.headline_and_lead()
            own = [_Reading(at, int(topic), lead, float(head[topic]), text)
                   for topic in np.flatnonzero(head >= screen)]  # fmt: skip
            for passage, topic in np.argwhere(close[lead + 1 :] >= SCREEN_BODY):
                place = lead + 1 + int(passage)
                stretch = story.passages[place].text
                own.append(_Reading(at, int(topic), place, float(close[place, topic]), stretch))
            own = [one for one in own if only is None or one.topic in only]
            found += sorted(own, key=lambda one: -one.closeness)[:MOST]
        return sorted(found, key=lambda one: -one.closeness)

    def _read(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        """Ask about what is not known yet; return the positions that were not reached in time."""
        until = self._clock() + self._deadline
        new = list(dict.fromkeys(pair for pair in pairs if pair not in self._known))
        for start in range(0, len(new), PART):
            if self._clock() > until:
                break
            part = new[start : start + PART]
            told = self._score([topic for topic, _ in part], [text for _, text in part])
            self._known.update(zip(part, map(float, told), strict=True))
        for pair in pairs:
            if pair in self._known:
                self._known.move_to_end(pair)
        late = [at for at, pair in enumerate(pairs) if pair not in self._known]
        if late:
            log.warning("judge_late", unread=len(late), seconds=self._deadline)
        while len(self._known) > max(REMEMBERED, len(pairs)):
            self._known.popitem(last=False)
        return late
