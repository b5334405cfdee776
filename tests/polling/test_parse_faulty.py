"""Faulty documents: what is wrong in one place changes nothing in any other."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.config.opml import read_opml
from monitor.errors import ParseError
from monitor.parsing.detect_format import parse
from monitor.parsing.html_text import web_link

URL = "https://paper.example/feed.xml"
SITEMAP = (
    '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">{}</urlset>'
)
RSS = "<rss version='2.0'><channel><title>T</title>{}</channel></rss>"
ATOM = "<feed xmlns='http://www.w3.org/2005/Atom'><title>T</title>{}</feed>"


def item(title: str, number: int = 1, link: str = "") -> str:
    """Return an RSS item; `title` and `link` are written as they are."""
    return (
        f"<item><title>{title}</title><link>{link or f'https://a.example/{number}'}</link>"
        f"<guid isPermaLink='false'>g{number}</guid></item>"
    )


def entry(title: str, number: int = 1, link: str = "") -> str:
    """Return an Atom entry."""
    href = link or f"https://a.example/{number}"
    return f"<entry><id>g{number}</id><title>{title}</title><link href='{href}'/></entry>"


def page(title: str, number: int = 1, link: str = "") -> str:
    """Return a page of a news sitemap."""
    return (
        f"<url><loc>{link or f'https://a.example/{number}'}</loc><news:news>"
        f"<news:title>{title}</news:title></news:news></url>"
    )


def read(document: str | bytes, content_type: str = "") -> list[tuple[str, str]]:
    """Return title and link of each item."""
    body = document.encode() if isinstance(document, str) else document
    return [(one["title"], one["link"]) for one in parse(body, URL, content_type).items]


FORMATS: Any = pytest.mark.parametrize(
    ("whole", "one"), [(RSS, item), (ATOM, entry), (SITEMAP, page)], ids=["rss", "atom", "sitemap"]
)


@FORMATS
def test_a_cut_byte_is_one_replacement_character(whole: str, one: Any) -> None:
    """Everything else stays as it is, and a warning says so: no mojibake, no revisions."""
    text = whole.format(one("Café — Köln", 1) + one("Zürich", 2))
    body = text.encode().replace("—".encode(), b"\xe2\x80")
    document = parse(body, URL)
    assert [found["title"] for found in document.items] == ["Café \ufffd Köln", "Zürich"]
    assert "1 character could not be decoded as utf-8" in document.warnings


@FORMATS
@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("a &#55357;&#56832; b", "a 😀 b"),
        ("a &#xD83D;&#xDE00; b", "a 😀 b"),
        ("a &#55357; b", "a \ufffd b"),
        ("a &#2; b", "a \ufffd b"),
        ("D&D", "D&D"),
        ("R&B &nbsp;&eacute;&nosuch;", "R&B é&nosuch;"),
        ("Fish <3 and 2 < 3", "Fish <3 and 2 < 3"),
        ("a\x0bb", "ab"),
    ],
)
def test_what_xml_forbids_costs_one_character(
    whole: str, one: Any, written: str, title: str
) -> None:
    """Halves of characters, bare ampersands, HTML's entities, `<`: text as it was meant."""
    found = read(whole.format(one(written, 1) + one("fine", 2)))
    assert found == [(title, "https://a.example/1"), ("fine", "https://a.example/2")]


@FORMATS
@pytest.mark.parametrize("broken", ["Storm <b>hits", "Storm hits</i>", "Storm <a href=x>hits</a>"])
def test_one_bad_item_leaves_the_others_alone(whole: str, one: Any, broken: str) -> None:
    """Of 97 real feeds, 23 changed GUIDs, links or texts of other items for one stray tag."""
    before, after = one("One", 1), one("Three", 3)
    sound = parse(whole.format(before + one("x", 2) + after).encode(), URL).items
    found = parse(whole.format(before + one(broken, 2) + after).encode(), URL).items
    assert len(found) == 3
    assert (found[0], found[2]) == (sound[0], sound[2])
    assert found[1]["title"].startswith("Storm")
    assert found[1]["link"] == "https://a.example/2"


@FORMATS
def test_an_element_without_its_end_ends_at_the_next_tag(whole: str, one: Any) -> None:
    """A title that is not closed, or closed in other letters, is still the title."""
    sound = one("One", 1) + one("Two", 2)
    for close in ("</title>", "</news:title>"):
        for wrong in ("", close.upper()):
            text = whole.format(sound.replace(close, wrong, 1))
            assert read(text) == [("One", "https://a.example/1"), ("Two", "https://a.example/2")]


