"""What must never be shown, and the means to leave it out of logs, errors and stored state.

Settings of type `SecretStr` hide themselves. A secret can still travel inside other text (a feed's
address with a key in it, an error of a library that repeats a header), so whoever reads secrets
registers them here, and whoever writes text for others passes it through `redact`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

MASK = "**********"
_SHORTEST = 4  # anything shorter would black out ordinary words
_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def remember(values: Iterable[str]) -> None:
    """Have these texts left out of everything `redact` sees from now on."""
    global _pattern
    fresh = {value for value in values if len(value) >= _SHORTEST} - _known
    if fresh:
        _known.update(fresh)
        longest_first = sorted(_known, key=len, reverse=True)
        _pattern = re.compile("|".join(re.escape(value) for value in longest_first))


def forget_all() -> None:
    """Forget every secret, as tests do that run many configurations in one process."""
    global _pattern
    _known.clear()
    _pattern = None


def redact(text: str) -> str:
    """Return `text` with every remembered secret masked."""
    return _pattern.sub(MASK, text) if _pattern else text


def redact_tree(value: Any) -> Any:
    """Return dicts, lists and text with every remembered secret masked."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact_tree(key): redact_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_tree(item) for item in value]
    return value
