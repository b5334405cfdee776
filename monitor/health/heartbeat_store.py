"""Which processes are there, and how they are.

`worker:{stage}:{id}` is a hash that lapses by itself when the process does; `workers` lists them.
`fault:{stage}` says why a process had to end at once: it may be started over and over, and is
seldom there when someone looks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.observability.redact import redact
from monitor.store.commands import Redis
from monitor.store.keys import Keys

LAPSES = 30.0
_FORGOTTEN = 3600.0
_FAULT_LAPSES = 600.0  # longer than a container waits to be started again (Kubernetes: 300 s)


@dataclass(frozen=True, slots=True)
class Beat:
    """One live worker, as its last heartbeat described it."""

    stage: str
    worker: str
    host: str = ""
    pid: int = 0
    version: str = ""
    started: float = 0.0
    at: float = 0.0
    up: bool = True
    leading: bool = False
    model_ready: bool = False
    pending_restart: tuple[str, ...] = ()  # settings that wait until it is started again

    @property
    def member(self) -> str:
        """Its name among all workers."""
        return f"{self.stage}:{self.worker}"


class HeartbeatStore:
    """Reads and writes heartbeats."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def write(self, beats: Sequence[Beat], now: float) -> None:
        """Write one heartbeat for each stage of a process."""
        index = self._keys("workers")
        pipe = self._client.pipeline(transaction=False)
        pipe.zremrangebyscore(index, "-inf", now - _FORGOTTEN)
        for beat in beats:
            key = self._keys("worker", beat.member)
            pipe.hset(key, mapping=_row(beat))
            pipe.pexpire(key, int(LAPSES * 1000))
            pipe.zadd(index, {beat.member: now})
        await pipe.execute()

    async def remove(self, members: Sequence[str]) -> None:
        """Take away workers that stop."""
        await self._client.delete(*(self._keys("worker", member) for member in members))
        await self._client.zrem(self._keys("workers"), *members)

    async def beats(self) -> list[Beat]:
        """Return every live worker, by stage and name."""
        index = self._keys("workers")
        names = sorted(name.decode() for name in await self._client.zrange(index, 0, -1))
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(self._keys("worker", name))
        rows = await pipe.execute() if names else []
        return [_read(name, row) for name, row in zip(names, rows, strict=True) if row]

    async def leave_fault(self, stage: str, fault: str) -> None:
        """Say why a process of `stage` cannot work; "" takes back what was said."""
        name = self._keys("fault", stage)
        if fault:
            await self._client.set(name, redact(fault), px=int(_FAULT_LAPSES * 1000))
        else:
            await self._client.delete(name)

    async def fault_of(self, stage: str) -> str:
        """Return why the last process of `stage` that could not work could not, or ""."""
        return (await self._client.get(self._keys("fault", stage)) or b"").decode()


def _row(beat: Beat) -> dict[str, str | int]:
    return {
        "host": beat.host,
        "pid": beat.pid,
        "version": beat.version,
        "started": repr(beat.started),
        "at": repr(beat.at),
        "up": int(beat.up),
        "leading": int(beat.leading),
        "model_ready": int(beat.model_ready),
        "held": json.dumps(beat.pending_restart),
    }


def _read(name: str, raw: Mapping[bytes, bytes]) -> Beat:
    row = {key.decode(): value.decode() for key, value in raw.items()}
    stage, _, worker = name.partition(":")
    return Beat(
        stage,
        worker,
        row.get("host", ""),
        int(row.get("pid", 0)),
        row.get("version", ""),
        float(row.get("started", 0)),
        float(row.get("at", 0)),
        row.get("up") != "0",
        row.get("leading") == "1",
        row.get("model_ready") == "1",
        tuple(str(name) for name in json.loads(row.get("held", "[]"))),
    )
