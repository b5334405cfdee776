"""The fast path: RSS, RDF and Atom that are plain enough to need no heuristics, read with lxml.

It answers only where its answer provably equals that of `monitor.parsing.feedparser_reader`: the
document is well-formed UTF-8 without a DTD, and holds nothing in which feedparser's rules go
beyond "the text of this element". Anything else gives None, and the reference reads the document.
tests/polling/test_parse.py holds the two equal.
"""

from __future__ import annotations

import re

from lxml import etree

from monitor.parsing.date_reader import DateReader
from monitor.parsing.document import EVERYTHING, MAX_ENTRIES, MAX_TITLE, Document, FeedItem, Wanted
from monitor.parsing.element_names import NotPlain, element_name
from monitor.parsing.feedparser_reader import (
    all_text,
    choose_alternate,
    days,
    hours,
    is_no_address,
    make_item,
    minutes,
    note_link,
)
from monitor.parsing.html_text import headline, web_link
from monitor.parsing.lxml_nodes import attribute, is_absolute, is_html, link_of, media_type, text_of
from monitor.text import one_line

_ATOM = "http://www.w3.org/2005/Atom"
_RSS1 = "http://purl.org/rss/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_REBASED = re.compile(rb"base\s*=\s*[\"']")
_ENTITY_LIKE = re.compile(r"&([A-Za-z0-9_]+);")
_VERSIONS = {"0.91": "rss091u", "0.92": "rss092", "0.93": "rss093", "0.94": "rss094"}
_TEXTS = {
    "description": "text/html",
    "content_encoded": "text/html",
    "media_description": "text/html",
    "summary": "text/plain",
    "itunes_summary": "text/plain",
    "content": "text/plain",
}
_PUBLISHED = frozenset({"pubdate", "published", "issued", "dcterms_issued"})
_UPDATED = frozenset({"updated", "modified", "dc_date", "dcterms_modified", "lastbuilddate"})
_AUTHORS = frozenset({"author", "dc_creator"})
# Handled by feedparser in ways that reach our fields: not for the fast path.
_HEURISTIC = frozenset(
    {
        "abstract", "body", "channel", "created", "dc_author", "dc_contributor",
        "dc_description", "dc_title", "dcterms_created", "entry", "feed",
        "fullitem", "homepage", "image", "info", "item", "itunes_author", "itunes_email",
        "itunes_name", "itunes_subtitle", "managingeditor",
        "newlocation", "svg", "tagline", "textinput", "url", "webmaster", "xhtml_body",
        "where", "subtitle",
    }
)  # fmt: skip
_PERSON = frozenset({"name", "email", "uri"})


def parse(
    body: bytes, url: str, wanted: Wanted = EVERYTHING, dates: DateReader | None = None
) -> Document | None:
    """Parse a plain document; None if it takes more than that.

    Args:
        body: well-formed UTF-8 without an XML declaration.
        url: where it came from, for relative links.
        wanted: of which entries the texts are wanted.
        dates: reads the document's dates and keeps what is doubtful about them.
    """
    dates = dates or DateReader()
    dates.begin()
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(body, parser)
        return _document(root, body, url, wanted, dates)
    except (NotPlain, etree.XMLSyntaxError):
        return None


def _document(
    root: etree._Element, body: bytes, url: str, wanted: Wanted, dates: DateReader
) -> Document:
    name = etree.QName(root)
    if name.localname == "rss" and not name.namespace:
        channels = [child for child in root if element_name(child) == "channel"]
        if len(channels) != 1 or len(root) != 1:
            raise NotPlain
        feed, version, kind = channels[0], _rss_version(root), "item"
        items = [child for child in feed if element_name(child) == kind]
    elif name.namespace == _ATOM and name.localname == "feed":
        feed, version, kind = root, "atom10", "entry"
        items = [child for child in feed if element_name(child) == kind]
    elif name.namespace == _RDF and name.localname == "RDF" and root.nsmap.get(None) == _RSS1:
        if _ATOM in root.nsmap.values():
            raise NotPlain
        channels = [child for child in root if element_name(child) == "channel"]
        if len(channels) != 1:
            raise NotPlain
        feed, version, kind = channels[0], "rss10", "item"
        items = [child for child in root if element_name(child) == kind]
    else:
        raise NotPlain
    if len(items) != sum(1 for _ in root.iter("{*}item", "{*}entry", "{*}Item", "{*}Entry")):
        raise NotPlain
    document = Document(
        version=version,
        fast=True,
        skip_hours=hours(all_text(body, b"hour")) if b"skipHours" in body else [],
        skip_days=days(all_text(body, b"day")) if b"skipDays" in body else [],
    )
    rebased = b"base" in body and _REBASED.search(body) is not None
    _describe(document, root, feed, url, rebased)
    base = url or document.link
    atom = version == "atom10"
    dates.language = document.language
    document.items = [
        _item(item, document, base, atom, rebased, wanted, dates) for item in items[:MAX_ENTRIES]
    ]
    if len(items) > MAX_ENTRIES:
        document.warnings.append(f"{len(items)} entries; only the first {MAX_ENTRIES} are read")
    return document


