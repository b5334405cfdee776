"""Articles' pages: their text, and whether robots may read it. Runs in a parser process."""

from __future__ import annotations

import trafilatura
from protego import Protego

from monitor.parsing.document import MAX_CONTENT
from monitor.text import paragraphs

_LEAST = 200  # characters; less is a teaser, a paywall or a cookie notice


_AGENT = "Wirewatch"


def allows(robots: bytes, url: str) -> bool:
    """Whether a robots.txt (RFC 9309) lets Wirewatch read a page."""
    return bool(Protego.parse(robots.decode("utf-8", "replace")).can_fetch(url, _AGENT))


def extract(page: bytes, url: str) -> str:
    """Return the article's paragraphs, separated by blank lines, or "" if there is no article."""
    text = trafilatura.extract(
        page,
        url=url or None,
        include_comments=False,
        include_tables=False,
        favor_precision=True,
        with_metadata=False,
    )
    if not text or len(text) < _LEAST:
        return ""
    # trafilatura writes one paragraph a line.
    return paragraphs("\n\n".join(str(text).split("\n")), MAX_CONTENT)
