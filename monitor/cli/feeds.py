"""`wirewatch feeds`: list, inspect, discover, import, export; and what
`feed_inspect` and `feed_control` add."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.feed_control import pause, poll, resume
from monitor.cli.feed_inspect import inspect, settings_for
from monitor.cli.setup import (
    OutputFile,
    config_option,
    fail,
    load_or_exit,
    open_store,
    run_async,
    say,
    say_json,
)
from monitor.cli.words import iso, show
from monitor.text import counted, one_line, span

if TYPE_CHECKING:
    from rich.console import RenderableType

    from monitor.config.schema import Config, FeedSource
    from monitor.model import FeedState

_INTERVALS = ("interval_s", "expected_delay_s")


@click.group()
def feeds() -> None:
    """List, inspect, find, import and export feeds; poll, pause and resume them."""


for _command in (inspect, poll, pause, resume):
    feeds.add_command(_command)


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
            say("No feed needs attention.")
        else:
            show(_health_table(rows, now))


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
        "last_success": iso(state.last_success or None),
        "latency_ms": round(state.latency * 1000) if state.polls else None,
        "interval_s": round(state.interval) if state.polls else None,
        "expected_delay_s": round(expected_delay(state)) if state.polls else None,
        "next_due": iso(state.next_due or None),
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
            f"{span(ago)} ago" if ago is not None else "never",
            *(span(row[name]) if row[name] is not None else "" for name in _INTERVALS),
            f"{row['items_per_day']:g}",
        )
        if row["failures"] or row["error"]:
            line = Text(f"{row['id']}  {row['reason']}: {one_line(row['error'] or '')}")
            line.no_wrap, line.overflow = True, "ellipsis"
            wrong.append(line)
    if not wrong:
        return table
    return Group(table, Text("\nwhat is wrong", style="bold"), *wrong)


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
        say(f"{opml}:{line}: warning: {message}", err=True)
    if not changed:
        all_of = f"All {did.known} feeds are" if did.known > 1 else "The feed is"
        say(f"{all_of} already configured; nothing was written.")
        return
    renewed = f", {did.updated} renewed" if did.updated else ""
    say(
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
        say(f"{counted(len(shown), 'feed')} written to {output}.", err=True)


@feeds.command()
@click.argument("site")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option("--allow", multiple=True, help="Internal host or network to allow, this once.")
def discover(site: str, config_dir: Path, as_json: bool, allow: tuple[str, ...]) -> None:
    """Find the feeds of a site: those its page names, its news sitemaps, the usual places."""
    from monitor.cli.feed_lists import discover_feeds

    url = site if "://" in site else f"https://{site}"
    settings, _ = settings_for(config_dir, url, "auto", allow)
    found, problem = run_async(discover_feeds(url, settings))
    if as_json:
        say_json(found)
    elif found:
        show(_found_table(found))
    else:
        say(problem or f"No feed found at {url}.", err=True)
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
