"""All that is read in a story beside its vectors: its topics, and how grave it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.editors.severity import SeverityReader
from monitor.matching import THRESHOLDS, TopicJudge, TopicMatcher
from monitor.matching.answers import MOST_LOWERED, moved_line
from monitor.model import EmbeddedStory

# The lowest that a threshold can be: the broadest one, lowered by editors' answers.
MAY_FIRE = moved_line(min(THRESHOLDS.values()), -MOST_LOWERED)


@dataclass(frozen=True, slots=True)
class StoryReader:
    """The readers of one model; None where it has none."""

    topics: TopicJudge | None = None
    severity: SeverityReader | None = None

    def over(self, matcher: TopicMatcher, stories: Sequence[EmbeddedStory]) -> list[EmbeddedStory]:
        """Return the stories with what was read. What fails leaves them without.

        How grave a story is, is read only if a topic may take it: nobody asks for the others.
        """
        found = list(stories)
        if self.topics is not None:
            found = self.topics.over(matcher, found)
        if self.severity is None or not matcher.topics or not found:
            return found
        may_fire = matcher.score(found).score.max(axis=1) >= MAY_FIRE
        chosen = [story for story, may in zip(found, may_fire, strict=True) if may]
        read = iter(self.severity.over(chosen))
        return [next(read) if may else story for story, may in zip(found, may_fire, strict=True)]
