"""From publishers' markup to plain text and safe links."""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin, urlsplit

import nh3

from monitor.parsing.document import MAX_LINK
from monitor.text import one_line, paragraphs, strip_invisible

_BLOCKS = {
    "p", "div", "br", "hr", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6",
    "blockquote", "pre", "table", "tr", "section", "article", "header", "footer", "figure",
    "figcaption", "aside", "main", "details", "summary",
}  # fmt: skip
_DROPPED = {
    "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "math",
    "canvas", "audio", "video", "button", "select", "textarea", "form", "head",
}  # fmt: skip
_CLEANER = nh3.Cleaner(
    tags=_BLOCKS | {"td", "th"},
    clean_content_tags=_DROPPED,
    attributes={},
    generic_attribute_prefixes=set(),
    link_rel=None,
    strip_comments=True,
)
_ANY_TAG = re.compile(r"<[^>]*>")  # once nh3 is through, every "<" opens a tag
_MARKUP = re.compile(r"[<&]")
_TAG = re.compile(r"<[a-zA-Z!/]")
# A closing tag, a common element or an entity: only then is text of unsaid type taken for markup.
_HTML_SIGN = re.compile(
    r"</\w+\s*>|<(?:a|b|br|em|hr|i|img|p|strong)\b[^<>]*>|&#?\w+;", re.IGNORECASE
)
_PLAIN_LINK = re.compile(r"https?://[\w.-]+(?::\d{1,4})?(?:[/?#][!-~]*)?", re.ASCII)
# As browsers mend them: "http://https://host", "http:/host", "www.host".
_DOUBLED = re.compile(r"https?:/{0,2}(?=https?:/)", re.IGNORECASE)
_ONE_SLASH = re.compile(r"(https?):/{1,3}(?=[^/])", re.IGNORECASE)
_NO_SCHEME = re.compile(r"www\.[\w-]+\.[\w.-]+(?=[/?#:]|$)", re.IGNORECASE)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_WRAPPED = re.compile(r"\s*[\n\t]\s*")
_GAPS = (("<br>", "\n"), ("<td>", " "), ("</td>", " "), ("<th>", " "), ("</th>", " "))


def looks_like_html(text: str) -> bool:
    """Whether text of unsaid type is markup: a closing tag, an entity or a common tag is in it."""
    return _HTML_SIGN.search(text) is not None


def without_cdata(text: str) -> str:
    """Return what CDATA marks hold that were escaped, and so became part of the text."""
    return _CDATA.sub(r"\1", text) if "<![CDATA[" in text else text


def html_to_text(markup: str, limit: int = 0) -> str:
    """Return the text of `markup`: blocks become paragraphs; scripts, forms and media vanish."""
    if not _MARKUP.search(markup):
        return paragraphs(markup, limit)
    if _TAG.search(markup):
        # Newlines in HTML source are mere spaces; blocks, and breaks in pairs, make paragraphs.
        safe = _CLEANER.clean(markup.replace("\r", " ").replace("\n", " "))
        for tag, gap in _GAPS:
            safe = safe.replace(tag, gap)
        markup = _ANY_TAG.sub("\n\n", safe)
    return paragraphs(html.unescape(markup), limit)


def headline(value: str, *, markup: bool, limit: int) -> str:
    """Return a title as one line of plain text."""
    return one_line(html_to_text(value) if markup else value, limit)


def prose(value: str, *, markup: bool, limit: int) -> str:
    """Return a summary or a body as paragraphs of plain text."""
    return html_to_text(value, limit) if markup else paragraphs(value, limit)


def web_link(value: str, base: str = "") -> str:
    """Return `value` as an absolute http(s) address without userinfo, or "" if it is none.

    A blank within becomes `%20`; a line break with the blanks around it vanishes. What browsers
    mend is mended: a scheme said twice or missing, too few slashes, an `&` escaped once too often.
    """
    if len(value) <= MAX_LINK and _PLAIN_LINK.fullmatch(value) and "&amp;" not in value:
        return value
    text = _WRAPPED.sub("", strip_invisible(value).strip()).replace(" ", "%20")
    text = "".join(text.split()).strip("\"'").replace("&amp;", "&")
    if not text or "<" in text:
        return ""
    if ":\\" in text[:9]:
        text = text.replace("\\", "/")
    text = _ONE_SLASH.sub(r"\1://", _DOUBLED.sub("", text, count=1), count=1)
    if _NO_SCHEME.match(text):
        text = f"https://{text}"
    try:
        absolute = text if "://" in text[:12] else urljoin(base, text)
        parts = urlsplit(absolute)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not host or "%20" in host:
        return ""
    if len(absolute) > MAX_LINK:
        return ""
    if "@" in parts.netloc:
        absolute = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return absolute
