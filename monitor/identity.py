"""Who is who: canonical addresses, the identity of an entry, the hash of what it says.

Identities are stored for months, so each carries a version: a better rule gets a new number and
old records stay readable.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

CONTENT_VERSION = "2"

# Parameters that say how a reader came, not what is read.
_TRACKING = re.compile(
    r"^(utm_\w+|at_(medium|campaign|link\w*|custom\d|bbc_team|format|ptr_name)|fbclid|gclid|dclid|"
    r"gclsrc|msclkid|yclid|igshid|mc_[ce]id|_hs(enc|mi)|cmpid?|icid|ito|ocid|ns_\w+|wt[._]\w+|"
    r"xtor|rss|feed|partner|source|src|sh|smid|smtyp|traffic_source|ftag|maca|cid|guccounter|"
    r"guce_\w+|traceid|spm|_ga|s?_?rsc|ref|ref_src|referrer|__twitter_impression|amp)$",
    re.IGNORECASE,
)
# Of these names some sites make their article number, so they go only when the value is a word.
_AMBIGUOUS = re.compile(r"^(cid|source|src|feed|ref|rss|partner|amp|maca|cmpid?)$", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NOT_WORD = re.compile(r"[\W_]+")
_ASCII_LETTERS = {code: None for code in range(128) if not chr(code).isalnum()}
_SLASHES = re.compile(r"/{2,}")
_SAFE = "/:@!$&'()*+,;=~-._"
_PLAIN_PATH = re.compile(r"(?:/[\w.~-]+)+/?", re.ASCII)
_PLAIN_URL = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*((?:/[\w.~-]+)*/?)", re.ASCII)
_TAG = re.compile(rb"<[^<>]*>")


def canonical_url(url: str) -> str:
    """Return `url` in one spelling: case, port, fragment, tracking and percent-encoding settled.

    Two addresses that canonicalise alike lead to the same page. Anything that is not an absolute
    http(s) address gives "". RFC 3986 section 6.2 plus the tracking parameters of news sites.
    """
    if plain := _PLAIN_URL.fullmatch(url):
        return url if plain[1] else url + "/"
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").rstrip(".").lower()
        port = parts.port
    except ValueError:
        return ""
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not host:
        return ""
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port in (None, _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    path = parts.path
    if not _PLAIN_PATH.fullmatch(path):
        path = quote(unquote(path, errors="surrogateescape"), safe=_SAFE, errors="surrogateescape")
        path = _SLASHES.sub("/", path) or "/"
    query = ""
    if parts.query:
        pairs = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
        kept = [(name, value) for name, value in pairs if not _is_tracking(name, value)]
        query = urlencode(kept, errors="surrogateescape")
    return urlunsplit((scheme, netloc, path, query, ""))


def _is_tracking(name: str, value: str) -> bool:
    if not _TRACKING.match(name):
        return False
    return not (_AMBIGUOUS.match(name) and any(char.isdigit() for char in value))


def url_key(url: str) -> str:
    """Return what two addresses of one page share: canonical, without scheme, www and last slash.

    "" for what is not an http(s) address.
    """
    canonical = canonical_url(url)
    if not canonical:
        return ""
    rest = canonical.split("://", 1)[1]
    return rest.removeprefix("www.").rstrip("/")


def digest(*parts: str, size: int = 8) -> str:
    """Return a short hex digest of `parts`, which cannot run into one another (BLAKE2b)."""
    return _digest((part.encode("utf-8", "surrogatepass") for part in parts), size)


def _digest(parts: Iterable[bytes], size: int = 8) -> str:
    state = hashlib.blake2b(digest_size=size)
    for data in parts:
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def folded(text: str) -> str:
    """Return `text` reduced to its letters and digits, case folded: what a re-issue keeps."""
    if text.isascii():
        return text.lower().translate(_ASCII_LETTERS)
    return _NOT_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())


def content_hash(title: str, texts: Iterable[str]) -> tuple[str, int]:
    """Return the versioned hash of what an entry says, and how much that is (bytes of UTF-8).

    Markup, spacing, the order of the texts and the headline's case have no part in it. Texts come
    with their markup: to tell two apart takes far less than to clean them for readers.
    """
    said = sorted({bare for text in texts if (bare := _bare(text))})
    said.insert(0, folded(title).encode("utf-8", "surrogatepass"))
    return CONTENT_VERSION + _digest(said), sum(map(len, said))


def _bare(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    if b"<" in data:
        data = _TAG.sub(b"", data)
    return data.translate(None, b" \t\n\r\f\v")


def entry_key(guid: str, page: str, title: str, content: str) -> str:
    """Return the key under which an entry is remembered: by GUID, else by link, else by its words.

    The GUID is taken byte for byte (RSS 2.0, RFC 4287 section 4.2.6.1); neither title nor date
    have a part in it where a GUID or link exists, so edits do not make an entry new. `page` is the
    link's `url_key`, `content` the content hash.
    """
    if guid:
        return "g" + digest(guid)
    if page:
        return "l" + digest(page)
    return "t" + digest(folded(title) or content)


def story_id(feed_id: str, key: str, content: str = "") -> str:
    """Return the id of a story: deterministic, so that deciding twice hands over once.

    `content` (a content hash) is given for revisions only.
    """
    return "s" + digest(feed_id, key, content, size=10)


@cache
def _suffixes() -> Any:
    import tldextract  # a tenth of a second that few commands need

    # The list it ships with, and of it also the section of private registries: whoever has a
    # blog on github.io or netlify.app answers for that blog alone.
    return tldextract.TLDExtract(
        suffix_list_urls=(),
        cache_dir=None,
        include_psl_private_domains=True,
        extra_suffixes=("substack.com",),  # not in the list
    )


@lru_cache(maxsize=65_536)
def site(host: str) -> str:
    """Return the registrable domain of a host name ("feeds.bbci.co.uk" → "bbci.co.uk").

    A customer's name below a shared host is a domain of its own ("a.netlify.app"); see
    publicsuffix.org, both sections.
    Addresses and names without a public suffix are their own site.
    """
    return str(_suffixes()(host).top_domain_under_public_suffix) or host


# Hosts that make or serve the feeds of many who are no outlet of theirs.
_FOR_OTHERS = frozenset(
    {"feedburner.com", "feedblitz.com", "feed43.com", "fetchrss.com", "medium.com", "openrss.org",
     "politepol.com", "reddit.com", "rss.app", "rsshub.app", "youtube.com"}
)  # fmt: skip


def owner_of_feed(feed_id: str, url: str, owner: str) -> str:
    """Return who answers for all that a feed gives: its configured owner, else its site.

    Never anybody whom an entry names or links to, or one feed could pose as three sources. A feed
    that comes through a host of others' feeds, or from a bare address, answers for itself.
    """
    if owner:
        return owner
    try:
        domain = site(urlsplit(url).hostname or "")
    except ValueError:
        domain = ""
    named = "." in domain and not domain.rpartition(".")[2].isdigit()
    return domain if named and domain not in _FOR_OTHERS else feed_id
