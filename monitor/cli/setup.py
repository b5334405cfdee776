"""What the commands share: the configuration option, consoles, and leaving with a message."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.config.schema import Config
    from monitor.store.client import Redis
    from monitor.store.keys import Keys

T = TypeVar("T")

config_option = click.option(
    "--config",
    "config_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: Path(os.environ.get("WIREWATCH_CONFIG", "config")),
    show_default="config, or $WIREWATCH_CONFIG",
    help="Folder with wirewatch.yaml, feeds.yaml and topics/.",
)


def fail(message: str, code: int = 2) -> NoReturn:
    """Say what is wrong on standard error and leave with `code` (2: usage or configuration)."""
    click.echo(message, err=True)
    raise SystemExit(code)


def load_or_exit(folder: Path) -> Config:
    """Return the configuration, or print every problem and leave with 2."""
    from monitor.config.load import load_config
    from monitor.errors import ConfigError
    from monitor.observability import logs

    logs.configure(level="warning")
    try:
        return load_config(folder)
    except ConfigError as error:
        fail(str(error))


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[tuple[Redis, Keys]]:
    """Yield a client of the configured store and its key names.

    An embedded store that runs is joined; one that does not is started for as long as needed.
    """
    import asyncio

    from monitor.store.client import connect
    from monitor.store.embedded.server import EmbeddedStore, find_running
    from monitor.store.keys import Keys

    embedded = None
    if config.store.url is not None:
        url = config.store.url.get_secret_value()
    elif (running := find_running(config.store.data_dir)) is not None:
        url = running
    else:
        embedded = EmbeddedStore(config.store.data_dir)
        url = await asyncio.to_thread(embedded.start)
    client = connect(url)
    try:
        yield client, Keys(config.store.prefix)
    finally:
        await client.aclose()
        if embedded is not None:
            await asyncio.to_thread(embedded.stop)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; what goes wrong on purpose is one line and exit code 2."""
    import asyncio

    from redis.exceptions import RedisError

    from monitor.errors import WirewatchError

    try:
        return asyncio.run(work)
    except WirewatchError as error:
        fail(str(error))
    except (RedisError, OSError) as error:
        fail(f"the store does not answer ({error}); check REDIS_URL, and that it is running")


def console(*, stderr: bool = False) -> Console:
    """Return a console that is plain when it is not a terminal."""
    from rich.console import Console

    return Console(stderr=stderr)