def _rss_version(root: etree._Element) -> str:
    said = root.get("version", "")
    return _VERSIONS.get(said) or ("rss20" if said.startswith("2.") else "rss")


def _describe(
    document: Document, root: etree._Element, feed: etree._Element, url: str, rebased: bool
) -> None:
    link = ""
    said = root.get(_XML_LANG) or root.get("lang") or ""
    for child in feed:
        name = element_name(child)
        if name == "dc_title" or (name == "title" and (child.get("mode") or len(child))):
            raise NotPlain
        if name == "title" and not document.title:
            media_type(child, "text/plain")
            document.title = headline(text_of(child, deep=True), markup=True, limit=MAX_TITLE)
        elif name == "link":
            rel, href = link_of(child)
            if href is None and not rebased:
                link = text_of(child, deep=True)
            elif href is None or (rebased and not is_absolute(href)):
                raise NotPlain
            else:
                note_link(document, rel, href, url)
                if rel == "alternate" and is_html(child):
                    link = href
        elif name == "id":
            link = link or text_of(child, deep=True)
        elif name in ("language", "dc_language") and not said:
            said = text_of(child, deep=True)
        elif name == "ttl":
            document.ttl = minutes(text_of(child, deep=True))
    document.link = web_link(link, url)
    document.language = one_line(said.replace("_", "-"), 40)


def _item(
    item: etree._Element,
    document: Document,
    base: str,
    atom: bool,
    rebased: bool,
    wanted: Wanted,
    dates: DateReader,
) -> FeedItem:
    fields: dict[str, str] = {}
    texts = _Texts()
    alternates: list[tuple[str, str]] = []
    documents: list[tuple[str, str]] = []  # alternates that are no pages: a PDF, say
    guid_is_link: bool | None = None
    resolved: list[str] = []  # what feedparser would make absolute
    reopened = False
    title: tuple[str, str] | None = None
    media_title, language = False, item.get(_XML_LANG) or document.language
    if about := item.get(f"{{{_RDF}}}about"):
        fields["id"] = about
    if item.get("href") or item.get("lastmod") or item.get("xmlns"):
        raise NotPlain
    for child in item:
        name = element_name(child)
        if name == "title":
            value = text_of(child)
            if reopened and title and title[0]:
                raise NotPlain  # after an image or a source feedparser takes a second title
            if title is None or not title[0]:
                title = (value, media_type(child, "text/plain"))
                language = child.get(_XML_LANG) or language
        elif name in _TEXTS:
            texts.add(name, child, 0)
        elif name == "link":
            _, href = link_of(child)
            if href is None and atom:
                raise NotPlain
            if href is None:
                resolved.append(text_of(child))
                fields["link"] = _ENTITY_LIKE.sub(r"&\1", text_of(child).replace("&amp;", "&"))
            elif child.get("rel", "alternate").lower() == "alternate" and not is_html(child):
                resolved.append(href)
                documents.append((child.get("hreflang", ""), href))
            elif child.get("rel", "alternate").lower() == "alternate":
                resolved.append(href)
                alternates.append((child.get("hreflang", ""), href))
                fields["link"] = choose_alternate(alternates, document.language) if atom else href
        elif name in ("guid", "id"):
            fields["id"] = text_of(child)
            permalink = attribute(child, "ispermalink", "true") == "true"
            if guid_is_link is None:
                guid_is_link = permalink and "link" not in fields
            if permalink:
                resolved.append(fields["id"])
                fields.setdefault("link", fields["id"])
        elif name in _PUBLISHED:
            fields["published"] = text_of(child)
        elif name in _UPDATED:
            fields["updated"] = text_of(child)
        elif name in _AUTHORS:
            fields["author"] = _author(child)
        elif name == "media_title":
            media_title = True
        else:
            if name == "source" and not atom and not len(child):
                fields["outlet"] = text_of(child)
            reopened = reopened or name in ("image", "source")
            media_title = _harmless(child, name, texts, 1) or media_title
    if atom and documents and not alternates:
        fields["link"] = choose_alternate(documents, document.language)
    if guid_is_link and is_no_address(fields.get("link", ""), fields["id"]):
        fields["link"] = ""
    if media_title and (title is None or not title[0]):
        raise NotPlain
    if rebased and not all(map(is_absolute, resolved)):
        raise NotPlain  # an xml:base somewhere might matter
    return make_item(
        guid=fields.get("id", ""),
        title=title or ("", "text/plain"),
        link=fields.get("link", ""),
        texts=texts.found(),
        published=dates.read(fields.get("published", "")),
        updated=dates.read(fields.get("updated", "")),
        author=fields.get("author", ""),
        outlet=fields.get("outlet", ""),
        language=language,
        base=base,
        atom=atom,
        wanted=wanted,
    )


