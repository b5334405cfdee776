"""Which feeds a site's page names."""

from __future__ import annotations

from lxml import etree

from monitor.parsing.html_text import web_link

_TYPES = frozenset(
    {
        "application/rss+xml",
        "application/atom+xml",
        "application/rdf+xml",
        "application/feed+json",
        "application/json",
        "application/xml",
        "text/xml",
    }
)
_SIGNS = ("rss", "atom", "feed", ".rdf")
_MOST = 40
USUAL_PATHS = (
    "/feed", "/rss", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml", "/feed.json",
    "/news-sitemap.xml", "/sitemap-news.xml", "/sitemaps/news.xml", "/news/sitemap_news.xml",
)  # fmt: skip


def feed_links(page: bytes, url: str) -> list[str]:
    """Return the feeds a page names: those it declares, then links that look like feeds."""
    parser = etree.HTMLParser(no_network=True, recover=True, huge_tree=False)
    root = etree.fromstring(page, parser)
    if root is None:
        return []
    declared, likely = [], []
    for node in root.iter("link", "a"):
        href = web_link(node.get("href") or "", url)
        if not href:
            continue
        if node.tag == "link":
            relations = (node.get("rel") or "").lower().split()
            kind = (node.get("type") or "").lower().split(";")[0].strip()
            if "alternate" in relations and kind in _TYPES and "oembed" not in href:
                declared.append(href)
        elif any(sign in href.lower().rsplit("://", 1)[-1] for sign in _SIGNS):
            likely.append(href)
    return list(dict.fromkeys(declared + likely))[:_MOST]


def news_sitemaps(robots: str) -> list[str]:
    """Return the sitemaps that a robots.txt names and that look like news sitemaps."""
    named = [
        line.split(":", 1)[1].strip()
        for line in robots.splitlines()
        if line.lower().startswith("sitemap:")
    ]
    return [link for link in map(web_link, named) if link and "news" in link.lower()][:5]
