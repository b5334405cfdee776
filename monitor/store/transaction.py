"""Several commands as one step: all of them, or (without the lease) none."""

from __future__ import annotations

from typing import Any

from monitor.store.client import run_script
from monitor.store.commands import Redis

Command = list[Any]  # its words: text, bytes or numbers


def flatten(commands: list[Command]) -> list[Any]:
    """Lay commands out for `scripts/apply.lua`: the word count of each, then its words."""
    flat: list[Any] = []
    for command in commands:
        flat += [len(command), *command]
    return flat


async def apply(client: Redis, commands: list[Command]) -> None:
    """Run `commands` as one atomic step, without a lease (`monitor.store.lease` has one)."""
    if commands:
        # Any key of theirs tells a cluster's node whether it is the right one, before it begins.
        await run_script(client, "apply", [commands[0][1]], ["", *flatten(commands)])
