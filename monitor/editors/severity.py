"""How grave a happening is. Pure but for the model that it is given.

The five levels measure consequence, not wording (docs/explanation/severity.md). A model reads
headline and lead and says how likely each level is reached; a death toll in the headline counts by
itself. Only stories that a topic may take are read: nobody asks how grave the others are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from monitor.editors.death_toll import death_toll, level_of
from monitor.errors import ModelError
from monitor.model import EmbeddedStory, Matrix
from monitor.observability.logs import get_logger
from monitor.reasons import Severity

CANDIDATE = -2.0  # a topic judge's logit (12 %) from which a topic may take a story
REMEMBERED = 20_000  # texts

log = get_logger(__name__)

# Texts -> how likely each is at least routine, notable, major and flash: shape (texts, 4).
Chances = Callable[[Sequence[str]], Matrix]


class SeverityReader:
    """Has stories read for how grave they are. A text that comes again costs nothing."""

    def __init__(self, chances: Chances) -> None:
        self._chances = chances
        self._known: OrderedDict[str, tuple[float, ...]] = OrderedDict()

    def of_candidates(self, stories: Sequence[EmbeddedStory]) -> list[EmbeddedStory]:
        """Return the stories; those that a topic may take have been read."""
        chosen = iter(self.of_all([story for story in stories if _is_candidate(story)]))
        return [next(chosen) if _is_candidate(story) else story for story in stories]

    def of_all(self, stories: Sequence[EmbeddedStory]) -> list[EmbeddedStory]:
        """Return the stories read; as they were if the model fails."""
        texts = [_text(story) for story in stories]
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        try:
            told = self._chances(new) if new else ()
        except ModelError as error:
            log.warning("severity_failed", stories=len(stories), error=str(error))
            return list(stories)
        self._known.update(
            (text, tuple(map(float, row))) for text, row in zip(new, told, strict=True)
        )
        found = [
            replace(one, levels=self._known[text]) for one, text in zip(stories, texts, strict=True)
        ]
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found


def severity_of(item: EmbeddedStory) -> str:
    """Return a story's level as its word, "" where nothing says how grave it is.

    The graver of what the model says and what the headline's death toll is by itself. The model's
    level is the mean of the levels by how likely they are, rounded.
    """
    toll = level_of(death_toll(item.story.title))
    if not item.levels:
        return toll.value if toll is not Severity.NONE else ""
    return max(_read(item), toll, key=Severity.rank).value


def grounds(item: EmbeddedStory) -> str:
    """Return on what a story's level rests, in words: "the headline tells of 12 dead"."""
    toll = death_toll(item.story.title)
    by_toll = level_of(toll)
    if by_toll is not Severity.NONE and Severity.rank(by_toll) >= Severity.rank(_read(item)):
        return f"the headline tells of {toll} dead"
    named = zip(list(Severity)[1:], item.levels, strict=False)
    return ", ".join(f"{word} or more {chance:.0%}" for word, chance in named if chance >= 0.01)


def _read(item: EmbeddedStory) -> Severity:
    return list(Severity)[round(sum(item.levels))]


def _is_candidate(item: EmbeddedStory) -> bool:
    answers = item.judged.answers.values() if item.judged else ()
    return any(logit >= CANDIDATE for logit, _ in answers)


def _text(item: EmbeddedStory) -> str:
    """Return headline and lead, as the model was taught to read them."""
    title = item.passages[0].text
    leads = [passage.text for passage in item.passages if passage.kind == "lead"]
    return f"{title}. {leads[0]}" if leads else title
