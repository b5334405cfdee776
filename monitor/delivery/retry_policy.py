"""How long to wait after a failure, and when to give a message up. Pure."""

from __future__ import annotations

import hashlib

FIRST = 2.0
CAP = 300.0
MAX_ATTEMPTS = 12
GIVE_UP_AFTER = 24 * 3600.0


def backoff(attempt: int, seed: str) -> float:
    """Return seconds to wait after the `attempt`-th failure: 2, 4, 8 … 300, spread by ±20 %.

    The spread follows from `seed` and `attempt`, so that a decision can be repeated.
    """
    base = min(CAP, FIRST * 2.0 ** min(max(attempt, 1) - 1, 20))
    spread = hashlib.sha256(f"{seed}:{attempt}".encode()).digest()[0] / 255.0
    return base * (0.8 + 0.4 * spread)


def is_poison(attempts: int, failing_since: float, last_success: float, now: float) -> bool:
    """Whether a message fails for its own sake, and not because the channel does.

    It was tried often, and the channel took others meanwhile; or it has failed for a whole day.
    """
    if attempts < MAX_ATTEMPTS or failing_since <= 0:
        return False
    return last_success > failing_since or now - failing_since > GIVE_UP_AFTER
