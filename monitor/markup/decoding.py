"""From a document's bytes to text, whatever its encoding says of itself.

One wrong byte costs one character: it becomes U+FFFD and everything else stays as it is. (A cut
UTF-8 byte used to turn every text of a feed into mojibake, and every story into a revision.)
"""

from __future__ import annotations

import codecs
import re

from monitor.markup.encoding_names import codec_named, usual_encoding

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# How "<", or "{", looks without a mark (XML 1.0 appendix F).
_WIDE = (
    (re.compile(rb"[\x09\x0a\x0d\x20]*[<{]\x00\x00\x00"), "utf-32-le"),
    (re.compile(rb"\x00\x00\x00[<{]"), "utf-32-be"),
    (re.compile(rb"(?:[\x09\x0a\x0d\x20]\x00)*[<{\[]\x00[^\x00]"), "utf-16-le"),
    (re.compile(rb"(?:\x00[\x09\x0a\x0d\x20])*\x00[<{\[]\x00[^\x00]"), "utf-16-be"),
)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']\s*([\w.:-]{1,40})\s*[\"']")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\"';\s]+)", re.IGNORECASE)
_LANGUAGE = re.compile(
    rb"(?:<(?:dc:)?language>\s*(?:<!\[CDATA\[)?\s*|\blang\s*=\s*[\"'])([A-Za-z]{2}(?:[-_][A-Za-z]{2,4})?)\b"
)
_DECLARATION = re.compile(r"<\?xml\b[^>]*\?>")
_SEVERAL = frozenset({"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp", "iso2022_jp", "hz"})
# A character beyond U+FFFF as two surrogates of three bytes each (CESU-8), and half of one.
_PAIR = re.compile(rb"\xed([\xa0-\xaf])([\x80-\xbf])\xed([\xb0-\xbf])([\x80-\xbf])")
_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_SEVERAL_BYTES = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
# So does the first byte of an accented or Cyrillic letter, where a word or a text ends.
_CUT = re.compile(
    rb"[\xe0-\xef][\x80-\xbf](?![\x80-\xbf])|[\xf0-\xf4][\x80-\xbf]{1,2}(?![\x80-\xbf])"
    rb"|[\xc2\xc3\xd0\xd1](?![\x80-\xffA-Za-z0-9])"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(body: bytes, content_type: str = "") -> tuple[str, list[str]]:
    """Return a document as text, without its mark and XML declaration, and warnings for people.

    What the bytes themselves show (a byte order mark, the zeros of UTF-16) comes first, then
    UTF-8 where it is declared or nothing is and the bytes are UTF-8, then the header's charset,
    then the declaration.

    Args:
        body: the document; may be empty or anything at all.
        content_type: the Content-Type header, "" if there was none.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], encoding, [])
    for sign, encoding in _WIDE:
        if sign.match(body):
            return _decoded(body, encoding, [])
    named = _named(body, content_type)
    if not named or "utf-8" in named:
        text = _utf8(body)
        if text is not None:
            return _DECLARATION.sub("", text, count=1), []
    warnings: list[str] = []
    for encoding in named:
        wide = encoding.startswith(("utf-16", "utf-32"))
        if wide:  # no zeros: it is nothing of the kind
            warnings.append(f"declared as {encoding}, but is not")
        elif encoding != "utf-8":
            if encoding not in _SEVERAL and not body.isascii() and _utf8(body) is not None:
                warnings.append(f"declared as {encoding}, but is UTF-8")
                break
            try:
                return _DECLARATION.sub("", body.decode(encoding), count=1), warnings
            except UnicodeError:
                continue
    if (text := _utf8(body)) is not None:
        return _DECLARATION.sub("", text, count=1), warnings
    narrow = [encoding for encoding in named if not encoding.startswith("utf-")]
    return _decoded(body, narrow[0] if narrow else "utf-8", warnings)


def _utf8(body: bytes) -> str | None:
    try:
        return body.decode("utf-8")
    except UnicodeError:
        return None


def _named(body: bytes, content_type: str) -> list[str]:
    """Return the encodings that header and declaration name, as Python's codecs."""
    found = []
    if charset := _CHARSET.search(content_type):
        found.append(charset[1])
    if declared := _DECLARED.search(body[:1_000]):
        found.append(declared[1].decode("ascii", "replace"))
    named = [codec for name in found if (codec := codec_named(name))]
    return list(dict.fromkeys(named))


def _decoded(body: bytes, encoding: str, warnings: list[str]) -> tuple[str, list[str]]:
    """Decode what is faulty in its encoding, or may be: each fault becomes U+FFFD."""
    if encoding == "utf-8":
        body = _HALF.sub("\ufffd".encode(), _PAIR.sub(_joined, body))
        if _is_single_byte(body):
            language = _LANGUAGE.search(body[:4_000])
            encoding = usual_encoding(language[1].decode() if language else "")
            shown = encoding.replace("cp125", "Windows-125")
            warnings.append(f"not UTF-8; read as {shown}")
    before = body.count("\ufffd".encode()) if encoding == "utf-8" else 0
    text = body.decode(encoding, "replace")
    text = _SURROGATE.sub("\ufffd", text)
    if encoding != "cp1252" and (faults := text.count("\ufffd") - before) > 0:
        what = "1 character" if faults == 1 else f"{faults} characters"
        warnings.append(f"{what} could not be decoded as {encoding}")
    return _DECLARATION.sub("", text, count=1), warnings


def _joined(pair: re.Match[bytes]) -> bytes:
    halves = pair[0].decode("utf-8", "surrogatepass")
    return halves.encode("utf-16", "surrogatepass").decode("utf-16").encode()


def _is_single_byte(body: bytes) -> bool:
    """Whether what is no UTF-8 here is text of another encoding, rather than UTF-8 that was cut."""
    right = len(_SEVERAL_BYTES.findall(body))
    rest = _CUT.sub(b"", _SEVERAL_BYTES.sub(b"", body))
    wrong = sum(byte > 127 for byte in rest)
    return wrong > right
