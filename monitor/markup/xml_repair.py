"""XML that is not well-formed, mended without changing what it says.

lxml's recovery drops what it does not understand: `?id=7&sec=2` became `?id=7=2`, and an alert
carried the broken link. Here each mistake is turned into the text that it stands for, before any
parser sees it; what no rule covers is left as it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.entities import html5
from xml.parsers import expat

_OPENING = re.compile(r"<!--|<!\[CDATA\[|<\?|<!DOCTYPE\b", re.IGNORECASE)
_CLOSING = {
    "<!--": re.compile("-->"),
    "<![cdata[": re.compile(r"\]\]>"),
    "<?": re.compile(r"\?>"),
    "<!doctype": re.compile(r"[^\[>]*(?:>|\[[^\]]*\]\s*>)"),
}
_AMPERSAND = re.compile(r"&(#\d{1,9};|#[xX][0-9a-fA-F]{1,8};|[A-Za-z][\w.-]{0,60};)?")
_REFERENCE = re.compile(r"&#(?:(\d{1,9})|[xX]([0-9a-fA-F]{1,8}));")
_PAIR = re.compile(
    r"&#(?:(\d{5})|[xX]([dD][89abAB][0-9a-fA-F]{2}));&#(?:(\d{5})|[xX]([dD][c-fC-F][0-9a-fA-F]{2}));"
)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NO_TAG = re.compile(r"<(?![A-Za-z_/!?])")
_XML_NAMES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_DEFINED = re.compile(r"<!ENTITY\s+([\w.-]+)")
_FIRST_TAG = re.compile(r"<([A-Za-z_][\w.:-]*)")
_PREFIX = re.compile(r"</?([A-Za-z_][\w.-]*):[\w.-]|\s([A-Za-z_][\w.-]*):[\w.-]+\s*=\s*[\"']")
_DECLARED_PREFIX = re.compile(r"\bxmlns:([\w.-]+)\s*=")
_SHOWN = 65_536


def fault_of(document: bytes) -> str:
    """Return what keeps a UTF-8 document from being namespace-well-formed XML, "" if nothing."""
    try:
        expat.ParserCreate("utf-8", namespace_separator=" ").Parse(document, True)
    except expat.ExpatError as error:
        return f"line {error.lineno}: {expat.ErrorString(error.code)}"
    return ""


def _opaque(text: str) -> Iterator[tuple[int, int]]:
    """Yield where comments, CDATA, declarations and instructions stand: nothing there is markup."""
    at, unclosed = 0, set[str]()
    while opening := _OPENING.search(text, at):
        kind, at = opening[0].lower(), opening.end()
        closing = None if kind in unclosed else _CLOSING[kind].search(text, at)
        if closing is None or (kind == "<!doctype" and closing.start() != at):
            unclosed.add(kind)  # not sought again, or a hostile document would take for ever
            continue
        at = closing.end()
        yield opening.start(), at


def masked(text: str) -> str:
    """Return a document of the same length whose comments, CDATA and the like are blanks."""
    pieces, at = [], 0
    for start, end in _opaque(text):
        pieces += [text[at:start], " " * (end - start)]
        at = end
    return "".join([*pieces, text[at:]])


def start_of_markup(text: str, roots: re.Pattern[str]) -> tuple[int, str]:
    """Return where a document begins, after whatever a server wrote before it, and its root.

    A PHP notice may stand before the document; comments in it may speak of other formats
    (`<!-- <html> -->`).

    Args:
        text: the document.
        roots: matches the root elements that are looked for at "<"; group 1 is the name.
    """
    head = text[:_SHOWN]
    bare = masked(head)
    first = roots.search(bare)
    if first is None:
        return 0, ""
    if first[1].lower() == "html":  # an XML declaration later on begins another document
        for declared in re.finditer(r"<\?xml\b", head):
            inner = roots.search(bare, declared.start())
            if inner and inner[1].lower() != "html":
                return inner.start(), inner[1]
    before = bare[: first.start()]
    return (first.start() if before.strip() else 0), first[1]


def mend(text: str) -> str:
    """Return a document that is not well-formed with its common mistakes mended.

    - `&` that begins no reference stands for itself; HTML's entities stand for their characters.
    - Two references to the halves of a character are that character; half a one, or one to a
      character that XML forbids, is U+FFFD.
    - `<` that begins no tag stands for itself. Control characters vanish.
    - A prefix that nothing declares is declared. What follows the root element is cut off.
    """
    defined = frozenset(_DEFINED.findall(text))
    pieces, at = [], 0
    for start, end in _opaque(text):
        pieces += [_mended(text[at:start], defined), text[start:end]]
        at = end
    pieces.append(_mended(text[at:], defined))
    return _with_prefixes(_without_rest(_NOT_XML.sub("", "".join(pieces))))


def _mended(text: str, defined: frozenset[str]) -> str:
    text = mend_references(text)
    text = _AMPERSAND.sub(lambda found: _ampersand(found, defined), text)
    return _NO_TAG.sub("&lt;", text)


def _ampersand(found: re.Match[str], defined: frozenset[str]) -> str:
    if found[1] is None:
        return "&amp;"
    name = found[1][:-1]
    if name[0] == "#" or name in _XML_NAMES or name in defined:
        return found[0]
    if found[1] in html5:
        return html.escape(html5[found[1]], quote=True)
    return f"&amp;{found[1]}"


def mend_references(text: str) -> str:
    """Return text in which no numeric reference stands for what XML forbids."""
    if "&#" not in text:
        return text
    text = _PAIR.sub(_joined, text)
    return _REFERENCE.sub(_allowed, text)


def _code(decimal: str | None, hexadecimal: str | None) -> int:
    return int(decimal) if decimal else int(hexadecimal or "0", 16)


def _joined(pair: re.Match[str]) -> str:
    high, low = _code(pair[1], pair[2]), _code(pair[3], pair[4])
    if 0xD800 <= high < 0xDC00 <= low < 0xE000:
        return f"&#{0x10000 + ((high - 0xD800) << 10) + low - 0xDC00};"
    return pair[0]


def _allowed(found: re.Match[str]) -> str:
    code = _code(found[1], found[2])
    if code in (0x9, 0xA, 0xD) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE:
        return f"&#{code};"  # also for "&#X41;", which XML does not know
    return f"&#{code};" if 0x10000 <= code < 0x110000 else "\ufffd"


def _without_rest(text: str) -> str:
    """Cut off what a server wrote after the document."""
    root = _FIRST_TAG.search(masked(text))
    end = text.rfind(f"</{root[1]}") if root else -1
    return text[: text.find(">", end) + 1] if end >= 0 and ">" in text[end:] else text


def _with_prefixes(text: str) -> str:
    bare = masked(text)
    used = {found[1] or found[2] for found in _PREFIX.finditer(bare)}
    missing = sorted(used - set(_DECLARED_PREFIX.findall(bare)) - {"xml", "xmlns"})
    root = _FIRST_TAG.search(bare)
    if root is None or not missing:
        return text
    declared = "".join(f' xmlns:{prefix}="urn:undeclared:{prefix}"' for prefix in missing[:40])
    return f"{text[: root.end()]}{declared}{text[root.end() :]}"