@FORMATS
def test_a_document_that_ends_too_soon_gives_what_is_whole(whole: str, one: Any) -> None:
    """Half an item, whose link may be cut, is left out."""
    text = whole.format(one("One", 1) + one("Two", 2) + one("Three", 3))
    cut = text[: text.index("Three") + 2]
    assert read(cut) == [("One", "https://a.example/1"), ("Two", "https://a.example/2")]


@pytest.mark.parametrize(
    "declared", ["utf-16", "u16", "UTF-32", "nonsense", "unicode_escape", "iso-8859-1", "koi8-r"]
)
def test_a_wrong_declaration_is_not_believed(declared: str) -> None:
    """UTF-8 bytes that are declared as something else are read as what they are."""
    text = f"<?xml version='1.0' encoding='{declared}'?>" + RSS.format(item("Café 漢字"))
    assert read(text)[0][0] == "Café 漢字"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "windows-1252", "iso-8859-1"],
)
def test_encodings_that_are_what_they_say(encoding: str) -> None:
    """With a mark, with a declaration, or with neither where the bytes show it."""
    text = RSS.format(item("Café"))
    assert read(text.encode(encoding))[0][0] == "Café"
    declared = f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig')}'?>" + text
    assert read(declared.encode(encoding))[0][0] == "Café"
    assert read(text.encode(encoding), f"text/xml; charset={encoding.removesuffix('-sig')}")


@pytest.mark.parametrize(
    ("name", "codec", "text"),
    [
        ("windows-874", "cp874", "ภาษาไทย"), ("x-sjis", "cp932", "日本語"),
        ("windows-31j", "cp932", "日本髙"), ("x-cp1251", "cp1251", "Мир"),
        ("win-1251", "cp1251", "Мир"), ("cp-1251", "cp1251", "Мир"),
        ("x-gbk", "gbk", "中文"), ("gb_2312-80", "gbk", "中文"), ("x-x-big5", "big5", "中文"),
        ("windows-949", "cp949", "한국"), ("x-euc-kr", "cp949", "한국"),
        ("iso-8859-8-i", "iso-8859-8", "עברית"), ("logical", "iso-8859-8", "עברית"),
        ("x-mac-cyrillic", "mac-cyrillic", "Мир"), ("koi8-u", "koi8-u", "Київ"),
    ],
)  # fmt: skip
def test_encodings_by_the_names_that_browsers_know(name: str, codec: str, text: str) -> None:
    """A label that Python does not know gave mojibake, read as Windows-1252."""
    body = RSS.format(item(text))
    declared = f"<?xml version='1.0' encoding='{name}'?>{body}".encode(codec)
    assert read(declared)[0][0] == text
    assert read(body.encode(codec), f"text/xml; charset={name}")[0][0] == text


@pytest.mark.parametrize(
    ("language", "codec", "text"),
    [
        ("ru", "cp1251", "Пожар на заводе"), ("uk-UA", "cp1251", "Пожежа"),
        ("ja", "cp932", "東京で火災が発生"), ("zh-CN", "gbk", "北京发生火灾"),
        ("zh-TW", "big5", "台北火災"), ("ko", "cp949", "서울에서 화재"), ("pl", "cp1250", "Pożar"),
        ("el", "cp1253", "Φωτιά"), ("tr", "cp1254", "Yangın"), ("fr", "cp1252", "Évacués"),
    ],
)  # fmt: skip
def test_an_encoding_that_nothing_names_is_the_languages_usual_one(
    language: str, codec: str, text: str
) -> None:
    """Browsers guess by language as well; a warning says what was guessed."""
    body = RSS.format(f"<language>{language}</language>" + item(text)).encode(codec)
    document = parse(body, URL)
    assert document.items[0]["title"] == text
    assert any("not UTF-8; read as" in said for said in document.warnings)


def test_a_lone_cut_letter_makes_no_mojibake() -> None:
    """Where all else is ASCII, half an é was read as an Ã; whole Latin-1 letters still are."""
    body = RSS.format(item("Caf# und Sch")).encode()
    assert read(body.replace(b"#", b"\xc3"))[0][0] == "Caf\ufffd und Sch"
    assert read(body.replace(b"#", b"\xe9"))[0][0] == "Café und Sch"
    assert read(body.replace(b"Caf#", b"S\xc3O"))[0][0] == "SÃO und Sch"


