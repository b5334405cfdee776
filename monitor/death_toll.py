"""How many dead a headline reports, where it says so in English. Pure.

A language model reads numbers badly: "kills 2" and "kills 240" are nearly one text to it. So a toll
that the headline newly states is read as what it is: for how grave a story is, and for whether it
tells an event's readers anything new. Background is not counted: a toll after "after", "that" or
"following", in a text that looks back, or in one that only fears it.
"""

from __future__ import annotations

import re

_WORDS = {
    word: number
    for number, word in enumerate(
        (
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ),
        2,
    )
} | {"dozens": 24, "scores": 40, "hundreds": 200, "thousands": 2000}
_NUMBER = rf"(\d{{1,3}}(?:,\d{{3}})+|\d{{1,6}}|{'|'.join(_WORDS)})"
_BEFORE = re.compile(  # "at least 15 people dead"
    rf"\b{_NUMBER}\+?(?:\s+(?!wounded|injured|missing|hurt|from|since|as|in)\w+){{0,3}}?"
    r"\s+(?:(?:are|were|have|been|confirmed|now)\s+)*"
    r"(?:dead|deaths?|died?|dies|killed|bodies|perished|drowned)\b",
    re.IGNORECASE,
)
_AFTER = re.compile(  # "kills at least 15", "death toll rises to 146"
    r"\b(?:kill(?:s|ed|ing)?|death toll(?:\s+\w+){0,4}?)\s+"
    r"(?:(?:at|least|more|than|over|nearly|about|around|up|to|rises|hits|reaches|some|the)\s+)*"
    rf"{_NUMBER}\b(?!\s*(?:%|per|years?|days?|hours?|minutes?|months?|weeks?|wounded|injured))",
    re.IGNORECASE,
)
_LOOKS_BACK = re.compile(
    r"\b(fear(?:ed|s)?|could|may|might|threat\w*|years?|decades?|since|anniversar\w*|history|trial"
    r"|convict\w*|sentenced|jailed|charged|remember\w*|memorial|ago|accused|century|annual\w*|film"
    r"|movie|why|[12]\d{3}|elephants?|cattle|birds?|whales?|animals?|dogs?|horses?)\b",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(r"\b(after|that|which|following|over)\b", re.IGNORECASE)


def death_toll(headline: str) -> int:
    """Return the highest number of dead that a headline newly reports, 0 if it names none."""
    if _LOOKS_BACK.search(headline):
        return 0
    found = [
        number[1]
        for pattern in (_BEFORE, _AFTER)
        for number in pattern.finditer(headline)
        if not _BACKGROUND.search(headline[: number.start()])
    ]
    return max((_WORDS.get(word.casefold()) or _count(word) for word in found), default=0)


def _count(digits: str) -> int:
    return int(digits.replace(",", ""))
