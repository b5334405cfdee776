"""Is this the same text again? By address, headline, wording or wire text; never by topic alone.

Two stories whose headlines differ in a number or a name (of a place, say) are not copies, however
alike: that is how a rising toll, or the next town's fire, is kept from being swallowed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from urllib.parse import urlsplit

from monitor.events.features import Member
from monitor.events.place_names import places
from monitor.events.text import NAME, NUMBER, STATUS, TITLE
from monitor.folding import fold

_LEAST_TERMS = 4  # a headline of fewer content words is too common to be recognised by
_ALIKE = 0.8  # share of headline terms in common
_IN_ORDER = 0.6  # share of neighbouring words in common, between different owners
_SAME_TEXT = 0.6  # share of shingles in common
_OTHER_TEXT = 0.1
_SAME_PAGE_TEXT = 0.3  # share of shingles, and of the shorter headline's terms, from which two
_SAME_PAGE_TITLE = 0.5  # stories at one address are one page edited rather than two alerts
_LEAST_DENSE = 8  # letters that a headline in a script without spaces must have
# " - Outlet" at the end, perhaps in brackets, and "Outlet: " at the beginning; a figure there is
# news, no outlet's name (one with a figure is learned from its feed, `polling.outlet_names`).
_NAME = r"[^\d\-–—|:\s](?:[^\d\-–—|:]|(?<=\S)-(?=\S)){1,39}"
_TAIL_OUTLET = re.compile(
    rf"\s+(?:[-–—|｜·•»]|/{{1,2}})\s+{_NAME}$|[_｜|][^\d_｜|]{{2,40}}$|\s*[(（\[【]{_NAME}[)）\]】]$"
)
_HEAD_OUTLET = re.compile(r"^[^\d:：]{2,24}[:：]\s*")
_THOUSANDS = re.compile(r"(?<=\d)[.,' ](?=\d{3}(?!\d))")
_DENSE = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+")
_INDEXED = 3  # of a sketch's hashes, so many are looked up by


class CopyFinder:
    """Looks up earlier stories by address, headline and text. Holds ids only."""

    def __init__(self) -> None:
        self._by_url: dict[str, str] = {}
        self._by_title: dict[int, str] = {}
        self._by_shingle: dict[int, str] = {}

    def add(self, member: Member) -> None:
        """Remember a story; the first with an address, headline or text stays its holder."""
        for index, keys in self._keys(member):
            for key in keys:
                index.setdefault(key, member.id)

    def drop(self, member: Member) -> None:
        """Forget a story."""
        for index, keys in self._keys(member):
            for key in keys:
                if index.get(key) == member.id:
                    del index[key]

    def candidates(self, member: Member) -> list[str]:
        """Return ids of earlier stories that may be this one's original, likeliest first."""
        found: dict[str, None] = {}
        for index, keys in self._keys(member):
            for key in keys:
                if (story := index.get(key)) is not None and story != member.id:
                    found[story] = None
        return list(found)

    def _keys(self, member: Member) -> Iterable[tuple[dict, list]]:  # type: ignore[type-arg]
        if tells_one_page(member.url):
            yield self._by_url, [member.url]
        yield self._by_title, [hash_of(key) for key in title_keys(member.title)]
        yield self._by_shingle, list(member.sketch[:_INDEXED])


def tells_one_page(url: str) -> bool:
    """Whether an address names one article rather than a site or a section."""
    parts = urlsplit(url)
    return bool(parts.netloc) and (len(parts.path.strip("/")) >= 8 or bool(parts.query))


@lru_cache(maxsize=4096)
def title_keys(title: str) -> dict[str, str]:
    """Return what a headline is recognised by: its letters and digits, with and without an outlet.

    "Quake hits Japan | Example Post" and "Example Post: Quake hits Japan" have the key of "Quake
    hits Japan", in any script. Each key comes with what was left out for it, "" for the whole
    headline. A headline too short to tell has none.
    """
    forms = [(title, "")]
    if (found := _TAIL_OUTLET.search(title)) is not None:
        forms.append((title[: found.start()], found.group()))
        if (section := _TAIL_OUTLET.search(title, 0, found.start())) is not None:
            forms.append((title[: section.start()], title[section.start() :]))
    if (found := _HEAD_OUTLET.search(title)) is not None:
        forms.append((title[found.end() :], found.group()))
    return {key: left_out for form, left_out in reversed(forms) if (key := _title_key(form))}


