"""Any document to its entries: tells the formats apart and names what is no feed at all."""

from __future__ import annotations

import re

from monitor.errors import ParseError
from monitor.parsing import feedparser_reader, json_feed, lxml_reader, sitemap
from monitor.parsing.date_reader import DateReader
from monitor.parsing.document import EVERYTHING, Document, Wanted
from monitor.reasons import FetchReason

_ROOT = re.compile(
    rb"<(?:[A-Za-z_][\w.-]*:)?(rss|feed|RDF|channel|entry|urlset|sitemapindex|html|opml)\b",
    re.IGNORECASE,
)
_STRAY = re.compile(rb"<([A-Za-z]\w{0,20}:)item\b")
_LOOK = 8_192
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


def _salvage(
    body: bytes, prefix: bytes, url: str, content_type: str, dates: DateReader
) -> Document | None:
    """Read a document whose elements carry a prefix that nothing declares, as if they did not."""
    bare = re.sub(rb"(</?)" + re.escape(prefix), rb"\1", body)
    start = bare.find(b"<rss")
    document = feedparser_reader.parse(bare[max(0, start) :], url, content_type, dates=dates)
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
    dates = DateReader()
    document = _parse(body, url, content_type, kind, wanted, dates)
    if dates.learns():
        document = _parse(body, url, content_type, kind, wanted, dates)
    document.warnings += dates.warnings()
    return document


def _parse(
    body: bytes, url: str, content_type: str, kind: str, wanted: Wanted, dates: DateReader
) -> Document:
    head = body[:_LOOK].lstrip(b"\xef\xbb\xbf \t\r\n\x00")
    if not head:
        raise ParseError(FetchReason.NOT_A_FEED, "the answer is empty")
    if head[:1] == b"{" and kind != "sitemap":
        return json_feed.parse(body, url, wanted, dates)
    wide = body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in body[:64]
    root = _ROOT.search(body[:_LOOK])
    name = root[1].lower() if root else b""
    if name in (b"urlset", b"sitemapindex") and kind != "feed":
        return sitemap.parse(body, url, dates)
    if kind == "sitemap":
        raise ParseError(FetchReason.NOT_A_FEED, "the answer is no sitemap")
    if name == b"html":
        if looks_like_wall(body):
            raise ParseError(FetchReason.BOT_WALL, "the site answers with a bot check")
        raise ParseError(
            FetchReason.NOT_A_FEED,
            "the answer is a web page, not a feed; `wirewatch feeds discover SITE` finds a site's "
            "feeds",
        )
    if name == b"opml":
        raise ParseError(
            FetchReason.NOT_A_FEED,
            "this is a list of feeds (OPML); use `wirewatch feeds import FILE`",
        )
    if not name and not wide and b"<" not in head:
        raise ParseError(FetchReason.NOT_A_FEED, "the answer is neither XML nor JSON")
    if (plain := lxml_reader.parse(body, url, content_type, wanted, dates)) is not None:
        return plain
    document = feedparser_reader.parse(body, url, content_type, wanted, dates)
    if not document.items and (stray := _STRAY.search(body)):
        document = _salvage(body, stray[1], url, content_type, dates) or document
    if not document.version and not document.items:
        if looks_like_wall(body):
            raise ParseError(FetchReason.BOT_WALL, "the site answers with a bot check")
        raise ParseError(FetchReason.NOT_A_FEED, "the answer has markup, but is no feed")
    return document
