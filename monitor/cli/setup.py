"""What the commands share: the configuration option, consoles, and leaving with a message."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from monitor.text import strip_invisible

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.config.schema import Config
    from monitor.store.commands import Redis
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


def say(words: str, *, err: bool = False) -> None:
    """Print sentences, cleaned; a terminal breaks them between words alone."""
    text = strip_invisible(words)
    if (sys.stderr if err else sys.stdout).isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(
            textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
            for line in text.splitlines()
        )
    click.echo(text, err=err)


def fail(message: str | Exception, code: int = 2) -> NoReturn:
    """Say what is wrong on standard error and leave with `code` (2: usage or configuration).

    An error of Wirewatch's is followed by the page of the documentation that says more.
    """
    if isinstance(message, Exception):
        from monitor.cli.help_pages import with_page

        message = with_page(message)
    say(str(message), err=True)
    raise SystemExit(code)


class OutputFile(click.Path):
    """A file to write. That it can be written is found out before the command does its work."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; a usage error if its folder is missing or closed to us."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = path.absolute().parent
        if not folder.is_dir():
            self.fail(f"the folder {folder} does not exist; make it first", param, ctx)
        if not path.exists() and not os.access(folder, os.W_OK):
            self.fail(f"the folder {folder} cannot be written to", param, ctx)
        return path


def load_or_exit(folder: Path, *, secrets: bool = False) -> Config:
    """Return the configuration, or print every problem and leave with 2.

    Args:
        folder: of the configuration.
        secrets: the command sends something. All others work without the service's secrets: a
            channel, feed or store whose variable is not set here is left out, and one line says so.
    """
    from monitor.config.load import examine
    from monitor.errors import ConfigError
    from monitor.observability import logs

    logs.configure(level="warning")
    reading = examine(folder)
    unset = {} if secrets else reading.unset
    if any(problem not in unset for problem in reading.errors):
        fail(ConfigError(reading.problems))
    if unset:
        names = ", ".join(sorted(set(unset.values())))
        lines = ", ".join(sorted({f"{Path(one.file).name}:{one.line}" for one in unset}))
        say(f"Not set here: {names}. What needs it is left out ({lines}).", err=True)
        place = reading.places.get(("section", "store"))
        if place is not None and place.node is not None:
            end = place.node.end_mark.line + 1
            for problem, name in unset.items():
                if problem.file == place.file.name and place.line <= problem.line <= end:
                    click.get_current_context().meta[_STORE_NEEDS] = name
    return reading.config


_STORE_NEEDS = "wirewatch.store_needs"


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[tuple[Redis, Keys]]:
    """Yield a client of the configured store and its key names.

    An embedded store that runs is joined; one that does not is started for as long as needed.
    """
    import asyncio

    from monitor.errors import StoreError
    from monitor.store.client import connect
    from monitor.store.embedded.server import EmbeddedStore, find_running
    from monitor.store.keys import Keys

    context = click.get_current_context(silent=True)
    if context is not None and (name := context.meta.get(_STORE_NEEDS)):
        raise StoreError(f"this needs the service's store, and its address needs {name}; set it")
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


async def with_subscribers(config: Config) -> Config:
    """Add the subscriptions made in Slack to a configuration; none where no store is running."""
    from monitor.alerting.subscription_store import SubscriptionStore
    from monitor.store.embedded.server import find_running

    if config.store.url is None and find_running(config.store.data_dir) is None:
        return config
    async with open_store(config) as (client, keys):
        return await SubscriptionStore(client, keys).in_force(config)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; what goes wrong on purpose is one line and exit code 2."""
    import asyncio

    from redis.exceptions import RedisError

    from monitor.errors import StoreError, WirewatchError

    try:
        return asyncio.run(work)
    except WirewatchError as error:
        fail(error)
    except (RedisError, OSError) as error:
        said = f"the store does not answer ({error}); check REDIS_URL, and that it is running"
        fail(StoreError(said))


def console(*, stderr: bool = False) -> Console:
    """Return a console that is plain when it is not a terminal."""
    from monitor.terminal import CleanConsole

    return CleanConsole(stderr=stderr)


def say_json(data: object) -> None:
    """Print data as JSON."""
    from monitor.terminal import as_json

    click.echo(as_json(data))