def _harmless(node: etree._Element, name: str, texts: _Texts, depth: int) -> bool:
    """Pass over an element without bearing on our fields; say whether it holds a media title."""
    if name == "source" and len(node):
        _quoted(node)
        return False
    if name in _HEURISTIC and (name != "image" or len(node)):
        raise NotPlain
    media_title = False
    allowed = _PERSON if name == "contributor" else frozenset()
    for child in node:
        inner = element_name(child)
        if inner == "media_title":
            media_title = True
        elif inner == "media_description":
            texts.add(inner, child, depth)
        elif inner in allowed:
            continue
        elif inner in _BEARING:
            raise NotPlain
        else:
            media_title = _harmless(child, inner, texts, depth + 1) or media_title
    return media_title


def _quoted(source: etree._Element) -> None:
    """Pass over the `source` of an Atom entry: what describes another feed is kept apart."""
    for child in source:
        name = element_name(child)
        if name not in _SOURCE or (len(child) and name != "author"):
            raise NotPlain
        if any(element_name(part) not in _PERSON or len(part) for part in child):
            raise NotPlain


_SOURCE = frozenset(
    {"title", "id", "link", "updated", "author", "subtitle", "icon", "logo", "rights", "category"}
)
_BEARING = (
    frozenset(_TEXTS) | _PUBLISHED | _UPDATED | _AUTHORS | _PERSON | {"title", "link", "guid", "id"}
)


class _Texts:
    """The texts of one entry, kept as feedparser keeps them: where each goes depends on order."""

    def __init__(self) -> None:
        self._summary: tuple[str, str] | None = None
        self._depth: int | None = None
        self._contents: list[tuple[str, str]] = []
        self._has_content = False

    def add(self, name: str, node: etree._Element, depth: int) -> None:
        if node.get("src") or node.get("mode"):
            raise NotPlain
        is_content = name.startswith("content")
        if not is_content and self._summary is not None and not self._has_content:
            name, is_content = "content", True  # a second summary is taken for the content
        pair = (text_of(node), media_type(node, _TEXTS[name]))
        if is_content:
            self._has_content = True
            self._contents.append(pair)
            if self._summary is None:
                self._summary = (pair[0], "")
        elif self._depth is None or depth <= self._depth:
            self._depth = depth
            self._summary = pair
        else:
            assert self._summary is not None
            self._summary = (self._summary[0], pair[1])

    def found(self) -> list[tuple[str, str]]:
        """Return (text, media type) pairs, copies of the content left out."""
        values = {text for text, _ in self._contents}
        texts = [pair for pair in self._contents if pair[0]]
        if self._summary and self._summary[0] and self._summary[0] not in values:
            texts.append(self._summary)
        return texts


def _author(node: etree._Element) -> str:
    if len(node) == 0:
        return text_of(node)
    if any((text or "").strip() for text in (node.text, *(child.tail for child in node))):
        raise NotPlain  # a name with markup in it
    parts: dict[str, str] = {}
    for child in node:
        name = element_name(child)
        if name not in _PERSON:
            if len(child) or name in _BEARING or name in _HEURISTIC:
                raise NotPlain
            continue
        if name in parts:
            raise NotPlain
        parts[name] = text_of(child)
    name, email = parts.get("name", ""), parts.get("email", "")
    return f"{name} ({email})" if name and email else name or email
