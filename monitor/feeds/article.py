"""The text of an article's page, by trafilatura. Runs in a parser process of its own kind."""

from __future__ import annotations

import trafilatura

from monitor.feeds.document import MAX_CONTENT
from monitor.text import paragraphs

_LEAST = 200  # characters; less is a teaser, a paywall or a cookie notice


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