def test_larger_sets_and_headers() -> None:
    """GB 2312 means GB 18030; the header's charset counts; declared UTF-8 that is UTF-8 wins."""
    text = "<?xml version='1.0' encoding='gb2312'?>" + RSS.format(item("爆炸镕"))
    assert read(text.encode("gb18030"))[0][0] == "爆炸镕"
    russian = RSS.format(item("Новости"))
    assert read(russian.encode("koi8-r"), "text/xml; charset=KOI8-R")[0][0] == "Новости"
    declared = "<?xml version='1.0' encoding='utf-8'?>" + russian
    assert read(declared, "text/xml; charset=iso-8859-1")[0][0] == "Новости"


def test_half_a_character_in_json_costs_one_character() -> None:
    """A lone surrogate, a control character and entities in a JSON Feed's titles."""
    rows = ", ".join(
        f'{{"id": "{at}", "title": "{title}"}}'
        for at, title in enumerate(
            ["\\ud83d x", "\\ud83d\\ude00", "a\tb", "R&amp;B &#8217;s", "AT&T"]
        )
    )
    text = f'{{"version": "https://jsonfeed.org/version/1.1", "items": [{rows}]}}'
    titles = [title for title, _ in read(text)]
    assert titles == ["\ufffd x", "😀", "a b", "R&B ’s", "AT&T"]
    assert read(text.encode().replace(b"AT&T", b"AT\xe2\x80T"))[4][0] == "AT\ufffdT"


@FORMATS
def test_an_address_keeps_every_character(whole: str, one: Any) -> None:
    """`?id=7&sec=2` was told as `?id=7=2`: lxml's recovery dropped what it did not know."""
    link = "https://a.example/x?id=7&sec=2&copy=1&lang"
    assert read(whole.format(one("T", 1, link) + one("&", 2)))[0] == ("T", link)


def test_a_sitemaps_texts_do_not_end_at_a_comment_a_tag_or_an_entity() -> None:
    """The whole text of an element is its text."""
    text = SITEMAP.format(page("A <b>bold</b> &c; one", 1, "https://a.example/<!-- 1 -->7"))
    assert read('<!DOCTYPE urlset [<!ENTITY c "big">]>' + text) == [
        ("A bold big one", "https://a.example/7")
    ]


@pytest.mark.parametrize(
    "before",
    [
        "<br />\n<b>Notice</b>: Undefined index: id in <b>/var/x.php</b> on line <b>7</b><br />\n",
        "Warning: session_start()\n",
        "<!-- <html> is not used here -->",
        "<?php /* <rss> */ ?>\n<!-- <feed> -->\n",
    ],
)
@pytest.mark.parametrize("declaration", ["", "<?xml version='1.0'?>"])
def test_what_a_server_writes_before_a_document_is_left_out(before: str, declaration: str) -> None:
    """A PHP notice before a sitemap gave no entries, and a healthy feed for ever."""
    for text in (RSS.format(item("T")), SITEMAP.format(page("T"))):
        assert read(before + declaration + text) == [("T", "https://a.example/1")]
        assert read(declaration + text + "\n<script>x()</script> bye") == [
            ("T", "https://a.example/1")
        ]


def test_one_bad_item_of_a_json_feed_leaves_the_others_alone() -> None:
    """Cut off, with a comma too many, or with a quotation mark in one title: the others count."""
    head = '{"version": "https://jsonfeed.org/version/1.1", "title": "P", "language": "fr", '
    rows = [f'{{"id": "{n}", "title": "T{n}", "tags": [{{"name": "x"}}]}}' for n in range(3)]
    broken = [rows[0], rows[1].replace("T1", 'a "b" c'), rows[2]]
    for body, titles in (
        (f'{head}"items": [{", ".join(rows)},]}}', ["T0", "T1", "T2"]),
        (f'{head}"items": [{", ".join(rows)}'[:-20], ["T0", "T1"]),
        (f'{head}"items": [{", ".join(broken)}]}}', ["T0", "T2"]),
    ):
        document = parse(body.encode(), URL)
        assert [found["title"] for found in document.items] == titles
        assert (document.title, document.language) == ("P", "fr")
        assert any("not valid JSON" in said for said in document.warnings)


