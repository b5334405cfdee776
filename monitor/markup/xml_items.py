"""An ill-formed document made well-formed item by item, so that one bad item spoils no other.

feedparser reads an ill-formed document with other rules than a well-formed one: of 97 real feeds, a
single stray tag changed GUIDs, links or texts of other items in 23. So the bad element alone is
mended: what it holds becomes text, or the element is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from monitor.markup.xml_repair import fault_of, masked

_ITEMS = {
    root: re.compile(rf"<((?:[A-Za-z_][\w.-]*:)?{item})(?=[\s>])[^<>]*>")
    for root, item in (
        ("rss", "item"), ("rdf", "item"), ("channel", "item"), ("feed", "entry"),
        ("urlset", "url"), ("sitemapindex", "sitemap"),
    )
}  # fmt: skip
_TAG = re.compile(r"<([A-Za-z_][\w:.-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>")
_NAMESPACE = re.compile(r"\bxmlns(?::[\w.-]+)?\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')")
_MOST = 5_000
# What these hold is elements, not text: each is mended on its own.
_CONTAINERS = frozenset({"news", "publication", "author", "contributor", "source", "group"})


def mend_items(text: str, root: str) -> tuple[str, int] | None:
    """Return the document well-formed, and how many items were mended or left out.

    None if it is broken elsewhere than in and after its items. `root` is the name of the document's
    first element, in lower case.
    """
    if root not in _ITEMS:
        return None
    bare = masked(text)
    spans = list(_items(bare, _ITEMS[root]))
    if not spans or len(spans) > _MOST:
        return None
    head, tail = text[: spans[0][0]], text[spans[-1][1] :]
    open_elements = _left_open(head)
    if open_elements is None:
        return None
    closing = "".join(f"</{name}>" for name in reversed(open_elements))
    if fault_of((head + tail).encode()):
        tail = closing
    wrap = " ".join(dict.fromkeys(_NAMESPACE.findall(head)))
    pieces, mended = [head], 0
    for at, (start, end, name) in enumerate(spans):
        block = text[start:end]
        if _sound(block, wrap):
            pieces.append(block)
        else:
            mended += 1
            pieces.append(_mended(block, bare[start:end], name, wrap))
        after = spans[at + 1][0] if at + 1 < len(spans) else end
        if _sound(between := text[end:after], wrap):
            pieces.append(between)
    whole = "".join([*pieces, tail])
    return None if fault_of(whole.encode()) else (whole, mended)


def _items(bare: str, item: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and name of each item; one that is not closed ends before the next."""
    opened = list(item.finditer(bare))
    for at, found in enumerate(opened):
        limit = opened[at + 1].start() if at + 1 < len(opened) else len(bare)
        name = found[1]
        closing = bare.find(f"</{name}", found.end(), limit)
        end = bare.find(">", closing, limit) + 1 if closing >= 0 else 0
        if end or at + 1 < len(opened):  # the last one may have been cut off: half of it is lost
            yield found.start(), end or limit, name


def _left_open(head: str) -> list[str] | None:
    """Return the elements that are open at the end of `head`, outermost first."""
    stack: list[str] = []
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = lambda name, _: stack.append(name)
    parser.EndElementHandler = lambda _: stack.pop()
    try:
        parser.Parse(head.encode(), False)
    except expat.ExpatError:
        return None
    return stack


def _sound(piece: str, wrap: str) -> bool:
    return not piece.strip() or not fault_of(f"<_ {wrap}>{piece}</_>".encode())


def _mended(block: str, bare: str, name: str, wrap: str) -> str:
    """Return an item of those elements that are sound, or become so when they are text."""
    lower = bare.lower()
    opened = bare.index(">") + 1
    start = block[:opened]
    if not _sound(f"{start}</{name}>", wrap):
        start = f"<{name}>"
    pieces, at = [start], opened
    while tag := _TAG.search(bare, at):
        at = tag.end()
        if tag[2].endswith("/"):
            whole = block[tag.start() : at]
        else:
            closing = lower.find(f"</{tag[1].lower()}", at)
            closed = closing >= 0
            if not closed:  # it holds what comes before the next tag
                closing = max(bare.find("<", at), at)
            inner, begin = block[at:closing], block[tag.start() : at]
            at = max(bare.find(">", closing) + 1, closing) if closed else closing
            whole = block[tag.start() : at]
            if _sound(whole, wrap):
                pass
            elif tag[1].rpartition(":")[2] in _CONTAINERS:
                whole = _mended(whole, bare[tag.start() : at], tag[1], wrap)
            else:
                whole = f"{begin}{inner.replace('<', '&lt;').replace('>', '&gt;')}</{tag[1]}>"
        if _sound(whole, wrap):
            pieces.append(whole)
    return "".join([*pieces, f"</{name}>"])
