"""JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1)."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from monitor.errors import ParseError
from monitor.parsing.date_reader import DateReader
from monitor.parsing.document import EVERYTHING, MAX_ENTRIES, MAX_TITLE, Document, FeedItem, Wanted
from monitor.parsing.feedparser_reader import make_item, note_link
from monitor.parsing.html_text import web_link
from monitor.reasons import FetchReason
from monitor.text import one_line

_DECODER = json.JSONDecoder(strict=False)  # control characters within texts are common
_ENTITY = re.compile(r"&#?\w{1,40};")
_ITEMS = re.compile(r'"items"\s*:\s*\[')
_NEXT = re.compile(r"\}\s*,\s*(?=\{)")
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(
    text: str, url: str, wanted: Wanted = EVERYTHING, dates: DateReader | None = None
) -> Document:
    """Parse a JSON Feed; items that are not objects are passed over with a warning.

    Of a document that is not valid JSON, cut off in the middle or with one bad item, the items that
    are whole are read.

    Raises:
        ParseError: `parse_failed` (not JSON) or `not_a_feed` (JSON, but no JSON Feed).
    """
    dates = dates or DateReader()
    dates.begin()
    try:
        data, end, fault = *_DECODER.raw_decode(text), ""
    except (ValueError, RecursionError) as error:
        data, end, fault = _whole_items(text), len(text), str(error)
        if data is None:
            raise ParseError(FetchReason.PARSE_FAILED, f"not valid JSON: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        raise ParseError(FetchReason.NOT_A_FEED, "the answer is JSON, but no JSON Feed")
    home = web_link(_text(data.get("home_page_url")), url)
    version = _text(data.get("version"))
    document = Document(
        version="json11" if version.endswith("1.1") else "json1",
        title=one_line(_plain(data.get("title")), MAX_TITLE),
        link=home,
        language=one_line(_text(data.get("language")), 40),
        self_url=web_link(_text(data.get("feed_url")), url),
        next_url=web_link(_text(data.get("next_url")), url),
    )
    if "jsonfeed.org/version" not in version:
        document.warnings.append("no JSON Feed version; read as one because it has items")
    if fault:
        document.warnings.append(f"not valid JSON: {fault}; the items that are whole are read")
    if text[end:].strip(" \t\r\n);"):
        document.warnings.append("what follows the JSON is left out")
    hubs = data.get("hubs")
    for hub in hubs if isinstance(hubs, list) else ():
        if isinstance(hub, dict) and _text(hub.get("type")).lower() == "websub":
            note_link(document, "hub", _text(hub.get("url")), url)
    items = data["items"][:MAX_ENTRIES]
    dates.language = document.language
    document.items = [
        _item(raw, data, document, wanted, dates) for raw in items if isinstance(raw, dict)
    ]
    if len(document.items) < len(items):
        document.warnings.append(f"{len(items) - len(document.items)} items are no objects")
    return document


def _whole_items(text: str) -> dict[str, Any] | None:
    """Return what can be read of a faulty document: its head and the items that are sound."""
    opened = _ITEMS.search(text)
    if opened is None:
        return None
    try:
        data = json.loads(text[: opened.end()] + "]}", strict=False)
    except (ValueError, RecursionError):
        data = {}
    items: list[Any] = []
    at = opened.end()
    while len(items) < MAX_ENTRIES:
        try:
            item, at = _DECODER.raw_decode(text, text.index("{", at))
        except (ValueError, RecursionError):
            following = _NEXT.search(text, at)
            if following is None:
                break
            at = following.end()
            continue
        if "id" in item:  # else an author or an attachment of an item that is not whole
            items.append(item)
    return {**data, "items": items} if items else None


def _item(
    raw: dict[str, Any],
    feed: dict[str, Any],
    document: Document,
    wanted: Wanted,
    dates: DateReader,
) -> FeedItem:
    texts = [
        (_plain(raw.get("summary")), "text/plain"),
        (_plain(raw.get("content_text")), "text/plain"),
        (_text(raw.get("content_html")), "text/html"),
    ]
    if texts[1][0] and texts[2][0]:
        texts.pop(1)  # two forms of one text
    return make_item(
        guid=_text(raw.get("id")),
        title=(_plain(raw.get("title")), "text/plain"),
        link=_text(raw.get("url")) or _text(raw.get("external_url")),
        texts=[(value, kind) for value, kind in texts if value],
        published=dates.read(_text(raw.get("date_published"))),
        updated=dates.read(_text(raw.get("date_modified"))),
        author=_author(raw) or _author(feed),
        language=_text(raw.get("language")) or document.language,
        base=document.link or document.self_url,
        atom=True,
        wanted=wanted,
    )


def _author(data: dict[str, Any]) -> str:
    authors = data.get("authors")
    people = authors if isinstance(authors, list) else [data.get("author")]
    names = [_text(person.get("name")) for person in people if isinstance(person, dict)]
    return ", ".join(name for name in names if name)


def _plain(value: object) -> str:
    """Return a text that is plain by the specification; publishers put HTML entities into it."""
    return _ENTITY.sub(lambda found: html.unescape(found[0]), _text(value))


def _text(value: object) -> str:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)  # half a character: "\\ud83d"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # ids are often numbers
    return ""
