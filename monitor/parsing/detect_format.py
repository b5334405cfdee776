"""Any document to its entries: tells the formats apart and names what is no feed at all."""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitor.errors import ParseError
from monitor.markup.decoding import decode
from monitor.markup.xml_items import mend_items
from monitor.markup.xml_repair import fault_of, mend, start_of_markup
from monitor.parsing import feedparser_reader, json_feed, lxml_reader, sitemap
from monitor.parsing.date_reader import DateReader
from monitor.parsing.document import EVERYTHING, Document, Wanted
from monitor.reasons import FetchReason

_ROOT = re.compile(
    r"<(?:[A-Za-z_][\w.-]*:)?(rss|feed|RDF|channel|entry|urlset|sitemapindex|html|opml)\b",
    re.IGNORECASE,
)
_JSON_FEED = re.compile(r'\{\s*"(?:version|title|home_page_url|feed_url|items)"\s*:')
_NOTICE = 16_384  # what a server may write before a document
_STRAY = re.compile(rb"<([A-Za-z]\w{0,20}:)item\b")
# Only what a challenge alone holds: the scripts of such services, and the captchas of forms and
# log-ins, are on ordinary pages, too.
_WALL_MARKS = (
    b"_cf_chl_opt",
    b"cf-chl-",
    b"attention required! | cloudflare",
    b"used cloudflare to restrict access",
    b"captcha-delivery.com",
    b"px-captcha",
    b"gokuprops",
    b"incapsula incident id",
    b"errors.edgesuite.net",
    b"sucuri website firewall",
    b"<title>access denied</title>",
)
_WALL_WORDS = (
    b"just a moment...",
    b"captcha",
    b"are you a robot",
    b"you are human",
    b"you are a human",
    b"human verification",
    b"access to this page has been denied",
)
_TITLE = re.compile(rb"<title[^>]{0,99}>([^<]{0,200})")
_SMALL_PAGE = 4_096


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document as the readers take it: UTF-8 from its first element on, mended if need be.

    `root` is the name of its first element in lower case, "" if it is none that we know.
    `well_formed` says whether it is (now) XML. `text` is `body` before it was encoded.
    """

    text: str
    body: bytes
    root: str
    well_formed: bool
    warnings: list[str]


def prepare(body: bytes, content_type: str = "") -> PreparedDocument:
    """Decode and mend a document of any format."""
    text, warnings = decode(body, content_type)
    text = text.lstrip("\ufeff \t\r\n\x00")
    if not text.startswith("<") and text[:1] in ("{", ""):
        return PreparedDocument(text, b"", "", False, warnings)
    start, root = start_of_markup(text, _ROOT)
    if not root and (json_feed_at := _JSON_FEED.search(text, 0, _NOTICE)):
        start = json_feed_at.start()
        warnings.append(f"{start} characters before the document are left out")
        return PreparedDocument(text[start:], b"", "", False, warnings)
    text = text[start:]
    if start:
        warnings.append(f"{start} characters before the document are left out")
    data = text.encode()
    if fault := fault_of(data):
        warnings.append(f"not well-formed: {fault}")
        text = mend(text)
        if (fault := fault_of(text.encode())) and (found := mend_items(text, root.lower())):
            text, fault = found[0], ""
            if found[1]:
                warnings.append(f"{found[1]} ill-formed item(s) read as far as possible")
        data = text.encode()
    return PreparedDocument(text, data, root.lower(), not fault, warnings)


def _salvage(
    found: PreparedDocument, prefix: bytes, url: str, dates: DateReader
) -> Document | None:
    """Read a document whose elements carry a prefix that nothing declares, as if they did not."""
    bare = re.sub(rb"(</?)" + re.escape(prefix), rb"\1", found.body)
    start = bare.find(b"<rss")
    document = feedparser_reader.parse(bare[max(0, start) :], url, dates=dates)
    if not document.items:
        return None
    document.warnings.append(f"read without the stray prefix {prefix.decode('ascii')!r}")
    return document


def looks_like_wall(body: bytes) -> bool:
    """Whether an HTML answer is a bot wall rather than a page.

    Its words count in the title, and anywhere on a page so small that there is nothing else on it.
    """
    page = body[:32_768].lower()
    title = _TITLE.search(page)
    said = page if len(body) < _SMALL_PAGE else title[1] if title else b""
    return any(mark in page for mark in _WALL_MARKS) or any(word in said for word in _WALL_WORDS)


def parse(
    body: bytes,
    url: str,
    content_type: str = "",
    kind: str = "auto",
    wanted: Wanted = EVERYTHING,
) -> Document:
    """Parse one document of any known format.

    Args:
        body: the document; may be empty or anything at all.
        url: where it came from, for relative links.
        content_type: the Content-Type header, "" if there was none.
        kind: "auto", "feed" or "sitemap".
        wanted: of which entries the texts are wanted.

    Raises:
        ParseError: `not_a_feed`, `bot_wall` or `parse_failed`.
    """
    found, dates = prepare(body, content_type), DateReader()
    document = _parse(found, url, kind, wanted, dates)
    if dates.learns():
        document = _parse(found, url, kind, wanted, dates)
    document.warnings = found.warnings + document.warnings + dates.warnings()
    if not document.items:
        document.warnings.append("the document has no entries")
    return document


def _parse(
    found: PreparedDocument, url: str, kind: str, wanted: Wanted, dates: DateReader
) -> Document:
    if not found.text:
        raise ParseError(FetchReason.NOT_A_FEED, "the answer is empty")
    if found.text[0] == "{" and kind != "sitemap":
        return json_feed.parse(found.text, url, wanted, dates)
    if found.root in ("urlset", "sitemapindex") and kind != "feed":
        return sitemap.parse(found.body, url, dates, well_formed=found.well_formed)
    if kind == "sitemap":
        raise ParseError(FetchReason.NOT_A_FEED, "the answer is no sitemap")
    if found.root == "html":
        if looks_like_wall(found.body):
            raise ParseError(FetchReason.BOT_WALL, "the site answers with a bot check")
        raise ParseError(
            FetchReason.NOT_A_FEED,
            "the answer is a web page, not a feed; `wirewatch feeds discover SITE` finds a site's "
            "feeds",
        )
    if found.root == "opml":
        raise ParseError(
            FetchReason.NOT_A_FEED,
            "this is a list of feeds (OPML); use `wirewatch feeds import FILE`",
        )
    if not found.root and "<" not in found.text:
        raise ParseError(FetchReason.NOT_A_FEED, "the answer is neither XML nor JSON")
    if found.well_formed and (plain := lxml_reader.parse(found.body, url, wanted, dates)):
        return plain
    document = feedparser_reader.parse(found.body, url, wanted, dates)
    if not document.items and (stray := _STRAY.search(found.body)):
        document = _salvage(found, stray[1], url, dates) or document
    if not document.version and not document.items:
        if looks_like_wall(found.body):
            raise ParseError(FetchReason.BOT_WALL, "the site answers with a bot check")
        raise ParseError(FetchReason.NOT_A_FEED, "the answer has markup, but is no feed")
    return document
