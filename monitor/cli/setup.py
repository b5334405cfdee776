"""What the commands share: the configuration option, consoles, and leaving with a message."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.config.schema import Config

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
    from monitor import logs
    from monitor.config.load import load_config
    from monitor.errors import ConfigError

    logs.configure(level="warning")
    try:
        return load_config(folder)
    except ConfigError as error:
        fail(str(error))


def console(*, stderr: bool = False) -> Console:
    """Return a console that is plain when it is not a terminal."""
    from rich.console import Console

    return Console(stderr=stderr)
