"""`wirewatch status`: the service at a glance."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import config_option, console, open_store, run_async, say_json

if TYPE_CHECKING:
    from monitor.config.schema import Config
    from workers.overview import Overview


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(config_dir: Path, as_json: bool) -> None:
    """Show workers, feeds by health, queues, channels, the last alerts, and what needs a look.

    Exit code 1 if something needs a look.
    """
    from monitor.config.load import examine
    from monitor.observability import logs

    logs.configure(level="warning")
    reading = examine(config_dir)
    view = run_async(_gather(reading.config))
    here = [str(problem) for problem in reading.errors]
    view.config_problems = list(dict.fromkeys([*view.config_problems, *here]))
    if as_json:
        say_json(view.to_dict())
    else:
        _show(view)
    raise SystemExit(1 if view.troubles else 0)


async def _gather(config: Config) -> Overview:
    from monitor.alerting.subscription_store import SubscriptionStore
    from workers.overview import overview

    async with open_store(config) as (client, keys):
        config = await SubscriptionStore(client, keys).in_force(config)
        return await overview(client, keys, config, time.time())


def _show(view: Overview) -> None:
    from rich.table import Table
    from rich.text import Text

    from monitor.cli.words import moment
    from monitor.text import ago, one_line
    from monitor.text import counted as number

    out = console()
    rows = Table.grid(padding=(0, 2))
    workers = ", ".join(
        f"{len(found)} {stage}" + (" (leading)" if any(b.leading for b in found) else "")
        for stage, found in sorted(view.stages.items())
    )
    rows.add_row("workers", workers or "none is running")
    feeds = ", ".join(f"{count} {health}" for health, count in sorted(view.feeds.items()))
    rows.add_row("feeds", feeds or "none configured")
    rows.add_row("topics", str(view.topics))
    queues = ", ".join(f"{count} {name}" for name, count in view.queues.items())
    second = number(view.waiting_for_sources, "alert")
    rows.add_row("waiting", f"{queues}, {second} for a second source")
    counted = view.counts
    kinds = (("stories", "story"), ("copies", "copy"), ("events", "event"), ("alerts", "alert"))
    so_far = ", ".join(number(counted.get(name, 0), noun) for name, noun in kinds)
    rows.add_row("so far", f"{so_far} (updates included)")
    held = sorted(
        (name.removeprefix("suppressed:"), n)
        for name, n in counted.items()
        if name.startswith("suppressed:")
    )
    if held:
        rows.add_row("held back", ", ".join(f"{n:,} {name}" for name, n in held))
    for channel in view.channels:
        state = channel.trouble or f"well, last sent {ago(channel.last_sent, view.at)}"
        rows.add_row(
            f"channel {channel.name}", Text(f"{channel.waiting} waiting; {one_line(state)}")
        )
    for silence in view.silences:
        why = f": {silence.reason}" if silence.reason else ""
        until = f"until {moment(silence.ends)}, by {silence.author}{why} ({silence.id})"
        rows.add_row("silenced", Text(f"{silence.what} {until}"))
    rows.add_row("dead letters", str(sum(view.dead.values())))
    if view.canary:
        rows.add_row("canary", _canary(view))
    out.print(rows)
    if view.recent:
        out.print(Text("\nlast told", style="bold"))
        for row in view.recent:
            title = str(row.get("title") or row.get("notification") or row.get("id") or "")
            topic = f"{row['topic']}: " if row.get("topic") else ""
            when = ago(float(row.get("at", 0)), view.at)
            line = f"{topic}{title} ({', '.join(row['channels'])})"
            out.print(Text(f"  {when:>9}  {one_line(line)}"))
    out.print(Text("\nneeds a look" if view.troubles else "\nall is well", style="bold"))
    for trouble in view.troubles:
        found = Text(f"  {trouble}", style="yellow")
        feed = trouble.startswith("feed ")
        out.print(found, no_wrap=feed, overflow="ellipsis" if feed else "fold")


def _canary(view: Overview) -> str:
    """Say how the last test story fared."""
    from monitor.text import ago

    when = ago(float(view.canary.get("sent", 0)), view.at)
    if view.canary.get("ok") == "1":
        return f"came through in {float(view.canary.get('seconds', 0)):.1f} s, {when}"
    return f"sent {when}, did not come through; it waits for the {view.canary.get('where')}"
