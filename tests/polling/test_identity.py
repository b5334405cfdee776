"""Who is who: canonical addresses, entry keys, and the hash of what an entry says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identity import canonical_url, content_hash, entry_key, site, url_key
from monitor.parsing.html_text import web_link

_part = st.text("abzAZ019-._~%é/?#&=+ :@[]", max_size=12)
_urls = st.builds(
    "{}://{}{}/{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp"]),
    st.sampled_from(["paper.example", "Www.Paper.Example.", "user:word@paper.example", "[::1]"]),
    st.sampled_from(["", ":80", ":443", ":8080", ":99999"]),
    _part,
    st.sampled_from(["", "?utm_source=x&id=7", "?a=b&c=", "#top", "?ref=home", "?cid=1234"]),
)


@given(_urls)
def test_a_canonical_address_is_its_own(url: str) -> None:
    """To canonicalise twice changes nothing, and nothing but http(s) comes out."""
    canonical = canonical_url(url)
    assert canonical_url(canonical) == canonical
    assert canonical == "" or canonical.startswith(("http://", "https://"))


@given(_urls)
def test_plain_addresses_take_no_other_form_for_being_read_fast(url: str) -> None:
    """An address too plain for the long way round comes out as the long way would have it."""
    url = url.strip()
    assert canonical_url(url) == canonical_url(url + "#")
    assert web_link(url) == web_link(url + " ")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("https://www.paper.example/a/1/?utm_source=rss#top", "http://paper.example/a/1"),
        ("https://paper.example:443/a?b=1&fbclid=zz", "https://PAPER.example/a?b=1"),
        ("https://paper.example/caf%C3%A9", "https://paper.example/café"),
        ("https://paper.example//a//1", "https://paper.example/a/1"),
    ],
)
def test_two_addresses_of_one_page_have_one_key(one: str, two: str) -> None:
    """Tracking, ports, case, escapes, slashes, www and scheme make no other page."""
    assert url_key(one) == url_key(two) != ""


def test_two_pages_have_two_keys() -> None:
    """What may be an article's number is no tracking."""
    assert url_key("https://paper.example/a?cid=1") != url_key("https://paper.example/a?cid=2")
    assert url_key("https://paper.example/A") != url_key("https://paper.example/a")


_words = st.text(st.characters(exclude_characters="<>", exclude_categories=["Cs"]), max_size=40)


@given(_words, st.lists(_words, max_size=3), st.randoms())
def test_markup_spacing_and_order_do_not_change_what_is_said(title, texts, random) -> None:  # type: ignore[no-untyped-def]
    """Another dress of the same words has the same hash and the same length."""
    said = content_hash(title, texts)
    dressed = [f"<p class='x{n}'>\n {text}\t</p><img src='?{n}'>" for n, text in enumerate(texts)]
    random.shuffle(dressed)
    assert content_hash(title, dressed) == said
    assert content_hash(f"  {title} ".upper().lower(), dressed)[0] == content_hash(
        title.upper().lower(), texts
    )[0]  # fmt: skip


def test_other_words_are_another_content() -> None:
    """A changed figure, a changed headline, and words moved between texts, are noticed."""
    base = content_hash("Quake kills 12", ["Rescuers dig.", "A long report."])
    assert content_hash("Quake kills 240", ["Rescuers dig.", "A long report."]) != base
    assert content_hash("Quake kills 12", ["Rescuers dug.", "A long report."]) != base
    assert content_hash("Quake kills 12", ["Rescuers dig.A long report."]) != base


def test_an_entry_is_known_by_guid_then_link_then_words() -> None:
    """Neither headline nor text matter while there is a GUID or a link."""
    assert entry_key("7", "p/a", "T", "1x") == entry_key("7", "p/b", "U", "1y")
    assert entry_key("", "p/a", "T", "1x") == entry_key("", "p/a", "U", "1y")
    assert entry_key("", "", "T!", "1x") == entry_key("", "", "t", "1y")
    assert entry_key("", "", "", "1x") != entry_key("", "", "", "1y")


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("feeds.bbci.co.uk", "bbci.co.uk"),
        ("a.netlify.app", "a.netlify.app"),
        ("x.github.io", "x.github.io"),
        ("desk.substack.com", "desk.substack.com"),
        ("d1.cloudfront.net", "d1.cloudfront.net"),
        ("192.0.2.7", "192.0.2.7"),
        ("localhost", "localhost"),
    ],
)
def test_customers_of_a_shared_host_are_sites_of_their_own(host: str, domain: str) -> None:
    """What one of them asks for (Retry-After) holds no stranger."""
    assert site(host) == domain
