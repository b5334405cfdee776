"""`wirewatch init`: a starter configuration to edit."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from monitor.cli.setup import say


@click.command()
@click.argument("folder", default="config", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write a starter configuration into FOLDER (default: config).

    World-news feeds, five topics and commented channels, to make your own. Files that exist are
    left alone.
    """
    from monitor.config.starter import write_starter

    try:
        written, kept = write_starter(folder)
    except OSError as error:
        say(f"{folder}: cannot write here: {error.strerror}", err=True)
        sys.exit(2)
    for path in written:
        say(f"wrote {path}")
    for path in kept:
        say(f"kept  {path} (it was there already)")
    option = "" if str(folder) == "config" else f" --config {folder}"
    say(f"Next: edit {folder / 'topics.yaml'}, then: wirewatch check{option}")
