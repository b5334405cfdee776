"""The service with misfortunes of its machine: a clock that is off, a model that fails.

    python -m tests.chaos.misfortunes FOLDER -- run --config DIR

A misfortune lasts as long as its file lies in FOLDER: `clock` (seconds that the clock is ahead),
`model` (the model raises). The product knows nothing of this; it is wrapped from outside.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def lay(folder: Path, with_model: bool) -> None:
    """Have this process suffer what lies in `folder`, from now on.

    `with_model`: it loads the model that is the default, which fails as well.
    """
    from monitor.clock import SystemClock
    from monitor.embedding.hashing import HashingEmbedder

    right = SystemClock.now

    def off(clock: SystemClock) -> float:
        try:
            return right(clock) + float((folder / "clock").read_text())
        except (OSError, ValueError):
            return right(clock)

    def failing(encode: Callable[..., Any]) -> Callable[..., Any]:
        def fail(*args: Any, **kwargs: Any) -> Any:
            if (folder / "model").exists():
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return encode(*args, **kwargs)

        return fail

    SystemClock.now = off  # type: ignore[method-assign]
    HashingEmbedder.encode = failing(HashingEmbedder.encode)  # type: ignore[method-assign]
    if with_model:
        from monitor.embedding.multilingual import MultilingualEmbedder

        real = failing(MultilingualEmbedder.encode)
        MultilingualEmbedder.encode = real  # type: ignore[method-assign]


if __name__ == "__main__":
    where, _, *arguments = sys.argv[1:]
    lay(Path(where), with_model="embedder" in arguments)
    from monitor.cli import main

    main(arguments)
