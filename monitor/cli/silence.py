"""`wirewatch silence`: what is not to be told for a while."""

from __future__ import annotations

import getpass
import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import config_option, console, fail, load_or_exit, open_store, run_async

if TYPE_CHECKING:
    from monitor.alerting.silences import Silence
    from monitor.config.schema import Config


@click.group()
def silence() -> None:
    """Silence alerts by matcher, for a time, with author and reason."""


@silence.command()
@click.argument("matchers", nargs=-1, required=True, metavar="FIELD=PATTERN...")
@click.option("--for", "duration", default="2h", show_default=True, help="How long: 90m, 6h, 3d.")
@click.option("--by", "author", default=getpass.getuser, help="Who says so. Default: you.")
@click.option("--reason", default="", help="Why, for those who wonder.")
@config_option
def add(
    matchers: tuple[str, ...], duration: str, author: str, reason: str, config_dir: Path
) -> None:
    """Silence every alert for which all matchers hold, such as topic=energy-* or feed!=bbc.

    Fields: topic, label, event, urgency, reason, feed, source, tag, language, channel, title.
    """
    from monitor.alerting.silences import Matcher, Silence
    from monitor.cli.words import moment
    from monitor.config.schema import parse_duration

    now = time.time()
    try:
        parsed = tuple(Matcher.parse(text) for text in matchers)
        ends = now + parse_duration(duration)
    except ValueError as error:
        fail(str(error))
    new = Silence(uuid.uuid4().hex[:8], parsed, now, ends, author, reason)
    config = load_or_exit(config_dir)
    _warn_of_unknown_topics(config, new)
    run_async(_add(config, new, now))
    click.echo(
        f"{new.id}: silenced until {moment(ends)}; end it with: wirewatch silence end {new.id}"
    )


@silence.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that have run out.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@config_option
def list_(every: bool, as_json: bool, config_dir: Path) -> None:
    """List silences, mutes and snoozes."""
    from rich.table import Table

    from monitor.cli.words import moment

    now = time.time()
    found = [s for s in run_async(_all(load_or_exit(config_dir))) if every or s.ends > now]
    if as_json:
        click.echo(json.dumps([json.loads(item.to_json()) for item in found], indent=2))
        return
    if not found:
        click.echo("Nothing is silenced.")
        return
    table = Table("id", "kind", "matches", "until", "by", "reason", box=None)
    for item in found:
        what = " ".join(str(matcher) for matcher in item.matchers)
        table.add_row(item.id, item.kind, what, moment(item.ends), item.author, item.reason)
    console().print(table)


@silence.command()
@click.argument("silence_id", metavar="ID")
@config_option
def end(silence_id: str, config_dir: Path) -> None:
    """End a silence now."""
    if run_async(_end(load_or_exit(config_dir), silence_id)) is None:
        fail(f"{silence_id}: no such silence; `wirewatch silence list` names them", code=1)
    click.echo(f"{silence_id}: over")


def _warn_of_unknown_topics(config: Config, new: Silence) -> None:
    from fnmatch import fnmatchcase

    for matcher in new.matchers:
        known = [topic.id for topic in config.topics]
        if matcher.field == "topic" and not any(fnmatchcase(t, matcher.pattern) for t in known):
            click.echo(f"note: no topic matches {matcher}", err=True)


async def _add(config: Config, new: Silence, now: float) -> None:
    from monitor.alerting.silence_store import SilenceStore

    async with open_store(config) as (client, keys):
        await SilenceStore(client, keys).add(new, now)


async def _all(config: Config) -> list[Silence]:
    from monitor.alerting.silence_store import SilenceStore

    async with open_store(config) as (client, keys):
        return await SilenceStore(client, keys).all()


async def _end(config: Config, silence_id: str) -> Silence | None:
    from monitor.alerting.silence_store import SilenceStore

    async with open_store(config) as (client, keys):
        return await SilenceStore(client, keys).end(silence_id, time.time())
