"""Under which name feedparser handles an element: by its namespace, whatever its prefix."""

from __future__ import annotations

import re
from functools import lru_cache

from lxml import etree

# Under these addresses feedparser knows elements that reach our fields, whatever their prefix.
_PREFIXES = {
    "": "",
    "http://backend.userland.com/rss": "",
    "http://blogs.law.harvard.edu/tech/rss": "",
    "http://purl.org/rss/1.0/": "",
    "http://my.netscape.com/rdf/simple/0.9/": "",
    "http://purl.org/rss/1.0/modules/rss091#": "",
    "http://purl.org/atom/ns#": "",
    "http://www.w3.org/2005/atom": "",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://purl.org/rss/1.0/modules/content/": "content",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://search.yahoo.com/mrss": "media",
    "http://search.yahoo.com/mrss/": "media",
    "http://www.georss.org/georss": "georss",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "http://www.w3.org/1999/xhtml": "xhtml",
    "http://www.w3.org/xml/1998/namespace": "xml",
}
# Forms of Atom and RSS from before they had an address: left to the reference.
_DRAFTS = re.compile(r"necho|newformat#|purl\.org/(?:echo|pie)/|echo/namespace#")


class NotPlain(Exception):
    """The document needs the reference."""


def element_name(node: etree._Element) -> str:
    """Return the name under which feedparser would handle an element."""
    if not isinstance(node.tag, str):
        raise NotPlain
    if (name := _known_name(node.tag)) is not None:
        return name
    space, _, local = node.tag.rpartition("}")
    prefix = (node.prefix or "").lower()
    if (
        "userland" in space
        or _DRAFTS.search(space)
        or sum(1 for uri in node.nsmap.values() if uri == space[1:]) > 1
    ):
        raise NotPlain
    return f"{prefix}_{local.lower()}" if prefix else local.lower()


@lru_cache(maxsize=1024)
def _known_name(tag: str) -> str | None:
    """Return the name of an element in no namespace or in one that feedparser knows."""
    space, _, local = tag.rpartition("}")
    prefix = _PREFIXES.get(space[1:].lower()) if space else ""
    if prefix is None:
        return None
    return f"{prefix}_{local.lower()}" if prefix else local.lower()
