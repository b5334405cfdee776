"""OPML subscription lists: read as feeds with their folders as tags, and written back.

OPML 2.0: http://opml.org/spec2.opml (subscription lists use `type`, `text`, `xmlUrl`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from monitor.config.names import slug
from monitor.config.schema import FeedSource
from monitor.markup.decoding import decode
from monitor.markup.outlines import mend_outlines
from monitor.markup.xml_repair import fault_of, mend, start_of_markup

_MAX_DEPTH = 30
_ENTITY = re.compile(r"&#?\w{1,40};")
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}(?:[:/?]|$)")
_ROOT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?(opml)\b", re.IGNORECASE)
# As browsers and podcast programs write the address of a feed.
_FEED_SCHEME = re.compile(r"(?:feeds?|rss|itpcs?|pcasts?|podcast):(?://)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outline:
    """One feed of a list: its settings as the file has them, and the line it stands on."""

    line: int
    url: str
    name: str
    tags: tuple[str, ...]
    language: str


def read_opml(
    raw: bytes, short: Callable[[str], str] = slug
) -> tuple[list[Outline], list[tuple[int, str]]]:
    """Return the feeds of an OPML document, and what was wrong with it as (line, message).

    Ill-formed documents are mended; what is still broken then is read outline by outline.
    Nothing is fetched, entities of the document's own are not followed. `short` makes tags from the
    names of folders.
    """
    from lxml import etree

    text, warnings = decode(raw)
    faults = [(1, warning) for warning in warnings]
    start, known = start_of_markup(text, _ROOT)
    lines_before, text = text.count("\n", 0, start), text[start:]
    if fault_of(text.encode()):
        text = mend(text)
    if known and (fault := fault_of(text.encode())):
        faults.append((1, f"the XML is broken ({fault}); compare the number of feeds with yours"))
        text = mend_outlines(text)
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, recover=True, load_dtd=False
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None or not isinstance(root.tag, str):
        return [], [(1, "this is not OPML; export it again from your feed reader")]
    if etree.QName(root).localname.lower() != "opml":
        return [], [(1, f"this is <{etree.QName(root).localname}>, not OPML; is it a feed?")]
    found: list[Outline] = []
    bodies = [child for child in root if isinstance(child.tag, str)]
    stack: list[tuple[Any, tuple[str, ...]]] = [
        (child, ()) for child in reversed(bodies) if etree.QName(child).localname.lower() == "body"
    ]
    while stack:
        element, folders = stack.pop()
        for_children = folders
        if etree.QName(element).localname.lower() == "outline":
            attributes = {str(key).lower(): str(value) for key, value in element.attrib.items()}
            name = _ENTITY.sub(
                lambda found: html.unescape(found[0]),  # escaped twice
                " ".join((attributes.get("title") or attributes.get("text") or "").split()),
            )
            url = attributes.get("xmlurl", "").strip()
            if not url and attributes.get("type", "").lower() in ("rss", "atom"):
                url = attributes.get("url", "").strip()
            if url:
                line = int(element.sourceline or 1) + lines_before
                found.append(_outline(line, _plain_url(url), name, folders, attributes, short))
            elif name and len(folders) < _MAX_DEPTH:
                for_children = (*folders, short(name))
        inner = [child for child in element if isinstance(child.tag, str)]
        stack.extend((child, for_children) for child in reversed(inner))
    if not found:
        faults.append((1, "no outline has an xmlUrl, so there is no feed in this list"))
    return found, faults


def _outline(
    line: int,
    url: str,
    name: str,
    folders: tuple[str, ...],
    attributes: dict[str, str],
    short: Callable[[str], str],
) -> Outline:
    categories = [
        short(part)
        for category in attributes.get("category", "").split(",")
        for part in category.strip("/ ").split("/")
        if part.strip()
    ]
    tags = tuple(dict.fromkeys([*folders, *categories]))
    return Outline(line, url, name, tags, attributes.get("language", ""))


def _plain_url(url: str) -> str:
    """Return an address as servers take it, of `feed://host`, `feed:https://host` or `host`."""
    scheme = _FEED_SCHEME.match(url)
    rest = url[scheme.end() :] if scheme else url
    if rest.lower().startswith(("http://", "https://")):
        return rest
    if scheme:
        return f"{'https' if scheme[0].lower().startswith('feeds') else 'http'}://{rest}"
    return f"https://{url}" if _HOST.match(url) else url


def write_opml(feeds: Iterable[FeedSource], title: str = "Wirewatch feeds") -> str:
    """Return an OPML 2.0 document of the feeds, each below a folder for its first tag.

    Addresses and names are written; headers and passwords are not.
    """
    from lxml import etree

    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = title
    body = etree.SubElement(root, "body")
    folders: dict[str, Any] = {}
    for feed in feeds:
        parent = body
        if feed.tags:
            first = feed.tags[0]
            if first not in folders:
                folders[first] = etree.SubElement(body, "outline", text=first)
            parent = folders[first]
        attributes = {"type": "rss", "text": feed.name or feed.id, "xmlUrl": feed.url}
        if len(feed.tags) > 1:
            attributes["category"] = ",".join(feed.tags[1:])
        if feed.language:
            attributes["language"] = feed.language
        etree.SubElement(parent, "outline", **attributes)
    return str(
        etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="utf-8").decode()
    )
