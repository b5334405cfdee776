"""OPML subscription lists: read as feeds with their folders as tags, and written back.

OPML 2.0: http://opml.org/spec2.opml (subscription lists use `type`, `text`, `xmlUrl`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from monitor.config.names import slug
from monitor.config.schema import FeedSource
from monitor.markup.decoding import decode
from monitor.markup.xml_repair import fault_of, mend

_MAX_DEPTH = 30


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

    Ill-formed documents are mended, and what is still broken then is read as far as it can be.
    Nothing is fetched, entities of the document's own are not followed. `short` makes tags from the
    names of folders.
    """
    from lxml import etree

    text, warnings = decode(raw)
    if fault_of(text.encode()):
        text = mend(text)
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, recover=True, load_dtd=False
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None or not isinstance(root.tag, str):
        return [], [(1, "this is not OPML; export it again from your feed reader")]
    faults = [(1, warning) for warning in warnings]
    faults += [
        (max(1, entry.line), "the XML is broken here; compare the number of feeds with your list")
        for entry in list(parser.error_log)[:1]
    ]
    if etree.QName(root).localname.lower() != "opml":
        return [], [(1, f"this is <{etree.QName(root).localname}>, not OPML; is it a feed?")]
    found: list[Outline] = []
    bodies = [child for child in root if isinstance(child.tag, str)]
    stack: list[tuple[Any, tuple[str, ...]]] = [
        (child, ()) for child in reversed(bodies) if etree.QName(child).localname == "body"
    ]
    while stack:
        element, folders = stack.pop()
        for_children = folders
        if etree.QName(element).localname.lower() == "outline":
            attributes = {str(key).lower(): str(value) for key, value in element.attrib.items()}
            name = " ".join((attributes.get("title") or attributes.get("text") or "").split())
            url = attributes.get("xmlurl", "").strip()
            if url:
                found.append(_outline(element, _plain_url(url), name, folders, attributes, short))
            elif name and len(folders) < _MAX_DEPTH:
                for_children = (*folders, short(name))
        inner = [child for child in element if isinstance(child.tag, str)]
        stack.extend((child, for_children) for child in reversed(inner))
    if not found:
        faults.append((1, "no outline has an xmlUrl, so there is no feed in this list"))
    return found, faults


def _outline(
    element: Any,
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
    return Outline(int(element.sourceline or 1), url, name, tags, attributes.get("language", ""))


def _plain_url(url: str) -> str:
    """Return a `feed:` address as servers understand it (`feed://host`, `feed:https://host`)."""
    if not url.lower().startswith("feed:"):
        return url
    rest = url[5:].removeprefix("//")
    return rest if rest.lower().startswith(("http://", "https://")) else f"http://{rest}"


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
