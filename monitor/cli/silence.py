"""`wirewatch silence`: what is not to be told for a while."""

from __future__ import annotations

import getpass
import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import (
    config_option,
    console,
    fail,
    load_or_exit,
    open_store,
    run_async,
    say,
    say_json,
)

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
    from monitor.alerting.silences import Matcher, Silence, nothing_fits
    from monitor.cli.words import moment
    from monitor.config.value_types import parse_duration

    now = time.time()
    try:
        parsed = tuple(Matcher.parse(text) for text in matchers)
        ends = now + parse_duration(duration)
        new = Silence(uuid.uuid4().hex[:8], parsed, now, ends, author, reason)
    except ValueError as error:
        fail(str(error))
    config = load_or_exit(config_dir)
    for matcher in nothing_fits(new, config):
        say(
            f"note: no {matcher.field} matches {matcher}; this silence holds nothing back", err=True
        )
    told = run_async(_add(config, new, now))
    say(f"{new.id}: silenced until {moment(ends)}; end it with: wirewatch silence end {new.id}")
    if told:
        say(f"told: {', '.join(told)}")


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
        say_json([json.loads(item.to_json()) for item in found])
        return
    if not found:
        say("Nothing is silenced.")
        return
    table = Table("id", "kind", "matches", "until", "by", "reason", box=None)
    for item in found:
        table.add_row(item.id, item.kind, item.what, moment(item.ends), item.author, item.reason)
    console().print(table)


@silence.command()
@click.argument("silence_id", metavar="ID")
@config_option
def end(silence_id: str, config_dir: Path) -> None:
    """End a silence now."""
    if run_async(_end(load_or_exit(config_dir), silence_id)) is None:
        fail(f"{silence_id}: no such silence; `wirewatch silence list` names them", code=1)
    say(f"{silence_id}: over")


async def _add(config: Config, new: Silence, now: float) -> list[str]:
    """Store a silence and tell the channels it concerns; return their names."""
    from monitor.alerting.silence_store import SilenceStore
    from monitor.alerting.subscription_store import SubscriptionStore
    from monitor.delivery import silence_notice
    from monitor.delivery.outbox import OutboxStore

    async with open_store(config) as (client, keys):
        config = await SubscriptionStore(client, keys).in_force(config)
        notices = silence_notice.begun(config, new, now)
        await SilenceStore(client, keys).add(new, now)
        await OutboxStore(client, keys).put(notices)
    return [notice.channel for notice in notices]


async def _all(config: Config) -> list[Silence]:
    from monitor.alerting.silence_store import SilenceStore

    async with open_store(config) as (client, keys):
        return await SilenceStore(client, keys).all()


async def _end(config: Config, silence_id: str) -> Silence | None:
    """End a silence; tell the channels it concerned, unless it was over already."""
    from monitor.alerting.silence_store import SilenceStore
    from monitor.alerting.subscription_store import SubscriptionStore
    from monitor.delivery import silence_notice
    from monitor.delivery.outbox import OutboxStore

    now = time.time()
    async with open_store(config) as (client, keys):
        config = await SubscriptionStore(client, keys).in_force(config)
        store = SilenceStore(client, keys)
        running = {item.id for item in await store.active(now)}
        found = await store.end(silence_id, now)
        if found is not None and silence_id in running:
            notices = silence_notice.ended(config, found, getpass.getuser(), now)
            await OutboxStore(client, keys).put(notices)
        return found
