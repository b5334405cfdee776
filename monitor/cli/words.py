"""Numbers and instants as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text


def moment(at: float) -> str:
    """Return an instant as "2026-03-01 14:05:09 UTC", or "-" for none."""
    if not at:
        return "-"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def rows_by_id(rows: Iterable[tuple[str, Text]]) -> Table:
    """Return rows of an id and a text beside it. Ids are never cut: people have to type them."""
    from rich.table import Table

    found = list(rows)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=max((len(name) for name, _ in found), default=0))
    table.add_column(overflow="fold")
    for name, text in found:
        table.add_row(name, text)
    return table


def show(renderable: RenderableType) -> None:
    """Print a table or a text in colours, where the terminal has them."""
    from monitor.cli.setup import console

    console().print(renderable)


def iso(instant: float | None) -> str | None:
    """Return an instant in UTC as RFC 3339, None for none or one outside the calendar."""
    if instant is None:
        return None
    try:
        return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None
