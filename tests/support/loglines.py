"""What the code under test logs, as it leaves: one dict a line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from monitor.observability import logs

Lines = Callable[[str], list[dict[str, Any]]]


@contextmanager
def logged(level: Literal["debug", "info"] = "info") -> Iterator[Lines]:
    """Take down what is logged inside the block; `lines(event)` gives the lines of an event."""
    stream = io.StringIO()

    def lines(event: str) -> list[dict[str, Any]]:
        written = [json.loads(line) for line in stream.getvalue().splitlines()]
        return [line for line in written if line["event"] == event]

    logs.configure("json", level, stream)
    try:
        yield lines
    finally:
        logs.configure()
