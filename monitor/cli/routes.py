"""`wirewatch routes`: where alerts go, and when."""

from __future__ import annotations

import time
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
    say_json,
    with_subscribers,
)

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from monitor.alerting.routing import RoutedTo
    from monitor.alerting.silences import Silence
    from monitor.config.schema import Config, Route
    from monitor.model import Alert


@click.group()
def routes() -> None:
    """Show the routing tree, or where an alert would go."""


@routes.command()
@config_option
def show(config_dir: Path) -> None:
    """Print the routing tree, and who subscribes."""
    from rich.text import Text
    from rich.tree import Tree

    from monitor.slack_app.subscription_command import written

    config = run_async(with_subscribers(load_or_exit(config_dir)))
    tree = Tree(_label("every alert", config.route, config))
    _grow(tree, config.route, config)
    for name, one in config.subscribers().items():
        text = Text.assemble((f"subscription {name}", "bold"), f"  → {one.recipient}  ")
        tree.add(text + Text(written(one)))
    console().print(tree)


@routes.command()
@config_option
@click.option("--topic", "topic_id", required=True, help="Topic of the alert.")
@click.option("--urgency", type=click.Choice(["low", "normal", "high", "critical"]))
@click.option("--severity", type=click.Choice(["routine", "notable", "major", "flash"]))
@click.option("--feed", "feed_id", default="", help="Feed the story came from.")
@click.option("--language", default="", help="Language of the story.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def test(
    topic_id: str,
    urgency: str | None,
    severity: str | None,
    feed_id: str,
    language: str,
    as_json: bool,
    config_dir: Path,
) -> None:
    """Show where an alert would go just now, by which branch, and what would hold it."""
    from monitor.alerting.routing import route
    from monitor.delivery.sample_alert import sample_alert

    config, now = run_async(with_subscribers(load_or_exit(config_dir))), time.time()
    topic = config.topic(topic_id)
    if topic is None:
        fail(f"there is no topic {topic_id!r}; there are: {', '.join(t.id for t in config.topics)}")
    feed = next((feed for feed in config.feeds if feed.id == feed_id), None)
    if feed_id and feed is None:
        fail(f"there is no feed {feed_id!r}; `wirewatch feeds list` names them")
    alert = sample_alert(now, topic, feed, urgency or "", language, severity or "")
    silences = run_async(_silences(config, now))
    rows = [_row(config, alert, to, silences, now) for to in route(config, alert)]
    if as_json:
        say_json(rows)
        return
    from rich.table import Table

    table = Table("channel", "by", "now", box=None)
    for row in rows:
        table.add_row(row["channel"], row["branch"], row["now"])
    console().print(table)


async def _silences(config: Config, now: float) -> list[Silence]:
    """Return the silences in force; none where no store is running."""
    from monitor.alerting.silence_store import SilenceStore
    from monitor.store.embedded.server import find_running

    if config.store.url is None and find_running(config.store.data_dir) is None:
        return []
    async with open_store(config) as (client, keys):
        return await SilenceStore(client, keys).active(now)


def _row(
    config: Config, alert: Alert, to: RoutedTo, silences: list[Silence], now: float
) -> dict[str, str]:
    from monitor.alerting import send_gate
    from monitor.alerting.hourly_limit import Ceiling
    from monitor.alerting.subscriptions import recipients
    from monitor.cli.words import moment
    from monitor.model import Notification

    note_id = f"{alert.id}@{to.channel}"
    note = Notification(note_id, to.channel, "alert", alert, created_at=now)
    decision = send_gate.decide(config, note, silences, Ceiling(), now)
    said = "sent at once"
    if isinstance(decision, send_gate.Hold):
        said = f"held until {moment(decision.until)} ({decision.reason})"
    elif isinstance(decision, send_gate.Drop):
        said = f"not sent until {moment(decision.until)} ({decision.detail})"
    topic = config.topic(alert.topic)
    by = (
        f"{to.branch}; channels from the topic's own `to`"
        if topic and topic.alert.to and not to.branch.startswith("subscription")
        else to.branch
    )
    known = to.channel in recipients(config) or to.channel == "terminal"
    return {"channel": to.channel, "branch": by, "now": said if known else "not configured: waits"}


def _grow(tree: Tree, node: Route, config: Config) -> None:
    for child in node.routes:
        given = child.match.model_dump(exclude_defaults=True)
        name = " and ".join(f"{key}: {', '.join(value)}" for key, value in given.items())
        _grow(tree.add(_label(name or "everything", child, config)), child, config)


def _label(name: str, node: Route, config: Config) -> Text:
    from rich.text import Text

    from monitor.alerting.routing import default_channels

    parts = [Text(name, style="bold")]
    if node.to:
        parts.append(Text(f"→ {', '.join(node.to)}"))
    elif node is config.route:
        parts.append(Text(f"→ {', '.join(default_channels(config))} (by default)"))
    if node.quiet_hours:
        parts.append(Text(f"quiet: {', '.join(node.quiet_hours)}"))
    if node.digest:
        parts.append(Text(f"digest: {node.digest.cron} {node.digest.timezone}"))
    if node.go_on:
        parts.append(Text("continue"))
    return Text("  ").join(parts)