def same_title(one: str, two: str) -> bool:
    """Whether two headlines are one, an outlet's name at either end of one of them apart.

    What only one of them has may be an outlet; what differs between them is a place or a speaker
    ("Kyiv: dozens hurt", "Lviv: dozens hurt"), and so is a place that the other leaves out.
    """
    mine, theirs = title_keys(one), title_keys(two)
    return any(
        not (mine[key] and theirs[key]) and not places().is_name(mine[key] + theirs[key])
        for key in mine.keys() & theirs.keys()
    )


def _title_key(title: str) -> str:
    folded = _THOUSANDS.sub("", fold(title))
    words = re.findall(r"\w+", folded)
    dense = sum(len(run) for run in _DENSE.findall(folded))
    return "".join(words) if len(words) >= _LEAST_TERMS or dense >= _LEAST_DENSE else ""


def hash_of(key: str) -> int:
    """Return a 64-bit hash, the same on every machine, that takes a third of the key's room."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def kind_of(story: Member, other: Member, cosine: float) -> str:
    """Say in what way `story` repeats `other`: "url", "title", "text", "wording", or "" for not.

    `cosine` is their similarity in meaning; 1.0 where no vectors can be compared.
    """
    kind = _repeats(story, other, cosine)
    return "" if kind and numbers_differ(story, other) else kind


def _repeats(story: Member, other: Member, cosine: float) -> str:
    text = overlap(story.sketch, other.sketch)
    if (
        story.url
        and story.url == other.url
        and tells_one_page(story.url)
        and cosine >= 0.25
        and text_agrees(story, other, text)
    ):
        return "url"
    if same_title(story.title, other.title) and (text is None or text > _OTHER_TEXT):
        return "title"
    if text is not None and text >= _SAME_TEXT and not names_differ(story, other):
        return "text"
    if same_wording(story, other) and (text is None or text > _OTHER_TEXT):
        return "wording"
    return ""


def text_agrees(story: Member, other: Member, text: float | None) -> bool:
    """Whether two stories at one address are one: alert pages give every alert the same link."""
    if text is not None and text > _SAME_PAGE_TEXT:
        return True
    mine, theirs = _headline(story, TITLE), _headline(other, TITLE)
    return len(mine & theirs) >= _SAME_PAGE_TITLE * max(1, min(len(mine), len(theirs)))


def overlap(one: Sequence[int], two: Sequence[int]) -> float | None:
    """Estimate the share of shingles two texts have in common; None if either is too short."""
    if not one or not two:
        return None
    common = set(one).intersection(two)
    if not common:
        return 0.0
    size = min(len(one), len(two))
    smallest = sorted({*one, *two})[:size]
    return len(common.intersection(smallest)) / size


def numbers_differ(one: Member, two: Member) -> bool:
    """Whether each headline has a number the other story lacks, or only one has any."""
    mine, theirs = _headline(one, NUMBER), _headline(two, NUMBER)
    mine.difference_update(two.terms)
    theirs.difference_update(one.terms)
    return bool(mine or theirs)


def names_differ(one: Member, two: Member) -> bool:
    """Whether each headline has a name that the other story lacks altogether."""
    mine, theirs = _headline(one, NAME), _headline(two, NAME)
    mine.difference_update(two.terms)
    theirs.difference_update(one.terms)
    return bool(mine and theirs)


def same_wording(one: Member, two: Member) -> bool:
    """Whether two headlines use nearly the same words, none of the others a name or a status.

    Two owners may well choose the same words; theirs must stand in the same order, too.
    """
    mine, theirs = _headline(one, TITLE), _headline(two, TITLE)
    shared = len(mine & theirs)
    if shared < _LEAST_TERMS or shared < _ALIKE * len(mine | theirs):
        return False
    if one.owner != two.owner:
        pairs, others = _neighbours(one), _neighbours(two)
        if len(pairs & others) < _IN_ORDER * len(pairs | others):
            return False
    telling = _headline(one, NAME) | _headline(two, NAME)
    telling |= _headline(one, STATUS) | _headline(two, STATUS)
    return not (mine ^ theirs) & telling


def _neighbours(member: Member) -> set[tuple[int, int]]:
    """Return the pairs of words next to each other in a headline."""
    words = [term for term, has in zip(member.terms, member.flags, strict=True) if has & TITLE]
    return set(pairwise(words))


def _headline(member: Member, flag: int) -> set[int]:
    wanted = TITLE | flag
    return {
        term for term, has in zip(member.terms, member.flags, strict=True) if has & wanted == wanted
    }
