"""Which errors are the store's own: never the fault of the work it was asked to keep."""

from __future__ import annotations

from redis.exceptions import DataError, NoScriptError, RedisError, ResponseError

# First words of an error reply that speak of the store's state, not of what was asked. From a Lua
# script they arrive as plain ResponseErrors, without the type that redis-py gives the same word.
_STATES = frozenset({
    "ASK", "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH",
    "NOPERM", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN", "UNBLOCKED", "UNKILLABLE", "WRONGPASS",
})  # fmt: skip


def is_store_fault(error: BaseException) -> bool:
    """Whether the store (away, full, loading, read-only, ...) is to blame for `error`."""
    if isinstance(error, ResponseError) and type(error) in (ResponseError, NoScriptError):
        words = str(error).replace(":", " ").split()
        return bool(_STATES.intersection(words[:8]))
    return isinstance(error, RedisError | OSError) and not isinstance(error, DataError)
