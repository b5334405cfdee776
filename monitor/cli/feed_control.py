"""`wirewatch feeds poll`, `pause` and `resume`: what people may ask of the poller."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from monitor.cli.setup import config_option, fail, load_or_exit, open_store, run_async, say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from monitor.config.schema import Config
    from monitor.polling.feed_store import FeedStore

T = TypeVar("T")
_PER_SECOND = 20.0  # feeds that are polled by hand start at this pace


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID...]")
@config_option
def poll(ids: tuple[str, ...], config_dir: Path) -> None:
    """Poll feeds now, without waiting for their time: those named, or all, politely spaced.

    What a publisher has asked for (Retry-After) still holds.
    """
    config, chosen = _chosen(config_dir, ids)
    now = time.time()
    run_async(
        _with_feeds(config, lambda feeds: feeds.poll_now(chosen, now, per_second=_PER_SECOND))
    )
    seconds = len(chosen) / _PER_SECOND
    within = f" within {seconds:.0f} s" if seconds > 1 else ""
    say(f"{_named(chosen)} due now{within}.")


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--for", "duration", default="", help="How long: 90m, 6h, 3d. Default: until resumed."
)
@config_option
def pause(ids: tuple[str, ...], duration: str, config_dir: Path) -> None:
    """Poll feeds no more, for a time or until `feeds resume`; what is known of them is kept."""
    from monitor.cli.words import moment
    from monitor.config.value_types import parse_duration

    try:
        until = time.time() + parse_duration(duration) if duration else math.inf
    except ValueError as error:
        fail(str(error))
    config, chosen = _chosen(config_dir, ids)
    run_async(_with_feeds(config, lambda feeds: feeds.pause(chosen, until)))
    end = f"until {moment(until)}" if duration else "until resumed"
    say(f"{_named(chosen)} paused {end}; go on with: wirewatch feeds resume {chosen[0]}")


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID...]")
@config_option
def resume(ids: tuple[str, ...], config_dir: Path) -> None:
    """Poll paused feeds again: those named, or all that are paused."""
    config, chosen = _chosen(config_dir, ids)

    async def act(feeds: FeedStore) -> list[str]:
        paused = await feeds.paused()
        found = [name for name in chosen if name in paused]
        await feeds.resume(found, time.time())
        return found

    found = run_async(_with_feeds(config, act))
    say(f"{_named(found)} polled again." if found else "None of these feeds is paused.")


def _chosen(config_dir: Path, ids: tuple[str, ...]) -> tuple[Config, list[str]]:
    """Return the configuration and the ids meant: those named, or those of all enabled feeds."""
    from monitor.config.names import did_you_mean

    config = load_or_exit(config_dir)
    known = [feed.id for feed in config.feeds if feed.enabled]
    for name in ids:
        if name not in known:
            fail(f'there is no enabled feed "{name}"; {did_you_mean(name, known)}')
    if not known:
        fail("no feed is configured")
    return config, list(dict.fromkeys(ids)) or known


def _named(ids: list[str]) -> str:
    return f"{ids[0]} is" if len(ids) == 1 else f"{len(ids)} feeds are"


async def _with_feeds(config: Config, act: Callable[[FeedStore], Awaitable[T]]) -> T:
    from monitor.polling.feed_store import FeedStore

    async with open_store(config) as (client, keys):
        return await act(FeedStore(client, keys))
