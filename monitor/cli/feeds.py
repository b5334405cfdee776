"""`wirewatch feeds`: list, inspect, discover, import, export; and what `feed_control` adds."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.feed_control import pause, poll, resume
from monitor.cli.setup import (
    OutputFile,
    config_option,
    console,
    fail,
    load_or_exit,
    open_store,
    run_async,
    say_json,
)
from monitor.cli.words import counted
from monitor.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from monitor.config.schema import Config, FeedSource, PollingSettings
    from monitor.model import Entry, FeedState
    from monitor.polling.fetch_result import FetchResult

_SHOWN = 20


@click.group()
def feeds() -> None:
    """List, inspect, find, import and export feeds; poll, pause and resume them."""


for _command in (poll, pause, resume):
    feeds.add_command(_command)


@feeds.command()
@click.argument("where", metavar="URL_OR_FILE")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--kind", type=click.Choice(["auto", "feed", "sitemap"]), default="auto")
@click.option("--allow", multiple=True, help="Internal host or network to allow, this once.")
def inspect(where: str, config_dir: Path, as_json: bool, kind: str, allow: tuple[str, ...]) -> None:
    """Fetch (or read) and parse one feed exactly as the poller would, storing nothing.

    URL_OR_FILE is an address, a file, "-" for standard input, or the id of a configured feed.
    """
    settings, source = _settings(config_dir, where, kind, allow)
    document = _read(where)
    if document is None and "://" not in source.url:
        fail(f"{where} is neither a file, an http(s) address, nor the id of a feed")
    from monitor.polling.inspection import inspect_feed

    outcome = run_async(inspect_feed(document, source, settings))
    if as_json:
        say_json(_described(source, outcome))
    else:
        _print(_table(source, outcome))
    sys.exit(0 if outcome.parsed is not None else 1)


def _settings(
    folder: Path, where: str, kind: str, allow: tuple[str, ...]
) -> tuple[PollingSettings, FeedSource]:
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


def entries_of(where: str, config_dir: Path, document: bytes | None = None) -> tuple[Entry, ...]:
    """Return the entries of a feed (an address, or a document at hand), or leave with a message."""
    settings, source = _settings(config_dir, where, "auto", ())
    from monitor.polling.inspection import inspect_feed

    outcome = run_async(inspect_feed(document, source, settings))
    if outcome.parsed is None:
        fail(f"{where}: {outcome.message or outcome.reason}", code=1)
    return outcome.parsed.entries


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
                "published": _iso(entry.published or entry.updated),
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


def _print(renderable: RenderableType) -> None:
    console().print(renderable)


def _iso(instant: float | None) -> str | None:
    if instant is None:
        return None
    try:
        return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


@feeds.command(name="list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option("--failing", is_flag=True, help="Only feeds that need attention.")
def list_(config_dir: Path, as_json: bool, failing: bool) -> None:
    """Show how every feed is doing: last success, interval, delay, items a day, errors.

    "delay" is what an item waits on average until a poll sees it, by the last interval.
    """
    import time

    config = load_or_exit(config_dir)
    states, paused = run_async(_states(config))
    now = time.time()
    rows = [
        _health(source, state, now, paused.get(source.id, 0.0))
        for source, state in zip(config.feeds, states, strict=True)
        if not failing or state.failures or state.ended
    ]
    if as_json:
        say_json(rows)
    else:
        if failing and not rows:
            click.echo("No feed needs attention.")
        else:
            _print(_health_table(rows, now))


async def _states(config: Config) -> tuple[list[FeedState], dict[str, float]]:
    from monitor.polling.feed_store import FeedStore

    async with open_store(config) as (client, keys):
        feeds = FeedStore(client, keys)
        states = await feeds.load_states([feed.id for feed in config.feeds])
        return states, await feeds.paused()


def _health(source: FeedSource, state: FeedState, now: float, paused: float) -> dict[str, Any]:
    from monitor.polling.schedule import expected_delay, items_per_day

    health = "ok"
    if not source.enabled:
        health = "disabled"
    elif paused > now:
        health = "paused"
    elif state.ended:
        health = "ended"
    elif not state.polls:
        health = "new"
    elif state.failures:
        health = "failing"
    return {
        "id": source.id,
        "health": health,
        "title": state.title or source.name,
        "last_success": _iso(state.last_success or None),
        "latency_ms": round(state.latency * 1000) if state.polls else None,
        "interval_s": round(state.interval) if state.polls else None,
        "expected_delay_s": round(expected_delay(state)) if state.polls else None,
        "next_due": _iso(state.next_due or None),
        "items_per_day": round(items_per_day(state, now), 1),
        "unchanged_share": round(state.unchanged / state.polls, 2) if state.polls else None,
        "polls": state.polls,
        "failures": state.failures,
        "reason": state.last_reason,
        "error": state.last_error,
    }


def _health_table(rows: list[dict[str, Any]], now: float) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    longest = max((len(row["id"]) for row in rows), default=0)
    table.add_column("feed", no_wrap=True, min_width=longest)  # people have to type it
    for name, right in (
        ("health", False),
        ("last success", True),
        ("every", True),
        ("delay", True),
        ("a day", True),
    ):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    colours = {
        "ok": "green",
        "new": "dim",
        "disabled": "dim",
        "paused": "dim",
        "failing": "yellow",
        "ended": "red",
    }
    wrong = []
    for row in rows:
        last = row["last_success"]
        ago = now - datetime.fromisoformat(last).timestamp() if last else None
        table.add_row(
            row["id"],
            Text(row["health"], style=colours[row["health"]]),
            f"{_span(ago)} ago" if ago is not None else "never",
            _span(row["interval_s"]),
            _span(row["expected_delay_s"]),
            f"{row['items_per_day']:g}",
        )
        if row["failures"] or row["error"]:
            line = Text(f"{row['id']}  {row['reason']}: {one_line(row['error'] or '')}")
            line.no_wrap, line.overflow = True, "ellipsis"
            wrong.append(line)
    if not wrong:
        return table
    return Group(table, Text("\nwhat is wrong", style="bold"), *wrong)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


@feeds.command(name="import")
@click.argument("opml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@click.option("--as", "name", default="", help="Name of the file made. Default: from the OPML.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def import_(opml: Path, config_dir: Path, name: str, as_json: bool) -> None:
    """Take over a subscription list (OPML): folders become tags, known feeds are left out.

    The feeds are written to feeds/NAME.yaml in the configuration folder, to be edited there.
    Importing a list of the same name again adds its new feeds and renews names and tags.
    """
    from monitor.config.feed_files import write_feeds
    from monitor.config.load import examine
    from monitor.config.names import readable_id
    from monitor.config.opml import read_opml
    from monitor.errors import ConfigError

    outlines, faults = read_opml(opml.read_bytes(), readable_id)
    if not outlines:
        fail(f"{opml}:{faults[0][0]}: {faults[0][1]}")
    if not config_dir.is_dir():
        fail(f"the configuration folder {config_dir} does not exist; make it with: wirewatch init")
    known = examine(config_dir).config.feeds
    target = config_dir / "feeds" / f"{readable_id(name or opml.stem)}.yaml"
    try:
        did = write_feeds(target, outlines, known, str(opml.name))
    except ConfigError as error:
        fail(error)
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror}")
    changed = did.written or did.updated
    if as_json:
        file = str(target) if changed else None
        click.echo(
            json.dumps(
                {
                    "file": file,
                    "imported": did.written,
                    "updated": did.updated,
                    "known": did.known,
                }
            )
        )
        return
    for line, message in faults:
        click.echo(f"{opml}:{line}: warning: {message}", err=True)
    if not changed:
        all_of = f"All {did.known} feeds are" if did.known > 1 else "The feed is"
        click.echo(f"{all_of} already configured; nothing was written.")
        return
    renewed = f", {did.updated} renewed" if did.updated else ""
    click.echo(
        f"{counted(did.written, 'feed')} written to {target}{renewed}, "
        f"{did.known} already configured."
    )


@feeds.command()
@config_option
@click.option("--output", "-o", type=OutputFile())
def export(config_dir: Path, output: Path | None) -> None:
    """Write the configured feeds as a subscription list (OPML); tags become folders.

    Passwords in addresses are left out.
    """
    from monitor.config.opml import write_opml
    from monitor.polling.poll_decision import shown_url

    config = load_or_exit(config_dir)
    shown = [feed.model_copy(update={"url": shown_url(feed)}) for feed in config.feeds]
    text = write_opml(shown)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{counted(len(shown), 'feed')} written to {output}.", err=True)


@feeds.command()
@click.argument("site")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option("--allow", multiple=True, help="Internal host or network to allow, this once.")
def discover(site: str, config_dir: Path, as_json: bool, allow: tuple[str, ...]) -> None:
    """Find the feeds of a site: those its page names, its news sitemaps, the usual places."""
    from monitor.cli.feed_lists import discover_feeds

    url = site if "://" in site else f"https://{site}"
    settings, _ = _settings(config_dir, url, "auto", allow)
    found, problem = run_async(discover_feeds(url, settings))
    if as_json:
        say_json(found)
    elif found:
        _print(_found_table(found))
    else:
        click.echo(problem or f"No feed found at {url}.", err=True)
    sys.exit(0 if found else 1)


def _found_table(found: list[dict[str, Any]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("address", "title", "format", "entries", "newest"):
        table.add_column(name, overflow="fold")
    for row in found:
        cells = (row["url"], row["title"], row["version"], str(row["entries"]), row["newest"] or "")
        table.add_row(*(Text(cell) for cell in cells))
    return table
