"""The service with misfortunes of its machine: a clock that is off, a model that fails.

    python -m tests.chaos.misfortunes FOLDER -- run --config DIR

A misfortune lasts as long as its file lies in FOLDER: `clock` (seconds that the clock is ahead),
`model` (the model raises). The product knows nothing of this; it is wrapped from outside.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def lay(folder: Path) -> None:
    """Have this process suffer what lies in `folder`, from now on."""
    from monitor.clock import SystemClock
    from monitor.embedding.hashing import HashingEmbedder

    right, encode = SystemClock.now, HashingEmbedder.encode

    def off(clock: SystemClock) -> float:
        try:
            return right(clock) + float((folder / "clock").read_text())
        except (OSError, ValueError):
            return right(clock)

    def fail(model: HashingEmbedder, *args: Any, **kwargs: Any) -> Any:
        if (folder / "model").exists():
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return encode(model, *args, **kwargs)

    SystemClock.now = off  # type: ignore[method-assign]
    HashingEmbedder.encode = fail  # type: ignore[method-assign]


if __name__ == "__main__":
    where, _, *arguments = sys.argv[1:]
    lay(Path(where))
    from monitor.cli import main

    main(arguments)
