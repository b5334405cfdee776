"""How grave a happening is. Pure but for the model that it is given.

The five levels measure consequence, not wording (docs/explanation/severity.md). A model reads
headline and lead and says how likely each level is reached; a death toll in the headline counts by
itself. The service has those stories read that a topic may take (analysis/story_reader.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from monitor.death_toll import death_toll
from monitor.errors import ModelError
from monitor.model import EmbeddedStory, Matrix
from monitor.observability.logs import get_logger
from monitor.reasons import Severity

# How likely a level must be; chosen on held-out reports for the best agreement with a reader.
CUTS = (0.65, 0.3, 0.65, 0.75)
LEAD = 400  # characters of it that are read
REMEMBERED = 20_000  # texts

log = get_logger(__name__)

# Texts -> how likely each is at least routine, notable, major and flash: shape (texts, 4).
Chances = Callable[[Sequence[str]], Matrix]


class SeverityReader:
    """Has stories read for how grave they are. A text that comes again costs nothing."""

    def __init__(self, chances: Chances) -> None:
        self._chances = chances
        self._known: OrderedDict[str, tuple[float, ...]] = OrderedDict()

    def over(self, stories: Sequence[EmbeddedStory]) -> list[EmbeddedStory]:
        """Return the stories read; as they were if the model fails."""
        texts = [story.headline_and_lead(LEAD) for story in stories]
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        try:
            told = self._chances(new) if new else ()
        except ModelError as error:
            log.warning("severity_failed", stories=len(stories), error=str(error))
            return list(stories)
        for text, row in zip(new, told, strict=True):
            self._known[text] = tuple(round(float(chance), 3) for chance in row)
        found = [
            replace(one, levels=self._known[text]) for one, text in zip(stories, texts, strict=True)
        ]
        for text in texts:
            self._known.move_to_end(text)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found


def severity_of(item: EmbeddedStory) -> str:
    """Return a story's level as its word, "" where it is not known.

    What the model says, or one level more if the headline's death toll says so: a toll that is far
    graver than the rest of the text is background. Without a reading only a toll that makes the
    gravest level counts: any other may be too little, and would hold a story back.
    """
    toll = Severity.rank(level_of(death_toll(item.story.title)))
    levels = list(Severity)
    if not item.levels:
        return levels[-1].value if levels[toll] is levels[-1] else ""
    read = _read(item)
    return levels[max(read, min(toll, read + 1))].value


def level_of(toll: int) -> Severity:
    """Return the level that a number of dead has by itself; none for a single one or none."""
    steps = ((100, Severity.FLASH), (10, Severity.MAJOR), (2, Severity.NOTABLE))
    return next((level for least, level in steps if toll >= least), Severity.NONE)


def grounds(item: EmbeddedStory) -> str:
    """Return on what a story's level rests, in words: "the headline tells of 12 dead"."""
    toll = death_toll(item.story.title)
    if Severity.rank(level_of(toll)) > (_read(item) if item.levels else -1) and toll > 1:
        return f"the headline tells of {toll} dead"
    named = zip(list(Severity)[1:], item.levels, strict=False)
    return ", ".join(f"at least {word} {chance:.0%}" for word, chance in named if chance >= 0.01)


def _read(item: EmbeddedStory) -> int:
    return sum(chance >= cut for chance, cut in zip(item.levels, CUTS, strict=True))
