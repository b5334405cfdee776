"""A subscription list that is not well-formed XML, made so outline by outline.

Feed readers export names with quotation marks as they are, addresses without any, and outlines that
are closed once too often or not at all. Each outline is read by itself, so that one costs no other.
"""

from __future__ import annotations

import re

from monitor.markup.xml_repair import fault_of, masked

_TAG = re.compile(r"<(/?)outline\b", re.IGNORECASE)
_NEXT = r"(?=\s*(?:[A-Za-z_][\w:.-]*\s*=|/?\s*$))"  # another attribute, or the end of the tag
_ATTRIBUTE = re.compile(
    rf"([A-Za-z_][\w:.-]*)\s*=\s*(?:\"(.*?)\"{_NEXT}|'(.*?)'{_NEXT}|([^\s\"'<>]+?)(?=\s|/?$))",
    re.DOTALL,
)
_BODY_ENDS = re.compile(r"</(?:body|opml)\b", re.IGNORECASE)


def mend_outlines(text: str) -> str:
    """Return the outlines of a list as a well-formed document, each on the line where it stood."""
    bare = masked(text)
    tags = list(_TAG.finditer(bare))
    pieces, depth, at = ["<opml><body>"], 0, 0
    for number, tag in enumerate(tags):
        pieces.append("\n" * text.count("\n", at, tag.start()))
        at = tag.start()
        limit = tags[number + 1].start() if number + 1 < len(tags) else len(text)
        if ends := _BODY_ENDS.search(bare, tag.end(), limit):
            limit = ends.start()
        if tag[1]:
            pieces.append("</outline>" if depth else "")
            depth -= depth > 0
            continue
        inner = text[tag.end() : max(bare.rfind(">", tag.end(), limit), tag.end())].rstrip()
        alone = inner.endswith("/")
        depth += not alone
        pieces.append(f"<outline{_attributes(inner)}{'/' if alone else ''}>")
    return "".join([*pieces, "</outline>" * depth, "</body></opml>"])


def _attributes(inner: str) -> str:
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(inner):
        value = next((value for value in values if value), "")
        written = f' {name}="{value.replace("<", "&lt;").replace(chr(34), "&quot;")}"'
        if not fault_of(f"<_{written}/>".encode()):
            found.setdefault(name.lower(), written)
    return "".join(found.values())
