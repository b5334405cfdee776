"""How far a source may be relied on, as a word. From the configuration alone; no store.

What a publisher writes (title of the feed, byline, credit, link) never counts, or anybody could
call themselves a wire: the word follows from the feed's own `trust:`, or from a table by the host
that answered.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from monitor.config.schema import FeedSource
from monitor.identity import site
from monitor.reasons import Trust

_SHIPPED = Path(__file__).with_name("source_trust.yaml")


class TrustVerdict(NamedTuple):
    """A word of `Trust`, and how it was judged, for people."""

    trust: Trust
    ground: str


def trust_of(feed: FeedSource, host: str) -> TrustVerdict:
    """Return the trust of what `host` answered for a feed.

    `host` is where the document came from after redirects. A name that only looks like one of the
    table, or has it as a part ("reuters.com.example.net"), is another host.
    """
    if feed.trust:
        return TrustVerdict(Trust(feed.trust), "set in feeds.yaml")
    name = host.lower().rstrip(".")
    for known in (name, name.removeprefix("www."), site(name)):
        if known in table():
            return table()[known]
    return TrustVerdict(Trust.UNKNOWN, "neither in feeds.yaml nor in the table of sources")


@cache
def table() -> dict[str, TrustVerdict]:
    """Return the shipped table: host or registrable domain -> trust and ground."""
    rows = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
    return {host: TrustVerdict(Trust(row["trust"]), row["ground"]) for host, row in rows.items()}
