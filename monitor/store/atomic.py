"""Several commands as one step: all of them, or (without the lease) none."""

from __future__ import annotations

from typing import Any

from monitor.store.client import Redis, run_script

Command = list[Any]


def flatten(commands: list[Command]) -> list[Any]:
    """Lay commands out for `scripts/apply.lua`: the word count of each, then its words."""
    flat: list[Any] = []
    for command in commands:
        flat += [len(command), *command]
    return flat


async def apply(client: Redis, commands: list[Command]) -> None:
    """Run `commands` as one atomic step, without a lease (`monitor.store.lease` has one)."""
    if commands:
        await run_script(client, "apply", [], flatten(commands))