def test_what_a_server_writes_around_a_json_feed_is_left_out() -> None:
    """A notice before it and a comment behind it."""
    text = '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "title": "T"}]}'
    for body in (f"<br />\n<b>Notice</b>: x<br />\n{text}", f"Notice: x\n{text}\n<!-- cached -->"):
        document = parse(body.encode(), URL)
        assert [found["title"] for found in document.items] == ["T"]
        assert document.warnings


def test_what_is_said_of_a_document_holds_no_controls() -> None:
    """A sitemap's parts stand in a sentence that a terminal shows."""
    loc = "https://a.example/\x9b31m\u202egnp.xml"
    text = f"<sitemapindex><sitemap><loc>{loc}</loc></sitemap></sitemapindex>"
    with pytest.raises(ParseError) as caught:
        parse(text.encode(), URL)
    assert not set(str(caught.value)) & set("\x9b\u202e")
    assert "https://a.example/" in str(caught.value)


def test_prefixes_that_nothing_declares() -> None:
    """Known by what they are called."""
    text = RSS.format("<item><title>T</title><dc:date>2026-01-01</dc:date></item>")
    assert parse(text.encode(), URL).items[0]["updated"] == 1_767_225_600.0


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("https://a.example/a b.html", "https://a.example/a%20b.html"),
        (" https://a.example/a\n     b.html ", "https://a.example/ab.html"),
        ("/a b", "https://paper.example/a%20b"),
        ("https://a b.example/", ""),
        ("http://example.c[o.test/", ""),
        ("www.a.example/1", "https://www.a.example/1"),
        ("http://https://a.example/1", "https://a.example/1"),
        ("https:/a.example/1", "https://a.example/1"),
        ("https:\\\\a.example\\1", "https://a.example/1"),
        ('"https://a.example/1"', "https://a.example/1"),
        ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
        ('<a href="https://a.example/1">x</a>', ""),
        ("https://a.example:99999/1", ""),
    ],
)
def test_blanks_in_links(value: str, link: str) -> None:
    """A blank within a link is part of the address; a line break is not."""
    assert web_link(value, URL) == link


def test_one_bad_link_beside_a_base_costs_that_link() -> None:
    """`urljoin` raised for it, and the whole feed failed on every poll."""
    text = RSS.format(item("One", 1, "http://example.c[o.test/") + item("Two", 2, "/rel"))
    found = read(text.replace("<rss", "<rss xml:base='https://b.example/'"))
    assert found == [("One", ""), ("Two", "https://b.example/rel")]


def test_a_number_is_no_address() -> None:
    """A GUID is a permalink by default, but only what can be an address becomes the link."""
    for guid, link in (
        ("12345", ""),
        ("abc-1", ""),
        ("2026/11/26", ""),
        ("9 at https://paper.example", ""),
        ("/a/1", "https://paper.example/a/1"),
        ("http://paper.example/9", "http://paper.example/9"),
    ):
        text = RSS.format(f"<item><title>T</title><guid>{guid}</guid></item>")
        assert read(text) == [("T", link)]
        assert read(text.replace("<rss", "<!DOCTYPE rss><rss")) == [("T", link)]
    assert read(RSS.format("<item><title>T</title><link>a1</link></item>")) == [
        ("T", "https://paper.example/a1")
    ]


def test_escaped_cdata_is_unwrapped() -> None:
    """CDATA marks that were escaped are no part of the text."""
    text = RSS.format(
        "<item><title>&lt;![CDATA[Talks &amp;amp; tea]]&gt;</title>"
        "<description>&lt;![CDATA[&lt;p&gt;In short&lt;/p&gt;]]&gt;</description></item>"
    )
    (found,) = parse(text.encode(), URL).items
    assert (found["title"], found["summary"]) == ("Talks & tea", "In short")


@pytest.mark.parametrize("doctype", ["", "<!DOCTYPE feed>"])
def test_a_document_that_is_no_page_is_the_link_where_there_is_no_page(doctype: str) -> None:
    """A press release may be a PDF alone; its entry had no address."""
    links = (
        "<link rel='alternate' type='application/pdf' href='https://a.example/p.pdf'/>",
        "<link rel='self' type='application/atom+xml' href='https://a.example/1.atom'/>",
    )
    text = ATOM.format(f"<entry><id>urn:1</id><title>T</title>{''.join(links)}</entry>")
    assert read(text.replace("<feed", f"{doctype}<feed")) == [("T", "https://a.example/p.pdf")]


