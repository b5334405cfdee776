"""`wirewatch subscriptions`: what single people are sent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from monitor.config.schema import Config


@click.group()
def subscriptions() -> None:
    """What single people are sent, by direct message or mail; see docs/how-to/subscriptions.md."""


@subscriptions.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@config_option
def list_(as_json: bool, config_dir: Path) -> None:
    """List subscriptions: those of wirewatch.yaml, and those made in Slack."""
    from rich.table import Table

    rows = run_async(_rows(load_or_exit(config_dir)))
    if as_json:
        say_json(rows)
        return
    if not rows:
        say("Nobody subscribes.")
        return
    table = Table("name", "person", "takes", "channel", "made by", "waiting", box=None)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console().print(table)


@subscriptions.command()
@click.argument("number", metavar="NUMBER")
@config_option
def remove(number: str, config_dir: Path) -> None:
    """End a subscription that was made in Slack. What already waits is still sent."""
    config = load_or_exit(config_dir)
    if number in config.subscriptions:
        fail(f"{number}: it stands in wirewatch.yaml; take it out there", code=1)
    said = run_async(_remove(config, f"#{number.lstrip('#')}"))
    if not said:
        fail(f"{number}: no such subscription; `wirewatch subscriptions list` names them", code=1)
    say(f"{number}: over ({said})")


async def _rows(config: Config) -> list[dict[str, Any]]:
    from monitor.alerting.subscription_store import SubscriptionStore
    from monitor.delivery.outbox import OutboxStore
    from monitor.slack_app.subscription_command import written

    async with open_store(config) as (client, keys):
        outbox = OutboxStore(client, keys)
        config = await SubscriptionStore(client, keys).in_force(config)
        stored = config.subscribed
        return [
            {
                "name": name,
                "person": one.slack or one.mail,
                "takes": "ended" if one.is_over else written(one),
                "channel": one.recipient,
                "made_by": stored[name].by if name in stored else "wirewatch.yaml",
                "waiting": await outbox.waiting(one.recipient),
            }
            for name, one in config.subscribers().items()
        ]


async def _remove(config: Config, name: str) -> str:
    """End a stored subscription; return what it took, or "" if there is none of that number."""
    from monitor.alerting.subscription_store import SubscriptionStore
    from monitor.slack_app.subscription_command import written

    async with open_store(config) as (client, keys):
        store = SubscriptionStore(client, keys)
        one = (await store.all()).get(name)
        if one is None:
            return ""
        if not one.is_over:
            await store.put(name, one.model_copy(update={"ended": time.time()}))
        return f"{one.slack}: {written(one)}"
