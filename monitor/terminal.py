"""What the terminal shows: every string from outside goes through one place, and does nothing.

A headline, an answer of a mail server or a reason somebody typed may hold escape sequences, marks
that turn a line round, or what looks like Rich's markup. Colours are ours alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from monitor.text import strip_invisible

_ODD = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


class CleanConsole(Console):
    """A console that prints texts as they are written: no markup, no `:emoji:`, no controls."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, **options})

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of what is printed, cleaned; those that are controls are Rich's."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(strip_invisible(text), style)


def as_json(data: Any) -> str:
    """Return data as JSON for people and programs: legible, and without what a terminal obeys."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
