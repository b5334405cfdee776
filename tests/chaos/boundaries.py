"""One stage as a process that ends itself, as `kill -9` would, at a named boundary.

    python -m tests.chaos.boundaries BOUNDARY N LEASE -- run --only notifier --config DIR

The boundaries are the moments between two steps whose order matters: around every hand-off, send
and record. The product knows nothing of this; its functions are wrapped from outside.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Boundary:
    """Before or after the N-th call of a coroutine function of one stage."""

    name: str
    stage: str
    place: str  # module:Class.method, or module:function
    when: str


def _around(stage: str, what: str, place: str) -> list[Boundary]:
    return [Boundary(f"{stage}: {when} {what}", stage, place, when) for when in ("before", "after")]


BOUNDARIES: tuple[Boundary, ...] = (
    *_around("poller", "claiming due feeds", "monitor.polling.feed_store:FeedStore.claim_due"),
    *_around("poller", "handing stories over", "monitor.polling.feed_store:FeedStore.commit"),
    *_around("embedder", "reading stories", "monitor.queue.streams:StreamQueue.read"),
    *_around("embedder", "handing vectors over", "workers.embedder:apply"),
    *_around("triage", "reading vectors", "monitor.queue.streams:StreamQueue.read"),
    *_around("triage", "committing a batch", "workers.triage:Triage.analyse_batch"),
    *_around("notifier", "marking a send", "monitor.delivery.outbox:OutboxStore.begin"),
    *_around("notifier", "posting to Slack", "monitor.delivery.channels.slack:SlackBot.send"),
    *_around(
        "notifier", "editing the first message", "monitor.delivery.channels.slack:SlackBot.edit"
    ),
    *_around("notifier", "mailing", "monitor.delivery.channels.email:Mail.send"),
    *_around("notifier", "recording a receipt", "monitor.delivery.outbox:OutboxStore.done"),
    *_around("notifier", "putting a retry off", "monitor.delivery.outbox:OutboxStore.later"),
    *_around("notifier", "folding a digest", "monitor.delivery.outbox:OutboxStore.fold"),
    *_around("notifier", "asking Slack's history", "monitor.delivery.channels.slack:SlackBot.find"),
)


def lay(name: str, calls: int) -> None:
    """Have this process die at the boundary called `name`, at its `calls`-th passing."""
    boundary = next(item for item in BOUNDARIES if item.name == name)
    module_name, _, path = boundary.place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, last = path.split(".")
    for part in parents:
        owner = getattr(owner, part)
    original = getattr(owner, last)
    left = calls

    def passing() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(original)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        if boundary.when == "before":
            passing()
        result = await original(*args, **kwargs)
        if boundary.when == "after":
            passing()
        return result

    setattr(owner, last, wrapped)


def shorten_leases(seconds: float) -> None:
    """Let leases run out sooner, so that a short run need not wait for each takeover."""
    from monitor.delivery import outbox
    from monitor.queue import streams

    outbox.LEASE_SECONDS = seconds
    streams.StreamQueue.__init__.__kwdefaults__["lease"] = seconds


def send_one_by_one() -> None:
    """Let channels take many messages a second, so that alerts are sent, and fail, singly.

    A mail of unknown outcome is sent again after seconds, not after ten minutes and an hour.
    """
    from dataclasses import replace

    from monitor.delivery.channels.email import Mail
    from monitor.delivery.channels.slack import SlackBot

    SlackBot.traits = replace(SlackBot.traits, spacing=0.02, overflow=100_000)
    Mail.traits = replace(Mail.traits, overflow=100_000, resend_after=(2.0, 6.0))


if __name__ == "__main__":
    where, count, lease, _, *arguments = sys.argv[1:]
    if float(lease) > 0:
        shorten_leases(float(lease))
    if where != "-":
        lay(where, int(count))
    if "notifier" in arguments and "folding" not in where:
        send_one_by_one()
    from monitor.cli import main

    main(arguments)
