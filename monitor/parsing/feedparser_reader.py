"""The reference parser: feedparser, with its cleaning off and ours on.

Everything else that reads RSS, RDF or Atom here must give what this gives.
"""

from __future__ import annotations

import re
from typing import Any

import feedparser

from monitor.identity import content_hash
from monitor.parsing.date_reader import DateReader
from monitor.parsing.document import (
    EVERYTHING,
    MAX_CONTENT,
    MAX_ENTRIES,
    MAX_GUID,
    MAX_SUMMARY,
    MAX_TITLE,
    Document,
    FeedItem,
    Wanted,
)
from monitor.parsing.html_text import headline, looks_like_html, prose, web_link, without_cdata
from monitor.text import one_line

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HTML_TYPES = frozenset({"html", "xhtml", "text/html", "application/xhtml+xml"})
_ADDRESS = re.compile(r"\s*(?:https?:/|/|www\.)", re.IGNORECASE)
_MARKUP = ("text/html", "application/xhtml+xml")


def parse(
    body: bytes, url: str, wanted: Wanted = EVERYTHING, dates: DateReader | None = None
) -> Document:
    """Parse an RSS, RDF or Atom document, well-formed or not.

    Args:
        body: the document in UTF-8, without an XML declaration.
        url: where it came from, for relative links.
        wanted: of which entries the texts are wanted.
        dates: reads the document's dates and keeps what is doubtful about them.
    """
    dates = dates or DateReader()
    dates.begin()
    # Without a base address feedparser leaves identifiers byte for byte; links are made absolute
    # by `web_link`.
    raw = feedparser.parse(
        body,
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    feed = raw.feed
    base = url or web_link(str(feed.get("link") or ""))
    document = Document(
        version=raw.get("version") or "",
        title=headline(str(feed.get("title") or ""), markup=True, limit=MAX_TITLE),
        link=web_link(str(feed.get("link") or ""), url),
        language=one_line(str(feed.get("language") or ""), 40),
        ttl=minutes(feed.get("ttl")),
        skip_hours=hours(all_text(body, b"hour")) if b"skipHours" in body else [],
        skip_days=days(all_text(body, b"day")) if b"skipDays" in body else [],
    )
    for link in feed.get("links", ()):
        note_link(document, str(link.get("rel", "")), str(link.get("href", "")), url)
    dates.language = document.language
    document.items = [
        item(entry, document, base, wanted, dates) for entry in raw.entries[:MAX_ENTRIES]
    ]
    if len(raw.entries) > MAX_ENTRIES:
        document.warnings.append(
            f"{len(raw.entries)} entries; only the first {MAX_ENTRIES} are read"
        )
    return document


def item(entry: Any, document: Document, base: str, wanted: Wanted, dates: DateReader) -> FeedItem:
    """Return our fields of one entry of feedparser's."""
    atom = document.version.startswith("atom")
    title = str(entry.get("title") or "")
    kind = str((entry.get("title_detail") or {}).get("type", ""))
    contents = entry.get("content", ())
    texts = [(str(c["value"]), str(c.get("type", ""))) for c in contents if c.get("value")]
    value = str(entry.get("summary") or "")
    if value and value not in (text for text, _ in texts):  # else a copy of the content
        texts.append((value, str((entry.get("summary_detail") or {}).get("type", ""))))
    return make_item(
        guid=str(entry.get("id") or ""),
        title=(title, kind),
        link=_link(entry, document, atom),
        texts=texts,
        published=dates.read(_raw(entry, "published")) or dates.read(_raw(entry, "created")),
        updated=dates.read(_raw(entry, "updated")),
        author=str(entry.get("author") or ""),
        outlet="" if atom else str((entry.get("source") or {}).get("title") or ""),
        language=str((entry.get("title_detail") or {}).get("language") or document.language),
        base=base,
        atom=atom,
        wanted=wanted,
    )


def make_item(
    *,
    guid: str,
    title: tuple[str, str],
    link: str,
    texts: list[tuple[str, str]],
    published: float | None,
    updated: float | None,
    author: str,
    language: str,
    base: str,
    atom: bool,
    wanted: Wanted,
    outlet: str = "",
) -> FeedItem:
    """Clean the raw fields of an entry; `title` and `texts` are (value, media type) pairs."""
    title = without_cdata(title[0]), title[1]
    texts = [(without_cdata(value), kind) for value, kind in texts]
    name = headline(title[0], markup=_is_markup(title[0], title[1], atom), limit=MAX_TITLE)
    fingerprint, length = content_hash(name, (value for value, _ in texts))
    summary, content = "", ""
    if not wanted.passes_over(fingerprint, length, published or updated):
        summary, content = _summary_and_content(texts, atom)
        if not (name or summary):
            length = 0  # all markup
    return FeedItem(
        guid=guid.strip()[:MAX_GUID],
        title=name,
        link=web_link(without_cdata(link), base),
        summary=summary,
        content=content,
        published=published,
        updated=updated,
        author=headline(author, markup=True, limit=200),
        outlet=headline(outlet, markup=True, limit=100),
        language=one_line(language, 40),
        fingerprint=fingerprint,
        length=length,
    )


def _summary_and_content(texts: list[tuple[str, str]], atom: bool) -> tuple[str, str]:
    """Return the shortest text and, where there are several, the longest.

    Whichever element they stood in: publishers use description, encoded and summary in every
    permutation.
    """
    cleaned = [
        prose(value, markup=_is_markup(value, kind, atom), limit=MAX_CONTENT)
        for value, kind in dict.fromkeys(texts)
    ]
    cleaned = sorted({text for text in cleaned if text}, key=lambda text: (len(text), text))
    summary, content = "", ""
    if len(cleaned) > 1:
        summary, content = cleaned[0], cleaned[-1]
    elif cleaned:
        summary = cleaned[0]
    if len(summary) > MAX_SUMMARY:
        content, summary = content or summary, summary[:MAX_SUMMARY].rstrip()
    return summary, content


def note_link(document: Document, rel: str, href: str, base: str) -> None:
    """Take note of a feed-level link that matters to polling."""
    target = web_link(href, base)
    if not target:
        return
    if rel == "hub":
        document.hub = document.hub or target
    elif rel == "self":
        document.self_url = document.self_url or target
    elif rel == "next":
        document.next_url = document.next_url or target


def hours(values: list[str]) -> list[int]:
    """Return the valid hours of `<skipHours>`; 24 means 0, as in RSS 0.91."""
    return sorted({int(v) % 24 for v in values if v.isdigit() and v.isascii() and int(v) <= 24})


def days(values: list[str]) -> list[int]:
    """Return the days of `<skipDays>`, 0 Monday to 6 Sunday."""
    return sorted({_DAYS.index(v.lower()) for v in values if v.lower() in _DAYS})


def _link(entry: Any, document: Document, atom: bool) -> str:
    link = _alternate(entry, document) if atom else str(entry.get("link") or "")
    guid = str(entry.get("id") or "")
    return "" if entry.get("guidislink") and is_no_address(link, guid) else link


def is_no_address(link: str, guid: str) -> bool:
    """Whether a link is but a GUID that may be a permalink, and is none: a number, say."""
    return link == guid and not _ADDRESS.match(link)


def _alternate(entry: Any, document: Document) -> str:
    pages: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []  # a PDF, say
    for link in entry.get("links", ()):
        if link.get("rel") == "alternate":
            said = (str(link.get("hreflang") or ""), str(link.get("href") or ""))
            (pages if link.get("type", "text/html") in HTML_TYPES else others).append(said)
    return choose_alternate(pages or others, document.language) or str(entry.get("link") or "")


def choose_alternate(links: list[tuple[str, str]], language: str) -> str:
    """Return the entry's own page of several (hreflang, address): the first in its language."""
    primary = language.lower().partition("-")[0]
    for said, href in links:
        if not said or said.lower().partition("-")[0] == primary:
            return href
    return links[0][1] if links else ""


def _raw(entry: Any, name: str) -> str:
    # Not `entry.get`: where there is no update, that gives the publication.
    return str(dict.get(entry, name) or "")


def minutes(value: object) -> float:
    """Return the seconds of a `<ttl>` in minutes; 0 for nonsense."""
    text = str(value or "").strip()
    return float(text[:7]) * 60.0 if text.isdigit() and text.isascii() else 0.0


def _is_markup(value: str, kind: str, atom: bool) -> bool:
    # Atom says of what type a text is and means it; in RSS the default is to guess.
    if kind in _MARKUP:
        return True
    return not atom and looks_like_html(value)


def all_text(body: bytes, tag: bytes) -> list[str]:
    """Return the texts of every `tag`; feedparser keeps the last <hour> or <day> only."""
    found = []
    for piece in body.split(b"<" + tag + b">")[1:50]:
        found.append(piece[:20].split(b"<", 1)[0].decode("ascii", "replace").strip())
    return found
