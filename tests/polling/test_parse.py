"""Documents of every format, well-formed or not, to entries of plain text."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from feedlab import rss
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import ParseError
from monitor.parsing import feedparser_reader, lxml_reader
from monitor.parsing.detect_format import parse, prepare
from monitor.parsing.document import SPEAKING, ParsedFeed, Wanted
from monitor.parsing.html_text import html_to_text, web_link
from monitor.reasons import FetchReason
from monitor.text import one_line

pytestmark = pytest.mark.slow

URL = "https://paper.example/feed.xml"
NEW_YEAR = 1_767_225_600.0


def only(document: Any) -> dict[str, Any]:
    """Return the one item of a document."""
    (item,) = document.items
    return dict(item)


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>T</title>
<link rel="hub" href="https://hub.example/"/><link rel="self" href="/feed.xml"/>
<link rel="next" href="/feed.xml?page=2"/>
<entry><id>tag:paper.example,2026:1</id><title type="html">Talks &amp;amp; tea</title>
<link href="/a/1"/><summary>In short</summary><content type="html">&lt;p&gt;At length.&lt;/p&gt;
&lt;p&gt;And further.&lt;/p&gt;</content><published>2026-01-01T00:00:00Z</published>
<author><name>A. Writer</name></author></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://paper.example/"><title>T</title></channel>
<item rdf:about="urn:x:1"><title>Talks &amp; tea</title><link>https://paper.example/a/1</link>
<description>In short</description><dc:date>2026-01-01T00:00:00Z</dc:date></item></rdf:RDF>"""
JSON = """{"version": "https://jsonfeed.org/version/1.1", "title": "T", "language": "en",
 "home_page_url": "https://paper.example/", "hubs": [{"type": "WebSub", "url": "https://h.example/"}],
 "items": [{"id": 1, "url": "/a/1", "title": "Talks & tea", "summary": "In short",
 "content_html": "<p>At length.</p><p>And further.</p>", "date_published": "2026-01-01T00:00:00Z",
 "authors": [{"name": "A. Writer"}]}, "stray"]}"""
SITEMAP = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">
<url><loc>https://paper.example/about</loc></url>
<url><loc>https://paper.example/a/1</loc><news:news><news:publication><news:name>T</news:name>
<news:language>en</news:language></news:publication>
<news:publication_date>2026-01-01T00:00:00Z</news:publication_date>
<news:title>Talks &amp; tea</news:title></news:news></url></urlset>"""


@pytest.mark.parametrize("text", [ATOM, RDF, JSON, SITEMAP], ids=["atom", "rdf", "json", "sitemap"])
def test_every_format_gives_the_same_entry(text: str) -> None:
    """Atom, RDF, JSON Feed and news sitemaps carry the same story in their own words."""
    item = only(parse(text.encode(), URL))
    assert item["title"] == "Talks & tea"
    assert item["link"] == "https://paper.example/a/1"
    assert (item["published"] or item["updated"]) == NEW_YEAR
    if text in (ATOM, JSON):
        assert item["summary"] == "In short"
        assert item["content"] == "At length.\n\nAnd further."
        assert item["author"] == "A. Writer"


def test_a_news_sitemap_names_the_page_not_its_pictures() -> None:
    """Images and videos, before and after the news, keep their addresses, titles and dates."""
    media = """<image:image><image:loc>https://cdn.example/1.jpg</image:loc>
