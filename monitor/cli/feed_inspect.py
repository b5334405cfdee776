"""`wirewatch feeds inspect`: one feed, read as the poller would read it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.setup import config_option, fail, run_async, say_json
from monitor.cli.words import iso, show
from monitor.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from monitor.config.schema import FeedSource, PollingSettings
    from monitor.model import Entry
    from monitor.polling.fetch_result import FetchResult

_SHOWN = 20


@click.command()
@click.argument("where", metavar="URL_OR_FILE")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--kind", type=click.Choice(["auto", "feed", "sitemap"]), default="auto")
@click.option("--allow", multiple=True, help="Internal host or network to allow, this once.")
def inspect(where: str, config_dir: Path, as_json: bool, kind: str, allow: tuple[str, ...]) -> None:
    """Fetch (or read) and parse one feed exactly as the poller would, storing nothing.

    URL_OR_FILE is an address, a file, "-" for standard input, or the id of a configured feed.
    """
    settings, source = settings_for(config_dir, where, kind, allow)
    document = _read(where)
    if document is None and "://" not in source.url:
        fail(f"{where} is neither a file, an http(s) address, nor the id of a feed")
    from monitor.polling.inspection import inspect_feed

    outcome = run_async(inspect_feed(document, source, settings))
    if as_json:
        say_json(_described(source, outcome))
    else:
        show(_table(source, outcome))
    sys.exit(0 if outcome.parsed is not None else 1)


def settings_for(
    folder: Path, where: str, kind: str, allow: tuple[str, ...]
) -> tuple[PollingSettings, FeedSource]:
    """Return how to poll, and the feed that `where` names: a configured one, or one made for it."""
    from monitor.config.load import examine
    from monitor.config.schema import FeedSource, PollingSettings

    settings, source = PollingSettings(), None
    if folder.is_dir():
        config = examine(folder).config
        settings = config.polling
        source = next((feed for feed in config.feeds if where in (feed.id, feed.url)), None)
    if allow:
        settings = settings.model_copy(update={"allow_hosts": (*settings.allow_hosts, *allow)})
    if source is None:
        source = FeedSource.model_validate({"id": "inspected", "url": where, "kind": kind})
    return settings, source


def _read(where: str) -> bytes | None:
    if where == "-":
        return sys.stdin.buffer.read()
    path = Path(where)
    return path.read_bytes() if "://" not in where and path.is_file() else None


def _described(source: FeedSource, outcome: FetchResult) -> dict[str, Any]:
    from monitor.polling.poll_decision import shown_url

    parsed = outcome.parsed
    feed: dict[str, Any] = {"url": shown_url(source), "status": outcome.status or None}
    entries: tuple[Entry, ...] = ()
    warnings: list[str] = []
    if parsed is not None:
        feed |= {
            "title": parsed.title,
            "link": parsed.link,
            "language": parsed.language,
            "version": parsed.version,
            "hub": parsed.hub,
            "self": parsed.self_url,
            "next": parsed.next_url,
            "ttl": parsed.ttl or None,
        }
        entries, warnings = parsed.entries, list(parsed.warnings)
    data: dict[str, Any] = {
        "feed": feed,
        "entries": [
            {
                "id": entry.guid,
                "title": entry.title,
                "link": entry.link,
                "summary": entry.summary,
                "content": entry.content,
                "published": iso(entry.published or entry.updated),
                "author": entry.author,
                "language": entry.language,
            }
            for entry in entries
        ],
        "warnings": warnings,
    }
    if parsed is None:
        data["error"] = {"reason": str(outcome.reason), "message": outcome.message}
    return data


def _table(source: FeedSource, outcome: FetchResult) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    data = _described(source, outcome)
    if outcome.parsed is None:
        return Text(f"{outcome.reason}: {one_line(outcome.message)}", style="red")
    feed = data["feed"]
    title = one_line(feed["title"] or feed["url"])
    head = Text(f"{title}  ({feed['version']}, {one_line(feed['language'] or '?')})")
    head.stylize("bold")
    parts: list[RenderableType] = [head]
    for entry in data["entries"][:_SHOWN]:
        parts.append(Text(f"{entry['published'] or 'undated':<20}  {one_line(entry['title'])}"))
        address = Text(f"  {one_line(entry['link'])}", style="dim")
        address.no_wrap, address.overflow = True, "fold"
        parts.append(address)
    if (more := len(data["entries"]) - _SHOWN) > 0:
        parts.append(Text(f"and {more} more", style="dim"))
    parts += [Text(f"warning: {one_line(text)}", style="yellow") for text in data["warnings"]]
    return Group(*parts)
