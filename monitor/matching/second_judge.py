"""A desk's own language model as second judge (optional): it can hold back, and nothing else.

Only matches that lie just above their topic's line are shown to it. Its "no" holds a match back;
its "yes", its silence and its nonsense leave our own score as it is. So a feed whose text tries to
instruct the model (prompt injection) can gain nothing: no answer raises a score. Who wants more
found and then checked sets `sensitivity: broad` beside it (docs/decisions/0206).

Every answer is kept by topic and text. There is a budget a day, a deadline for each batch, and a
model that fails is left alone for a while (`monitor.net.endpoint`).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

from monitor.clock import Clock
from monitor.config.schema import Topic
from monitor.config.services import LanguageModelSettings
from monitor.matching.judge_text import fingerprint, topic_text
from monitor.matching.matcher import TopicMatcher
from monitor.model import EmbeddedStory, Judged, Story
from monitor.net.endpoint import Endpoint, NoAnswer
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from monitor.text import one_line

AT_ONCE = 8  # questions on their way at one time
LONGEST = 3_000  # characters of a story that are sent
WHY = 160  # characters of its reason that are kept
_FENCE = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)

log = get_logger(__name__)


class Answering(Protocol):
    """What was asked before, and how much may still be asked today."""

    async def known(self, question: str) -> str | None:
        """Return the answer to a question asked before, or None."""
        ...

    async def keep(self, question: str, answer: str) -> None:
        """Keep an answer."""
        ...

    async def spend(self, per_day: int, now: float) -> bool:
        """Count one more question of this day; False if there were enough."""
        ...


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the model said: whether a story belongs, and why, in its own words."""

    belongs: bool
    why: str = ""


def question(topic: Topic, story: Story) -> str:
    """Return the message that is sent: JSON, so that no text can end its own quotation."""
    text = "\n".join(part for part in (story.summary, story.body) if part)
    about: dict[str, object] = {"description": topic_text(topic)}
    if topic.not_:
        about["does not belong"] = list(topic.not_[:8])
    said = {"topic": about, "story": {"headline": story.title, "text": text[:LONGEST]}}
    return json.dumps(said, ensure_ascii=False)


def read_opinion(answer: str) -> Opinion | None:
    """Read an answer; None for anything but the object that was asked for."""
    fenced = _FENCE.match(answer.strip())
    try:
        data = json.loads(fenced[1] if fenced else answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("belongs"), bool):
        return None
    return Opinion(data["belongs"], one_line(str(data.get("why", "")), WHY))


class SecondJudge:
    """Asks the model about matches just above their threshold.

    Args:
        settings: the model's address (which must be set) and limits.
        asked: what was asked before.
        clock: time.
    """

    def __init__(self, settings: LanguageModelSettings, asked: Answering, clock: Clock) -> None:
        self.settings = settings
        self._endpoint = Endpoint("language_model", settings, clock)
        self._asked, self._clock = asked, clock

    async def over(
        self, matcher: TopicMatcher, stories: Sequence[EmbeddedStory]
    ) -> list[EmbeddedStory]:
        """Return the stories with the model's opinions. Never raises, never takes long."""
        opinions: list[dict[str, tuple[bool, str]]] = [{} for _ in stories]
        turns = asyncio.Semaphore(AT_ONCE)

        async def ask(at: int, topic: Topic) -> None:
            async with turns:
                opinion = await self._opinion(topic, stories[at].story)
            if opinion is not None:
                opinions[at][fingerprint(topic)] = opinion.belongs, opinion.why

        try:
            async with asyncio.timeout(self.settings.deadline), asyncio.TaskGroup() as group:
                for at, topic in self._near(matcher, stories):
                    group.create_task(ask(at, topic))
        except TimeoutError:
            log.info("language_model_late", seconds=self.settings.deadline)
        except Exception as error:  # our own score stands
            log.warning("language_model_failed", error=redact(repr(error)))
        return [
            replace(story, judged=replace(story.judged or Judged("", {}), second=found))
            if found
            else story
            for story, found in zip(stories, opinions, strict=True)
        ]

    def _near(
        self, matcher: TopicMatcher, stories: Sequence[EmbeddedStory]
    ) -> list[tuple[int, Topic]]:
        scores = matcher.score(stories)
        topics = {topic.id: topic for topic in matcher.topics}
        return [
            (at, topics[match.topic])
            for at in range(len(stories))
            for match in scores.fired(at)
            if match.score < match.line + self.settings.near
        ]

    async def _opinion(self, topic: Topic, story: Story) -> Opinion | None:
        asked = question(topic, story)
        name = json.dumps([self.settings.model, prompt(), asked])
        known = await self._asked.known(name)
        if known is not None:
            return read_opinion(known)
        if self._endpoint.resting:
            return None
        if not await self._asked.spend(self.settings.per_day, self._clock.now()):
            log.info("language_model_spent", per_day=self.settings.per_day)
            return None
        try:
            answer = await self._endpoint.chat(prompt(), asked)
        except NoAnswer as error:
            log.info("language_model_no_answer", error=str(error))
            return None
        opinion = read_opinion(answer)
        if opinion is None:
            log.info("language_model_no_answer", error="not the JSON that was asked for")
        else:
            await self._asked.keep(name, answer)
        return opinion

    async def aclose(self) -> None:
        """Close its connections."""
        await self._endpoint.aclose()


@cache
def prompt() -> str:
    """Return what the model is told to do."""
    return Path(__file__).with_name("second_judge_prompt.txt").read_text(encoding="utf-8")
