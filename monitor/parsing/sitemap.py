"""News sitemaps (the Google News extension of sitemaps.org), for outlets that dropped RSS."""

from __future__ import annotations

from lxml import etree

from monitor.errors import ParseError
from monitor.parsing.date_reader import DateReader
from monitor.parsing.document import EVERYTHING, MAX_ENTRIES, Document, FeedItem
from monitor.parsing.feedparser_reader import make_item
from monitor.reasons import FetchReason
from monitor.text import one_line


def parse(
    body: bytes, url: str, dates: DateReader | None = None, *, well_formed: bool = True
) -> Document:
    """Parse a news sitemap: the newest `MAX_ENTRIES` articles; plain pages are passed over.

    Args:
        body: the document in UTF-8, without an XML declaration.
        url: where it came from, for relative links.
        dates: reads the document's dates and keeps what is doubtful about them.
        well_formed: whether it is XML; else it is read as far as possible.

    Raises:
        ParseError: `parse_failed` (beyond repair) or `not_a_feed` (a sitemap without news, or an
            index of sitemaps, whose parts are named in the message).
    """
    dates = dates or DateReader()
    dates.begin()
    parser = etree.XMLParser(
        encoding="utf-8",
        recover=not well_formed,
        resolve_entities="internal",
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise ParseError(FetchReason.PARSE_FAILED, f"not valid XML: {error}") from None
    if root is None:
        raise ParseError(FetchReason.PARSE_FAILED, "not valid XML")
    if _split(root)[1] == "sitemapindex":
        parts = [one_line(_text(node), 200) for node in root.iter("{*}loc")][:5]
        raise ParseError(
            FetchReason.NOT_A_FEED,
            "this is an index of sitemaps; name one of its parts as the feed: " + ", ".join(parts),
        )
    document = Document(version="sitemap")
    items: list[FeedItem] = []
    plain = 0
    for entry in root.iter("{*}url"):
        # A page's images and videos have addresses, titles and dates of their own.
        page = _texts(entry)
        news = next((node for node in entry if _split(node)[1] == "news"), None)
        told = {} if news is None else _texts(news)
        if not told.get("title"):
            plain += 1
            continue
        document.title = document.title or told.get("name", "")
        document.language = document.language or told.get("language", "")
        dates.language = document.language
        items.append(
            make_item(
                guid="",
                title=(told["title"], ""),
                link=page.get("loc", ""),
                texts=[],
                published=dates.read(told.get("publication_date", "")),
                updated=dates.read(page.get("lastmod", "")),
                author="",
                language=told.get("language", ""),
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
    return document


def _texts(element: etree._Element) -> dict[str, str]:
    """Return name -> text of all below an element that is of its own vocabulary."""
    own = _split(element)[0]
    below = ((*_split(node), _text(node)) for node in element.iterdescendants())
    return {name: text for vocabulary, name, text in below if vocabulary == own}


def _split(node: etree._Element) -> tuple[str, str]:
    """Return a tag as (namespace, or a prefix that nothing declares; name)."""
    tag = node.tag if isinstance(node.tag, str) else ""
    at = max(tag.rfind("}"), tag.rfind(":")) + 1
    return tag[:at], tag[at:]


def _text(node: etree._Element) -> str:
    return "".join(node.itertext()).strip()