<image:title>A ferry</image:title></image:image><video:video><video:title>Clip</video:title>
<video:publication_date>2020-02-02T00:00:00Z</video:publication_date></video:video>"""
    text = SITEMAP.replace("<urlset", "<urlset xmlns:image='urn:image' xmlns:video='urn:video'", 1)
    for place in ("<url>", "</news:news>"):
        item = only(parse(text.replace(place, place + media).encode(), URL))
        assert item["link"] == "https://paper.example/a/1"
        assert item["title"] == "Talks & tea"
        assert item["published"] == NEW_YEAR
    pictures = text.replace("https://paper.example/about</loc>", "/about</loc>" + media)
    assert only(parse(pictures.encode(), URL))["title"] == "Talks & tea"


def test_a_news_sitemap_may_forget_to_declare_a_prefix() -> None:
    """Prefixes that nothing declares are taken for what they look like."""
    text = SITEMAP.replace('xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"', "")
    assert only(parse(text.encode(), URL))["title"] == "Talks & tea"


def test_rss_of_every_version() -> None:
    """RSS 0.91 to 2.0 and RSS without a version give their items."""
    for version in ("version='0.91'", "version='0.92'", "version='2.0'", ""):
        text = rss(("1", "Ferry sinks", "Thu, 01 Jan 2026 00:00:00 GMT"))
        document = parse(text.replace("version='2.0'", version).encode(), URL)
        assert only(document)["published"] == NEW_YEAR
        assert document.version.startswith("rss")


def test_what_polling_needs_is_read() -> None:
    """The hub, the topic, the following page, ttl, skipHours and skipDays are noticed."""
    document = parse(ATOM.encode(), URL)
    assert (document.hub, document.self_url) == ("https://hub.example/", URL)
    assert document.next_url == URL + "?page=2"
    extra = (
        "<ttl>90</ttl><skipHours><hour>0</hour><hour>24</hour><hour>5</hour><hour>99</hour>"
        "</skipHours><skipDays><day>Sunday</day><day>Noday</day></skipDays>"
    )
    document = parse(rss(("1", "a", ""), extra=extra).encode(), URL)
    assert (document.ttl, document.skip_hours, document.skip_days) == (5400.0, [0, 5], [6])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", FetchReason.NOT_A_FEED),
        (b"  \n", FetchReason.NOT_A_FEED),
        (b"<!doctype html><html><body>Welcome</body></html>", FetchReason.NOT_A_FEED),
        (b"<html><title>Just a moment...</title></html>", FetchReason.BOT_WALL),
        (b"<html>Please solve the CAPTCHA</html>", FetchReason.BOT_WALL),
        (b"just words", FetchReason.NOT_A_FEED),
        (b"<catalog><book/></catalog>", FetchReason.NOT_A_FEED),
        (b"<opml version='2.0'><body/></opml>", FetchReason.NOT_A_FEED),
        (b'{"error": "no"}', FetchReason.NOT_A_FEED),
        (b'{"items": [', FetchReason.PARSE_FAILED),
        (b'{"items": ' + b"[" * 100_000, FetchReason.PARSE_FAILED),
        (b"<sitemapindex><sitemap><loc>x</loc></sitemap></sitemapindex>", FetchReason.NOT_A_FEED),
        (b"<urlset><url><loc>https://a.example/</loc></url></urlset>", FetchReason.NOT_A_FEED),
        (b"\x00\x01\x02", FetchReason.NOT_A_FEED),
    ],
)
def test_what_is_no_feed_is_named(body: bytes, reason: FetchReason) -> None:
    """Pages, bot walls and other documents are told apart from feeds, each with its reason."""
    with pytest.raises(ParseError) as caught:
        parse(body, URL)
    assert caught.value.reason == reason


@pytest.mark.parametrize("doctype", ["", "<!DOCTYPE rss>"])
def test_whose_report_an_item_is(doctype: str) -> None:
    """RSS `source` names the outlet, for either reader; an Atom entry's describes its feed."""
    item = "<item><title>T - Post</title><source url='https://p.example/'>The Post</source></item>"
    text = f"{doctype}<rss version='2.0'><channel><title>G</title>{item}</channel></rss>"
    (found,) = parse(text.encode(), URL).items
    assert (found["title"], found["outlet"]) == ("T - Post", "The Post")


PAGE = "<html><head><title>The Paper</title>{}</head><body>" + "<p>News.</p>" * 900
WALLS = (
    "<title>Just a moment...</title><script>window._cf_chl_opt={}</script>",
    "<title>Attention Required! | Cloudflare</title>",
    "<TITLE>Access Denied</TITLE>",
    "<iframe id='main-iframe'>Request unsuccessful. Incapsula incident ID: 1-2</iframe>",
    "<script>var dd={'host':'geo.captcha-delivery.com'}</script>",
    "<div id='px-captcha'></div>",
    "<title>Human Verification</title><script>window.gokuProps = {}</script>",
    "<p>Please verify that you are human.</p>",
)
ORDINARY = (
    "<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>",
    "<script src='https://www.google.com/recaptcha/api.js'></script>",
    "<script src='/_Incapsula_Resource?SWJIYLWA=1'></script>",
    "<script src='https://js.datadome.co/tags.js'></script>",
    "<a href='/1'>Access denied: how the port was closed</a>",
    "<a href='/2'>Are you a robot? Our test</a>",
)


@pytest.mark.parametrize("wall", WALLS)
def test_a_wall_is_told_from_a_page(wall: str) -> None:
    """What challenges are made of is one, on however large a page its marks stand."""
    with pytest.raises(ParseError) as caught:
        parse(f"<html>{wall}</html>".encode(), URL)
    assert caught.value.reason == FetchReason.BOT_WALL


