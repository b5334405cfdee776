"""Short names made from long ones, and the nearest right word for a mistyped one."""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from monitor.folding import fold

_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_HOST_NOISE = {"www", "feeds", "feed", "rss", "com", "org", "net", "co", "news"}
_PATH_NOISE = {"rss", "feed", "feeds", "xml", "atom", "rdf", "html", "index", "default", "rss2"}


def slug(text: str) -> str:
    """Return `text` as a short name: lower-case ASCII words joined by "-", at most 80 characters.

    A name without any Latin letter or digit gets a stable name from its hash, so that topics may
    be named in any script: "Переговори" becomes "n-" and eight hexadecimal digits.
    """
    plain = unicodedata.normalize("NFKD", text.strip()).encode("ascii", "ignore").decode()
    ascii_dashes = re.sub(r"[\u2010-\u2015/|]", "-", text)
    plain = unicodedata.normalize("NFKD", ascii_dashes).encode("ascii", "ignore").decode() or plain
    words = _NOT_SLUG.sub("-", plain.lower()).strip("-")[:80].strip("-")
    return words or f"n-{digest(text)}"


def fits(pattern: str, name: str) -> bool:
    """Whether `name` fits `pattern`: `*` and `?` are wild, both are compared as `folding` does."""
    return fnmatchcase(fold(name), fold(pattern))


def digest(text: str) -> str:
    """Return eight hexadecimal digits that stand for `text`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def readable_id(text: str) -> str:
    """Return `text` as a short name that people can read, whatever script it is in.

    For ids that are written into a file, where they stay. An id that a file leaves out is made by
    `slug`, which must not change: feeds and topics are known by it in the store.
    """
    from anyascii import anyascii

    plain = anyascii(text.strip().replace("&", " and ").replace("'", "").replace("’", ""))
    return _NOT_SLUG.sub("-", plain.lower()).strip("-")[:80].strip("-") or slug(text)


def feed_slug(url: str) -> str:
    """Return a short name for a feed known by its address only: host, then the telling path."""
    parts = urlsplit(url)
    host = [word for word in (parts.hostname or "").split(".") if word not in _HOST_NOISE]
    path = [word for word in _NOT_SLUG.split(parts.path.lower()) if word not in _PATH_NOISE]
    return slug(" ".join([*host, *path])[:60]) if host or path else f"n-{digest(url)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word most like `word`, or "" if none is near."""
    by_fold = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), list(by_fold), n=1, cutoff=0.6)
    return by_fold[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return advice such as 'did you mean "feeds"?', the known words, or `otherwise`."""
    words = sorted(set(known))
    near = nearest(word, words)
    if near:
        return f'did you mean "{near}"?'
    if otherwise:
        return otherwise
    if not words:
        return "there is none yet"
    shown = ", ".join(words[:20]) + (", …" if len(words) > 20 else "")
    return f"known: {shown}"
