"""What one element of a document says: its text, its link, its type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urljoin

from lxml import etree

from monitor.parsing.element_names import NotPlain
from monitor.parsing.feedparser_reader import HTML_TYPES

_ELSEWHERE = "http://elsewhere.invalid/a/"
# What feedparser mends in every text: Windows-1252 characters that came as C1 controls.
_C1 = {
    code: bytes([code]).decode("cp1252")
    for code in range(128, 160)
    if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}

_C1_SIGN = re.compile("[\x80-\x9f]")


def text_of(node: etree._Element, *, deep: bool = False) -> str:
    """Return the text of an element as feedparser would; NotPlain if it holds elements."""
    if len(node):
        if not deep:
            raise NotPlain  # markup that was not escaped
        text = "".join(_pieces(node))
    else:
        text = node.text or ""
    text = text.strip()
    if text.isascii():
        return text
    with suppress(UnicodeError):
        # A common mistake that feedparser mends: UTF-8 taken for Latin-1 and encoded again.
        text = text.encode("iso-8859-1").decode("utf-8")
    return text.translate(_C1) if _C1_SIGN.search(text) else text


def _pieces(node: etree._Element) -> Iterator[str]:
    for piece in node.itertext():
        yield str(piece)


def is_absolute(link: str) -> bool:
    """Whether a link says the same wherever it stands."""
    try:
        return not link or urljoin(_ELSEWHERE, link) == link
    except ValueError:  # such as http://example.c[o.test/
        return False


def attribute(node: etree._Element, wanted: str, default: str) -> str:
    """Return an attribute, whatever the case of its name."""
    for name, value in node.attrib.items():
        if str(name).lower() == wanted:
            return str(value)
    return default


def media_type(node: etree._Element, default: str) -> str:
    """Return "text/plain" or "text/html"; NotPlain for another type."""
    said = attribute(node, "type", default).lower()
    kind = {"text": "text/plain", "plain": "text/plain", "html": "text/html"}.get(said, said)
    if kind not in ("text/plain", "text/html"):
        raise NotPlain
    return kind


def link_of(node: etree._Element) -> tuple[str, str | None]:
    """Return the relation of a link and where it leads, None for nowhere."""
    href = node.get("url") or node.get("uri") or node.get("href")
    return node.get("rel", "alternate").lower(), href or None


def is_html(node: etree._Element) -> bool:
    """Whether a link leads to a page."""
    kind = node.get("type", "text/html").lower()
    return kind in HTML_TYPES
