"""`wirewatch demo`: the real service on made-up news, without a network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from monitor.cli.setup import run_async


@click.command()
def demo() -> None:
    """Watch alerts, copies being held back and updates joining their alert, for half a minute.

    Everything runs on this machine: a web server with invented outlets, and the service itself
    with an embedded store in a temporary folder.
    """
    from workers.demo.show import show

    with tempfile.TemporaryDirectory(prefix="wirewatch-demo-") as folder:
        run_async(show(Path(folder)))
