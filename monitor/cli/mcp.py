"""`wirewatch mcp`: the read-only MCP server on standard input and output."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import config_option, load_or_exit, open_store, run_async

if TYPE_CHECKING:
    from monitor.config.schema import Config


@click.command()
@config_option
def mcp(config_dir: Path) -> None:
    """Let a language model look things up: events, why, topics, feeds. It changes nothing.

    Give this command to the program as an MCP server. Every text of a feed is marked as untrusted.
    A running desk answers the same at /mcp, with a token of scope `read`.
    """
    run_async(_serve(load_or_exit(config_dir), config_dir))


async def _serve(config: Config, folder: Path) -> None:
    from monitor.clock import SystemClock
    from monitor.desk.live import LiveHub
    from monitor.desk.mcp.protocol import LARGEST, answer
    from monitor.desk.services import Services

    async with open_store(config) as (client, keys):
        live = LiveHub(client, client, keys)
        desk = Services(lambda: config, client, keys, SystemClock(), folder, live)
        while line := await asyncio.to_thread(sys.stdin.buffer.readline, LARGEST + 1):
            if not line.strip():
                continue
            found = await answer(desk, line)
            if found is not None:
                print(json.dumps(found), flush=True)