@pytest.mark.parametrize("inside", ORDINARY)
def test_a_page_is_told_from_a_wall(inside: str) -> None:
    """A page with a form's captcha, a bot watch, or news of robots is a page: feeds are sought."""
    with pytest.raises(ParseError, match="feeds discover") as caught:
        parse(PAGE.replace("{}", inside).encode(), URL)
    assert caught.value.reason == FetchReason.NOT_A_FEED


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br><br>Two<br>three", "One\n\nTwo three"),
        ("<script>evil()</script>Calm<style>p{}</style>", "Calm"),
        ("a<b>b</b>c", "abc"),
        ("AT&amp;T &lt;3 &#8212; &nosuch;", "AT&T <3 — &nosuch;"),
        ("x < y and y > z", "x < y and y > z"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1 2"),
        ("line\nbreak in <i>source</i>\n\nis space", "line break in source is space"),
        ("&#8238;gnp.exe", "gnp.exe"),
        ('<img src="x" onerror="evil()">cap', "cap"),
    ],
)
def test_markup_becomes_paragraphs(markup: str, text: str) -> None:
    """HTML is reduced to what a reader would read; nothing of its machinery is left."""
    assert html_to_text(markup) == text


@given(st.text())
def test_nothing_invisible_survives(text: str) -> None:
    """No control, bidi or surrogate character passes, whatever the input."""
    for line in (one_line(text), html_to_text(text)):
        left = {unicodedata.category(char) for char in line.replace("\n", "")}
        assert not left & {"Cc", "Cs"}
        assert not set(line) & set("\u202e\u202d\u2066\u2067\u200f\u200e\u200b\ufeff")


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("https://a.example/x", "https://a.example/x"),
        (" /x\n", "https://paper.example/x"),
        ("javascript:alert(1)", ""),
        ("JAVA\nSCRIPT:alert(1)", ""),
        ("data:text/html,x", ""),
        ("ftp://a.example/", ""),
        ("https://user:pw@a.example/x", "https://a.example/x"),
        ("http://[bad", ""),
        ("", ""),
    ],
)
def test_links_are_http_or_nothing(value: str, link: str) -> None:
    """Scripts, data and other schemes never become a link; userinfo is dropped."""
    assert web_link(value, URL) == link


def test_hostile_headlines_are_plain_text() -> None:
    """Escaped markup, bidi overrides and script links in a feed come out harmless."""
    title = "&lt;b&gt;Bold&lt;/b&gt; &lt;script&gt;x&lt;/script&gt;\u202edesrever"
    text = rss(("1", title, "")).replace("https://paper.example/1", "javascript:x")
    item = only(parse(text.encode(), URL))
    assert item["title"] == "Bold desrever"
    assert item["link"] == ""


def test_the_guid_is_kept_byte_for_byte() -> None:
    """A relative GUID is not resolved: it would change when the address of the feed does."""
    for url in ("http://paper.example/feed", "https://paper.example/feed"):
        items = "<item><guid>1234</guid><title>t</title></item>"
        text = f"<rss version='2.0'><channel>{items}</channel></rss>"
        assert only(parse(text.encode(), url))["guid"] == "1234"


def same(body: bytes) -> bool:
    """Assert that the fast path agrees with the reference; say whether it took the document."""
    found = prepare(body)
    plain = lxml_reader.parse(found.body, URL) if found.well_formed else None
    if plain is None:
        return False
    full = feedparser_reader.parse(found.body, URL)
    full.fast = True
    full.warnings = plain.warnings
    assert plain.to_dict() == full.to_dict()
    return True


def documents(folder: Path) -> list[Path]:
    """Return the real documents of the data folder."""
    return sorted(path for path in (folder / "feeds").iterdir() if path.suffix != ".tsv")


def test_the_fast_path_equals_the_reference_on_real_feeds(data_folder: Path) -> None:
    """On every real document it takes, all fields of all entries are equal; it takes most."""
    paths = documents(data_folder)
    taken = sum(same(path.read_bytes()) for path in paths)
    assert taken > len(paths) * 2 // 3


def test_every_real_document_gives_its_entries(data_folder: Path) -> None:
    """No document gives a traceback; feeds give at least the entries the inventory counts."""
    rows = (data_folder / "feeds" / "INVENTORY.tsv").read_text().splitlines()[1:]
    for row in rows:
        name, _, version, _, _, entries, *_ = row.split("\t")
        body = (data_folder / "feeds" / name).read_bytes()
        try:
            document = parse(body, URL)
        except ParseError as error:
            assert not version, name
            assert error.reason == FetchReason.NOT_A_FEED
            continue
        assert len(document.items) >= int(entries), name
        assert len(ParsedFeed.from_dict(document.to_dict()).entries) == len(document.items)


def left_out(body: bytes, wanted: Wanted) -> int:
    """Assert that nothing but texts is left out; return of how many entries they are."""
    whole, part = parse(body, URL), parse(body, URL, wanted=wanted)
    bare = 0
    for full, item in zip(whole.items, part.items, strict=True):
        instant = full["published"] or full["updated"]
        over = wanted.passes_over(full["fingerprint"], full["length"], instant)
        bare += over
        assert item == (full | {"summary": "", "content": ""} if over else full)
    return bare


