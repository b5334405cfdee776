"""`wirewatch test-alert`: send a test alert through the real channels, now."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import (
    config_option,
    console,
    fail,
    load_or_exit,
    run_async,
    say_json,
    with_subscribers,
)

if TYPE_CHECKING:
    from monitor.config.schema import Config
    from monitor.delivery.channel import SendResult
    from monitor.model import Alert


@click.command("test-alert")
@click.option("--channel", "channels", multiple=True, help="Only this channel; may be repeated.")
@click.option("--topic", "topic_id", help="Send it to where this topic's alerts go.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
def test_alert(
    channels: tuple[str, ...], topic_id: str | None, config_dir: Path, as_json: bool
) -> None:
    """Send a test alert to every channel (or some) and say what became of it.

    It goes past silences, quiet hours and digests. Exit code: 0 if every channel took it, else 1.
    """
    from monitor.alerting.routing import TERMINAL, default_channels, route
    from monitor.alerting.subscriptions import people
    from monitor.delivery.sample_alert import sample_alert

    config = load_or_exit(config_dir, secrets=True)
    if set(channels) - {TERMINAL, *config.channels}:  # somebody who subscribes in Slack
        config = run_async(with_subscribers(config))
    topic = config.topic(topic_id) if topic_id else None
    if topic_id and topic is None:
        fail(f"there is no topic {topic_id!r}; there are: {_names(t.id for t in config.topics)}")
    alert = sample_alert(time.time(), topic)
    personal = people(config)  # these get a test only where they are named
    for name in channels:
        if name != TERMINAL and name not in {**config.channels, **personal}:
            known = _names([*config.channels, *personal, TERMINAL])
            fail(f"there is no channel {name!r}; there are: {known}")
    taken = [to.channel for to in route(config, alert) if to.channel not in personal]
    routed = taken if topic else default_channels(config)
    outcomes = asyncio.run(_send(config, list(channels) or list(routed), alert))
    _show(outcomes, as_json)
    raise SystemExit(0 if all(outcome.kind == "sent" for outcome in outcomes.values()) else 1)


async def _send(config: Config, names: list[str], alert: Alert) -> dict[str, SendResult]:
    return dict(
        zip(names, await asyncio.gather(*(_one(config, n, alert) for n in names)), strict=True)
    )


async def _one(config: Config, name: str, alert: Alert) -> SendResult:
    from monitor.alerting.subscriptions import recipients
    from monitor.config.schema import TerminalChannel
    from monitor.delivery.channel import ChannelUnusable, SendContext, SendResult
    from monitor.delivery.channel_registry import build
    from monitor.model import Notification
    from monitor.reasons import DeliveryReason

    settings = recipients(config).get(name) or TerminalChannel(type="terminal")
    try:
        channel = build(settings)
    except (ChannelUnusable, ValueError, OSError) as error:
        return SendResult("refused", DeliveryReason.MISCONFIGURED, str(error))
    try:
        note = Notification(f"{alert.id}@{name}", name, "alert", alert, created_at=alert.decided_at)
        async with asyncio.timeout(channel.traits.timeout + 2):
            context = SendContext(now=alert.decided_at)
            return await channel.send(channel.render(note, context), note, context)
    except TimeoutError:
        return SendResult("unknown", DeliveryReason.TIMEOUT, "no answer in time")
    except ValueError as error:
        return SendResult("refused", DeliveryReason.MISCONFIGURED, str(error))
    finally:
        await channel.aclose()


def _show(outcomes: dict[str, SendResult], as_json: bool) -> None:
    """Say of each channel what became of the alert, why, and what to do."""
    from rich.text import Text

    from monitor.delivery.advice import advice
    from monitor.observability.redact import redact
    from monitor.text import one_line

    rows = {
        name: {
            "outcome": result.kind,
            "reason": result.reason.value,
            "detail": one_line(redact(result.detail or result.note), 300),
            "advice": advice(result),
        }
        for name, result in outcomes.items()
    }
    if as_json:
        say_json(rows)
        return
    out = console()
    for name, row in rows.items():
        style = "green" if row["outcome"] == "sent" else "red"
        why = f" ({row['reason']})" if row["outcome"] != "sent" else ""
        said = f": {row['detail']}" if row["detail"] else ""
        out.print(Text(name, style="bold"), Text(f"{row['outcome']}{why}{said}", style=style))
        if row["advice"]:
            out.print(Text(f"  {row['advice']}"))


def _names(names: object) -> str:
    return ", ".join(sorted(names)) or "none"  # type: ignore[call-overload]
