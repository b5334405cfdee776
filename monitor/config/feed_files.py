"""Subscription lists taken over as files of feeds, without losing what was added by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.config.names import readable_id
from monitor.config.opml import Outline
from monitor.config.schema import FeedSource
from monitor.errors import ConfigError, Problem
from monitor.identity import url_key
from monitor.text import one_line


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: feeds written, feeds whose name or tags were renewed, feeds left out."""

    written: int = 0
    updated: int = 0
    known: int = 0


def write_feeds(
    target: Path, outlines: Sequence[Outline], known: Iterable[FeedSource], origin: str
) -> Imported:
    """Write a subscription list as a feeds file.

    A feed that another file has is left out. If `target` is there from an earlier import, its
    feeds keep their ids and every setting that was added by hand; names and tags follow the list,
    new feeds are added, and feeds the list no longer has stay.
    """
    rows = _rows_of(target)
    mine = {url_key(str(row["url"])) or str(row["url"]): row for row in rows}
    others = {
        url_key(feed.url) or feed.url: feed
        for feed in known
        if feed.id not in {row.get("id") for row in rows}
    }
    ids = {feed.id for feed in others.values()} | {str(row.get("id")) for row in rows}
    written = updated = left_out = 0
    for outline in outlines:
        address = url_key(outline.url) or outline.url
        fresh: dict[str, Any] = {}
        if outline.name:
            fresh["name"] = _literally(outline.name)
        if outline.tags:
            fresh["tags"] = list(outline.tags)
        if address in others:
            left_out += 1
        elif (row := mine.get(address)) is not None:
            if {key: row.get(key) for key in fresh} != fresh:
                row.update(fresh)
                updated += 1
            else:
                left_out += 1
        else:
            feed_id = _free(readable_id(outline.name or address) or "feed", ids)
            ids.add(feed_id)
            mine[address] = {"id": feed_id, "url": _literally(outline.url), **fresh}
            rows.append(mine[address])
            written += 1
    if written or updated:
        target.parent.mkdir(parents=True, exist_ok=True)
        body = yaml.safe_dump({"feeds": rows}, allow_unicode=True, sort_keys=False, width=100)
        target.write_text(f"# Imported from {one_line(origin)}.\n{body}", encoding="utf-8")
    return Imported(written, updated, left_out)


def _rows_of(target: Path) -> list[dict[str, Any]]:
    """Return the feeds of an earlier import; every value as the text it was written as.

    Raises:
        ConfigError: the file is not such a list, or not YAML any more.
    """
    if not target.exists():
        return []
    wrong = Problem(str(target), 1, "this is not a list of feeds; choose another name with --as")
    try:
        data = yaml.load(target.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506 - texts only
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError([wrong]) from None
    rows = data.get("feeds") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and "url" in row for row in rows
    ):
        raise ConfigError([wrong])
    return rows


def _literally(text: str) -> str:
    """Return `text` as a setting that means just this: no variable of ours goes into it."""
    return text.replace("${", "$${")


def _free(wish: str, taken: set[str]) -> str:
    wish = wish[:70]
    if wish not in taken:
        return wish
    return next(name for n in range(2, 10**6) if (name := f"{wish}-{n}") not in taken)
