"""`wirewatch alerts`: what was told, newest first; as text, CSV or JSON lines."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import config_option, console, fail, load_or_exit, open_store, run_async, say

if TYPE_CHECKING:
    from monitor.config.schema import Config
    from monitor.history.records import AlertRecord
    from monitor.history.search import Query


@click.command()
@click.argument("words", nargs=-1)
@config_option
@click.option("--since", default="7d", show_default=True, help="How far back: 90m, 24h, 30d.")
@click.option("--topic", default="", help="Only alerts of this topic (its id).")
@click.option("--outlet", default="", help="Only stories of this outlet.")
@click.option("--urgency", default="", help="Only alerts of this urgency.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print all of them as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print all of them, a JSON object a line.")
def alerts(
    words: tuple[str, ...],
    config_dir: Path,
    since: str,
    topic: str,
    outlet: str,
    urgency: str,
    limit: int,
    as_csv: bool,
    as_json: bool,
) -> None:
    """List the alerts that were decided, newest first; WORDS must all stand in them.

    CSV and JSON have every alert of the time, whatever the limit.
    """
    from monitor.config.value_types import parse_duration
    from monitor.history.search import Query

    config = load_or_exit(config_dir)
    try:
        start = time.time() - parse_duration(since)
    except ValueError as error:
        fail(f"--since: {error}")
    query = Query.of(" ".join(words), topic, outlet, urgency)
    query = replace(query, since=start)
    if as_csv or as_json:
        run_async(_export(config, query, as_csv))
        return
    found = run_async(_search(config, query, limit))
    if not found:
        say(f"No alert in the last {since}" + (" matches." if words or topic else "."))
        return
    _show(found, len(found) == limit)


async def _search(config: Config, query: Query, limit: int) -> tuple[AlertRecord, ...]:
    from monitor.history.history_store import HistoryStore

    async with open_store(config) as (client, keys):
        return (await HistoryStore(client, keys).search(query, limit)).alerts


async def _export(config: Config, query: Query, as_csv: bool) -> None:
    from monitor.history import export
    from monitor.history.history_store import HistoryStore

    async with open_store(config) as (client, keys):
        rows = HistoryStore(client, keys).export(query)
        async for line in export.as_csv(rows) if as_csv else export.as_json_lines(rows):
            click.echo(line, nl=False)


def _show(found: tuple[AlertRecord, ...], more: bool) -> None:
    from rich.text import Text

    from monitor.cli.words import moment
    from monitor.delivery.formatting import link
    from monitor.text import one_line

    out = console()
    for alert in found:
        url = link(alert.url)
        line = Text(f"{moment(alert.decided_at)[:16]}  ", style="dim")
        line.append("↳ " if alert.is_update else "", style="dim")
        line.append(f"{alert.topic}  ", style="bold")
        line.append(one_line(alert.title), style=f"link {url}" if url else "")
        if alert.source:
            line.append(f"  {one_line(alert.source)}", style="green")
        if alert.is_update:
            line.append(f"  {alert.reason}", style="dim")
        out.print(line)
    if more:
        out.print(Text("there may be more: --limit, --since, --csv or --json", style="dim"))
