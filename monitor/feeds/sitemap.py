"""News sitemaps (the Google News extension of sitemaps.org), for outlets that dropped RSS."""

from __future__ import annotations

from lxml import etree

from monitor.errors import ParseError
from monitor.feeds.document import EVERYTHING, MAX_ENTRIES, Document, Item
from monitor.feeds.jsonfeed import rfc3339
from monitor.feeds.reference import make_item
from monitor.reasons import FetchReason


def parse(body: bytes, url: str) -> Document:
    """Parse a news sitemap: the newest `MAX_ENTRIES` articles; plain pages are passed over.

    Raises:
        ParseError: `parse_failed` (beyond repair) or `not_a_feed` (a sitemap without news, or an
            index of sitemaps, whose parts are named in the message).
    """
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise ParseError(FetchReason.PARSE_FAILED, f"not valid XML: {error}") from None
    if root is None:
        raise ParseError(FetchReason.PARSE_FAILED, "not valid XML")
    if _name(root) == "sitemapindex":
        parts = [_text(node) for node in root.iter("{*}loc")][:5]
        raise ParseError(
            FetchReason.NOT_A_FEED,
            "this is an index of sitemaps; name one of its parts as the feed: " + ", ".join(parts),
        )
    document = Document(version="sitemap")
    items: list[Item] = []
    plain = 0
    for entry in root.iter("{*}url"):
        fields = {_name(node): _text(node) for node in entry.iter() if node is not entry}
        if not fields.get("title"):
            plain += 1
            continue
        document.title = document.title or fields.get("name", "")
        document.language = document.language or fields.get("language", "")
        items.append(
            make_item(
                guid="",
                title=(fields["title"], ""),
                link=fields.get("loc", ""),
                texts=[],
                published=rfc3339(fields.get("publication_date", "")),
                updated=rfc3339(fields.get("lastmod", "")),
                author="",
                language=fields.get("language", ""),
                base=url,
                atom=False,
                wanted=EVERYTHING,
            )
        )
    if not items and plain:
        raise ParseError(
            FetchReason.NOT_A_FEED,
            f"a sitemap of {plain} pages without news titles; look for the news sitemap",
        )
    items.sort(key=lambda item: -(item["published"] or item["updated"] or 0.0))
    document.items = items[:MAX_ENTRIES]
    if parser.error_log:
        document.warnings.append("not well-formed; read as far as possible")
    return document


def _name(node: etree._Element) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _text(node: etree._Element) -> str:
    return (node.text or "").strip()
