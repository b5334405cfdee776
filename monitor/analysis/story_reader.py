"""All that is read in a story beside its vectors: its topics, and how grave it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.editors.severity import SeverityReader
from monitor.matching import TopicJudge, TopicMatcher
from monitor.model import EmbeddedStory


@dataclass(frozen=True, slots=True)
class StoryReader:
    """The readers of one model; None where it has none."""

    topics: TopicJudge | None = None
    severity: SeverityReader | None = None

    def over(self, matcher: TopicMatcher, stories: Sequence[EmbeddedStory]) -> list[EmbeddedStory]:
        """Return the stories with what was read. What fails leaves them without."""
        found = list(stories)
        if self.topics is not None:
            found = self.topics.over(matcher, found)
        if self.severity is not None:
            found = self.severity.of_candidates(found)
        return found
