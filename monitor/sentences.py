"""Running text taken apart into its sentences, whatever its script. Pure.

A dot ends a sentence only where the next begins with a capital, a digit, a quotation mark or a
letter of a script that has no capitals, and not after an initial, an acronym or a common
abbreviation. Chinese, Japanese, Indic, Arabic, Armenian, Ethiopic, Burmese and Khmer have signs of
their own. An ellipsis ends none: it mostly says that something was left out.
"""

from __future__ import annotations

import re

from monitor.text import one_line, strip_invisible

_CLOSE = "[\"'”’»」』）)\\]]*"
_END = re.compile(
    rf"(?P<dot>(?<!\.)[.!?]{_CLOSE})\s+(?=[\"'“‘«„(\[]*[^\W_a-zß-öø-ÿа-яёіїєґα-ω]|[\"“«„])"
    rf"|(?P<sign>(?:[。！？｡।॥։።။។]|[؟۔](?=\s)){_CLOSE})(?![ぁ-ん])\s*"
)
_WHOLE = re.compile(rf"[.!?。！？｡।॥؟۔։።။។]{_CLOSE}$")
_LEFT_OUT = re.compile(rf"(?:…|\.\.\.?|\[…\]|\[\.\.\.\]){_CLOSE}$")
_SHORT = re.compile(
    r"(?:^|[\s(\"“‘«„])(?P<word>[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]|mr|mrs|ms|dr|st|mt|ft|sen|rep|gov|"
    r"gen|lt|col|maj|capt|sgt|cmdr|adm|prof|rev|hon|jr|sr|sra|vs|no|nos|nr|art|inc|ltd|corp|co|bros|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|approx|est|bzw|ca|geb|mme|mlle|mgr|им|ул|гг|"
    r"млн|млрд|тыс|руб)\.$",
    re.IGNORECASE,
)
_QUOTES = ('"', "“”", "«»", "「」")
_BEGINS = re.compile(
    r"(?:The|A|An|He|She|It|They|We|But|And|In|On|At|This|That|Its|His|Her)\b(?!\.)"
)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text in order, each as one clean line. A line break ends one."""
    found: list[str] = []
    for paragraph in strip_invisible(text).split("\n"):
        line, start = one_line(paragraph), 0
        for end in _END.finditer(line):
            if end["dot"] and _is_short(line[start : end.end("dot")], line[end.end() :]):
                continue
            found.append(line[start : end.end()].rstrip())
            start = end.end()
        found.append(line[start:])
    return [sentence for sentence in found if sentence]


def whole_sentences(text: str) -> list[str]:
    """Return only sentences that are there from beginning to end.

    What has no end is left out, unless it is all there is; so is a part of a longer quotation.
    """
    found: list[str] = []
    for paragraph in strip_invisible(text).split("\n"):
        inside = dict.fromkeys(_QUOTES, 0)
        for sentence in sentences(paragraph):
            before = dict(inside)
            for marks in _QUOTES:
                opened, closed = sentence.count(marks[0]), sentence.count(marks[-1])
                inside[marks] += opened % 2 if len(marks) == 1 else opened - closed
            even = not any(count % 2 for count in (*before.values(), *inside.values()))
            if even and _WHOLE.search(sentence) and not _LEFT_OUT.search(sentence):
                found.append(sentence)
    alone = sentences(text)
    return found or [one for one in alone if len(alone) == 1 and not _LEFT_OUT.search(one)]


def _is_short(before: str, after: str) -> bool:
    """Whether the dot that `before` ends with only shortens a word: "U.S.", "Mr.", "Aug."."""
    found = _SHORT.search(before)
    if found is None:
        return False
    letters = len(found["word"]) == 1 or "." in found["word"]
    return not (letters and _BEGINS.match(after))
