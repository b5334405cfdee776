"""Refuses a store that would lose or evict what it was given.

Measured: default Redis persistence lost every acknowledged message on `kill -9`; with the
append-only file none. An eviction policy silently drops the memory of what was already seen and
told, which newsrooms meet as the same alert twice.
"""

from __future__ import annotations

from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from monitor.errors import StoreUnsafe
from monitor.store.commands import Redis

_OLDEST = {"redis": (7, 0), "valkey": (8, 0)}
_OVERRIDE = "Or start anyway with store.allow_unsafe: true (not for newsrooms)."


async def check_store(client: Redis, allow_unsafe: bool) -> list[str]:
    """Return what is worth knowing about the store, one sentence each ([] if all is well).

    Looks at the version (Redis >= 7.0 or Valkey >= 8), the append-only file, the eviction
    policy, and whether this is a read-only replica. A managed service may forbid CONFIG; what
    cannot be read there is taken from INFO, and what neither tells is said in a sentence.

    Raises:
        StoreUnsafe: something would lose data and `allow_unsafe` is false; the message names
            every fault, with the command that mends it.
    """
    notes: list[str] = []
    faults: list[str] = []
    info = await _info(client)
    if info is None:
        notes.append("the store does not allow INFO: its version and state were not checked")
        info = {}
    faults += _version_fault(info)
    if str(info.get("role", "master")) not in ("master", "primary"):
        faults.append("it is a replica and refuses writes; point the URL at the primary")

    append_only = await _config(client, "appendonly")
    if append_only is None and "aof_enabled" in info:
        append_only = "yes" if str(info["aof_enabled"]) == "1" else "no"
    if append_only is None:
        notes.append("the store does not tell whether its append-only file is on: see its console")
    elif append_only != "yes":
        faults.append(
            "the append-only file is off, so a crash loses acknowledged stories; "
            "set `appendonly yes` (CONFIG SET appendonly yes, and in its configuration file)"
        )
    policy = await _config(client, "maxmemory-policy") or info.get("maxmemory_policy")
    if policy is None:
        notes.append("the store does not tell its eviction policy: see that it is noeviction")
    elif str(policy) != "noeviction":
        faults.append(
            f"its eviction policy is {policy}, so it forgets what was seen and told; "
            "set `maxmemory-policy noeviction`"
        )
    sync = await _config(client, "appendfsync")
    if append_only == "yes" and sync == "no":
        notes.append("appendfsync is no: a power cut loses up to half a minute; use everysec")
    if faults and not allow_unsafe:
        raise StoreUnsafe("the store is not safe: " + "; ".join([*faults, _OVERRIDE]))
    return [f"unsafe, allowed by store.allow_unsafe: {fault}" for fault in faults] + notes


def _version_fault(info: dict[str, Any]) -> list[str]:
    kind = "valkey" if "valkey_version" in info else "redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "")
    if not version:
        return []
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    oldest = _OLDEST[kind]
    if parts >= oldest:
        return []
    return [f"it is {kind} {version}; {kind} {oldest[0]}.{oldest[1]} or later is needed"]


async def _info(client: Redis) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await client.info("everything")
    except (ResponseError, NoPermissionError):
        return None
    return found


async def _config(client: Redis, name: str) -> str | None:
    try:
        found = await client.config_get(name)
    except (ResponseError, NoPermissionError):
        return None
    for key, value in dict(found).items():
        if _text(key) == name:
            return _text(value)
    return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