def test_texts_the_reader_has_are_left_out(data_folder: Path) -> None:
    """Of entries it knows, or finds too old, only the fingerprint is made; all else is equal."""
    passed = 0
    for path in documents(data_folder):
        try:
            items = parse(path.read_bytes(), URL).items
        except ParseError:
            continue
        known = Wanted(frozenset(item["fingerprint"] for item in items[::2]))
        passed += left_out(path.read_bytes(), known)
        speaking = [item["length"] >= SPEAKING for item in items[::2]]
        assert left_out(path.read_bytes(), known) >= sum(speaking)
    assert passed > 500
    for text in (ATOM, RDF, JSON):
        assert left_out(text.encode(), Wanted(since=NEW_YEAR + 1)) == 1
        assert left_out(text.encode(), Wanted(since=NEW_YEAR)) == 0


def test_an_author_with_markup_in_the_name_is_one() -> None:
    """`by <a>Foo Bar</a>` (a document of Miniflux's tests): the fast path lost the name."""
    author = "<author>by <a href='/foo'>Foo Bar</a></author>"
    body = rss(("1", "T", "")).replace("</item>", f"{author}</item>").encode()
    assert only(parse(body, URL))["author"] == "by Foo Bar"


def test_a_stray_prefix_is_read_through() -> None:
    """Elements under a prefix that nothing declares are read as if they had none."""
    body = b"<rss><x:channel><x:item><x:title>Ferry sinks</x:title></x:item></x:channel></rss>"
    document = parse(body, URL)
    assert only(document)["title"] == "Ferry sinks"
    assert any("prefix" in warning for warning in document.warnings)


_words = st.text("abAB &<>é—😀\u202e\x85\u0153 ", max_size=12)
_escaped = st.one_of(
    _words,
    st.sampled_from(["<p>a</p><p>b</p>", "AT&amp;T", "a &lt; b", "<b>x", "</i>", "<br>", "Ã©"]),
)
_links = st.sampled_from(
    ["https://a.example/1?x=1&y=2", "/rel", "//h.example/x", "javascript:x", "", "http://a/#f", "1"]
)
_dates = st.sampled_from(
    ["Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00+02:00", "yesterday", "", "1 Jan 26"]
)
_NS = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:a="http://www.w3.org/2005/Atom" '
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:o="urn:other"'
)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@st.composite
def _element(draw: st.DrawFn, atom: bool) -> str:
    value = _escape(draw(_escaped))
    kind = draw(st.sampled_from(["", " type='html'", " type='text'"])) if atom else ""
    choice = draw(st.integers(0, 17))
    simple = [
        "title", "media:title", "description", "content:encoded", "summary", "itunes:summary",
        "media:description", "author", "dc:creator", "o:title", "category",
    ]  # fmt: skip
    if choice < len(simple):
        return f"<{simple[choice]}{kind}>{value}</{simple[choice]}>"
    link, date = _escape(draw(_links)), draw(_dates)
    return [
        f"<link>{link}</link>",
        f"<a:link href='{link}'/>",
        f"<guid isPermaLink='{draw(st.sampled_from(['true', 'false']))}'>{link}</guid>",
        f"<id>{link}</id>",
        f"<pubDate>{date}</pubDate>",
        f"<dc:date>{date}</dc:date><updated>{date}</updated>",
        f"<media:group><media:title>{value}</media:title><media:content url='{link}'>"
        f"<media:description>{value}</media:description></media:content></media:group>",
    ][choice - len(simple)]


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_the_fast_path_equals_the_reference_on_anything(data: st.DataObject, atom: bool) -> None:
    """Whatever the order, number and contents of elements: equal, or left to the reference."""
    items = data.draw(st.lists(st.lists(_element(atom), max_size=8), min_size=1, max_size=2))
    if atom:
        rows = "".join(f"<entry>{''.join(item)}</entry>" for item in items)
        text = f"<feed xmlns='http://www.w3.org/2005/Atom' {_NS}><title>T</title>{rows}</feed>"
    else:
        rows = "".join(f"<item>{''.join(item)}</item>" for item in items)
        text = f"<rss version='2.0' {_NS}><channel><title>T</title>{rows}</channel></rss>"
    same(text.encode("utf-8"))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_document_or_a_reason(data: bytes) -> None:
    """Noise, with or without the look of a feed, never raises anything but ParseError."""
    for body in (data, b"<rss><channel><item>" + data, b'{"items": [' + data):
        try:
            parse(body, URL)
        except ParseError as error:
            assert isinstance(error.reason, FetchReason)