@pytest.mark.parametrize("doctype", ["", "<!DOCTYPE feed>"])
def test_of_several_alternates_the_first_in_the_feeds_language_is_the_page(doctype: str) -> None:
    """Translations and other forms of an entry are not its page, wherever they stand."""
    links = {
        "de": "<link hreflang='de' href='https://a.example/de'/>",
        "json": "<link type='application/json' href='https://a.example/json'/>",
        "page": "<link rel='alternate' type='text/html' href='https://a.example/1'/>",
        "en": "<link hreflang='en-GB' href='https://a.example/en'/>",
    }
    for order, link in (
        (("page", "de", "json"), "1"),
        (("de", "page", "json"), "1"),
        (("de", "en"), "en"),
        (("de", "json"), "de"),
    ):
        rows = "".join(links[name] for name in order)
        text = ATOM.format(f"<entry><id>1</id><title>T</title>{rows}</entry>")
        text = text.replace("<feed", f"{doctype}<feed xml:lang='en'")
        assert read(text) == [("T", f"https://a.example/{link}")], order


def test_a_subscription_list_keeps_its_addresses() -> None:
    """`xmlUrl="…?a=1&b=2"` was written as `?a=1=2`."""
    raw = b"""<?xml version="1.0"?>\n<opml version="2.0"><body>
<outline text="A & B" xmlUrl="https://a.example/f?a=1&b=2"/>
<outline text="x < y" xmlUrl="https://b.example/f"/></body></opml>"""
    outlines, faults = read_opml(raw)
    assert [(one.name, one.url) for one in outlines] == [
        ("A & B", "https://a.example/f?a=1&b=2"),
        ("x < y", "https://b.example/f"),
    ]
    assert faults == []


_titles = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=20
)


def _title(text: str) -> bool:
    return bool(text.strip()) and "\ufffd" not in text and "<" not in text and "&" not in text


@settings(max_examples=150, deadline=None)
@given(
    _titles, st.integers(0, 10_000), st.sampled_from([(RSS, item), (ATOM, entry), (SITEMAP, page)])
)
def test_one_byte_lost_changes_one_item(title: str, place: int, form: Any) -> None:
    """Wherever in one item's title a byte is lost, the other item stays as it was."""
    assume(_title(title))
    whole, one = form
    other = one("Zürich: «Ruhe»", 2)
    body = whole.format(one(f"é{escape(title)}", 1) + other).encode()
    start = body.index("é".encode())
    end = body.index(b"<", start)
    at = start + place % (end - start)
    faulty = parse(body[:at] + body[at + 1 :], URL).items
    assert len(faulty) == 2
    assert faulty[1] == parse(body, URL).items[1]


_query = st.text("abcXYZ019=&;#%/._~+", max_size=24)


@settings(max_examples=200, deadline=None)
@given(_query, st.sampled_from([(RSS, item), (SITEMAP, page)]))
def test_bare_ampersands_keep_every_address(query: str, form: Any) -> None:
    """Whatever a query holds, unescaped: the address is what it was, in feeds, sitemaps, OPML."""
    assume(not any(part.split(";")[0].strip("#") in ("", "lt", "gt", "amp") or ";" in part
                   for part in query.split("&")[1:]))  # fmt: skip
    whole, one = form
    link = f"https://a.example/x?{query}"
    assert read(whole.format(one("T & T", 1, link)))[0][1] == link
    outlines, _ = read_opml(
        f"<opml><body><outline text='&' xmlUrl='{link}'/></body></opml>".encode()
    )
    assert [found.url for found in outlines] == [link]


_MARKS = [
    "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!DOCTYPE [", "]>", "<rss>", "</rss>", "<item>",
    "</item>", "<title>", "<b", "&", "x",
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(_MARKS), max_size=40))
def test_any_order_of_marks_is_read_or_named(marks: list[str]) -> None:
    """Openings without ends, ends without openings: an answer, never a traceback."""
    for text in ("".join(marks), RSS.format("".join(marks)), json.dumps({"items": marks})):
        try:
            parse(text.encode(), URL)
        except ParseError as error:
            assert error.reason
