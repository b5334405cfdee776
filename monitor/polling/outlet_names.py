"""The outlet's name at either end of its headlines, learned from the document itself.

"Dam fails - France 24" and "Dam fails" are one headline. What most titles of a document have in
common behind or before a separator is the outlet's, and so is what most titles under one
`<source>` (Google News) have; it is no part of the headline. A dash that one title has is its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from monitor.events.place_names import places
from monitor.folding import fold
from monitor.model import Entry

_DENSE = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"  # scripts that put no blanks between words
_SEPARATOR = re.compile(
    r"\s+[-–—―/·•»«~:]{1,2}\s+|\s+//\s+|\s*[|｜¦_＿：]+\s*|\s*:\s+"
    rf"|(?<=[{_DENSE}])[-－–—]{{1,2}}(?=\w)|(?<=\w)[-－–—]{{1,2}}(?=[{_DENSE}])"
)
_BRACKETS = r"[\[(（【［〔《](?P<label>[^\[\]()（）【】［］〔〕《》]{2,40})[\])）】］〕》]"
_BEFORE = re.compile(rf"^\s*{_BRACKETS}\s*")
_BEHIND = re.compile(rf"\s*{_BRACKETS}\s*$")
_LONGEST = 60  # letters of a name
_LEAST, _LEAST_OF_SOURCE = 3, 2  # titles that must share a name
_REST = 4  # letters and figures of a headline that stay
# Behind a name, what stays is a headline: "Session 157" after a series' name is none.
_HEADLINE = re.compile(rf"(?:\w[^\s]*\W+){{2,}}\w|[{_DENSE}](?:.*[{_DENSE}]){{5,}}")
_NO_LETTER = re.compile(r"[\W_]+")


class OutletNames:
    """What the titles of one document begin or end with besides the headline.

    Args:
        entries: the document's entries.
        names: what the outlet is called: by the configuration, by the feed, by its host.
    """

    def __init__(self, entries: Iterable[Entry], names: Iterable[str]) -> None:
        titles: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            titles[""].add(entry.title)
            if entry.outlet:
                titles[entry.outlet].add(entry.title)
        own = [name for name in map(_squashed, names) if len(name) > 1]
        self._learned = {
            outlet: _shared(
                said,
                _LEAST_OF_SOURCE if outlet else _LEAST,
                [_squashed(outlet)] if outlet else own,
            )
            for outlet, said in titles.items()
        }

    def headline(self, entry: Entry) -> str:
        """Return the title of an entry without the outlet's name; never nothing."""
        title = entry.title
        learned = self._learned.get("", set()) | self._learned.get(entry.outlet, set())
        outlet = _squashed(entry.outlet)
        for _ in range(2):  # it may stand at both ends
            for rest, name in _cuts(title):
                if name in learned or (outlet and _squashed(name.folded) == outlet):
                    title = rest
                    break
        return title


class _Name(NamedTuple):
    """What stands at one end of a title, folded."""

    folded: str
    behind: bool


def _cuts(title: str) -> Iterator[tuple[str, _Name]]:
    """Yield every way to take a name off a title, as (what stays, name): the longest name first."""
    found = list(_SEPARATOR.finditer(title))
    ways = [(title[: at.start()], title[at.end() :], True) for at in found]
    ways += [(title[at.end() :], title[: at.start()], False) for at in reversed(found)]
    for marked, behind in ((_BEHIND.search(title), True), (_BEFORE.match(title), False)):
        if marked is not None:
            rest = title[: marked.start()] + title[marked.end() :]
            ways.append((rest, marked["label"], behind))
    for rest, label, behind in ways:
        enough = _letters(rest) >= _REST and (behind or _HEADLINE.search(rest))
        if len(label) <= _LONGEST and _letters(label) > 1 and enough:
            yield rest.strip(), _Name(fold(label), behind)


def _shared(titles: set[str], least: int, own: list[str]) -> set[_Name]:
    """Return the names that most of the titles have, each beside different headlines."""
    rests: dict[_Name, set[str]] = defaultdict(set)
    for title in titles:
        for rest, name in _cuts(title):
            rests[name].add(fold(rest))
    return {
        name
        for name, said in rests.items()
        if len(said) >= least
        and len(said) * 2 > len(titles)
        and (_akin(_squashed(name.folded), own) or not _names_a_place(name))
    }


def _names_a_place(name: _Name) -> bool:
    """Whether a name is what the headlines are about: "Ukraine: …", "Ukraine war: …", "… - Peru".

    Behind a headline, a place with something more is an outlet: "France 24", "Kyiv Post".
    """
    written = name.folded.title()
    return places().is_name(written) or (not name.behind and bool(places().find(written)))


def _akin(label: str, own: list[str]) -> bool:
    return any(label in name or name in label for name in own)


def _letters(text: str) -> int:
    return len(_NO_LETTER.sub("", text))


def _squashed(text: str) -> str:
    return _NO_LETTER.sub("", fold(text)).removeprefix("the")
