"""Dead letters: what could not be processed, whole and with its reason, until someone decides.

One hash, `dead`, holds them all: field `stage:id`, value a JSON object with `stage`, `reason`,
`detail` and whatever its owner needs to put it back.
"""

from __future__ import annotations

from monitor.store.keys import Keys
from monitor.store.transaction import Command


def dead_letter_commands(keys: Keys, letter_id: str, record: str) -> list[Command]:
    """Return the commands that store one dead letter, for use inside an atomic step."""
    return [
        ["HSET", keys("dead"), letter_id, record],
        ["HINCRBY", keys("count"), "dead_letters", 1],
    ]
