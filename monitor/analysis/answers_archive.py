"""Editors' answers with the stories they are about, read anew only when one was added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.alerting.feedback_store import FeedbackStore
from monitor.analysis.archive import AnalysisStore
from monitor.config.schema import Topic
from monitor.matching.answers import AnsweredStory


class AnswersArchive:
    """Reads answers whose stories are still kept.

    Args:
        feedback: the answers.
        archive: the stories and their vectors.
    """

    def __init__(self, feedback: FeedbackStore, archive: AnalysisStore) -> None:
        self._feedback = feedback
        self._archive = archive
        self._seen = -1

    async def changed(self) -> bool:
        """Whether an answer was given or taken back since `read` was called."""
        return self._seen != await self._feedback.version()

    async def read(
        self, topics: Sequence[Topic], model: str
    ) -> Mapping[str, Sequence[AnsweredStory]]:
        """Return the answers of each topic, oldest first; those of another model are left out."""
        seen = await self._feedback.version()
        found: dict[str, Sequence[AnsweredStory]] = {}
        for topic in topics:
            verdicts = await self._feedback.all(topic.id)
            if not verdicts:
                continue
            known = await self._archive.answered([one.story for one in verdicts], model)
            found[topic.id] = [
                AnsweredStory(one.story, title, one.good, one.by, one.at, vector)
                for one in verdicts
                if one.story in known
                for title, vector in [known[one.story]]
            ]
        self._seen = seen
        return found
