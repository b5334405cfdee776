"""Says every few seconds that a process is there, and how it is: for status and the watchdog.

`worker:{stage}:{id}` is a hash that lapses by itself when the process does; `workers` lists them.
`fault:{stage}` is the word of a process that had to end at once: it may be started over and over,
and is seldom there when someone looks.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from redis.exceptions import RedisError

from monitor.observability import metrics
from monitor.observability.logs import get_logger, redact
from monitor.store.client import Redis
from monitor.store.keys import Keys
from workers.runtime import Runtime

log = get_logger(__name__)

EVERY = 5.0
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
    held: tuple[str, ...] = ()  # settings that wait until it is started again


class Heartbeat:
    """Writes the heartbeat of every stage of this process; takes them away when it stops."""

    name = "heartbeat"

    def __init__(self, runtime: Runtime, stages: Sequence[str]) -> None:
        self._runtime = runtime
        self._stages = tuple(stages)
        self._started = runtime.clock.now()
        metrics.BUILD.info({"version": _version()})

    async def run(self) -> None:
        """Beat until stopping."""
        failing, progress = False, self._runtime.progress(self.name)
        while True:
            progress.mark()
            try:
                await self.beat()
                failing = False
            except (RedisError, OSError) as error:
                metrics.STORE_UP.set(0)
                if not failing:
                    log.warning("store_unreachable", worker=self.name, error=str(error))
                failing = True
            if await self._runtime.wait_or_stop(EVERY):
                break
        try:
            store, members = self._runtime.store, [self._member(stage) for stage in self._stages]
            await store.delete(*(self._key(stage) for stage in self._stages))
            await store.zrem(self._runtime.keys("workers"), *members)
        except (RedisError, OSError):
            return  # it lapses by itself

    async def beat(self) -> None:
        """Write one heartbeat for each stage."""
        now, index = self._runtime.clock.now(), self._runtime.keys("workers")
        pipe = self._runtime.store.pipeline(transaction=False)
        pipe.zremrangebyscore(index, "-inf", now - _FORGOTTEN)
        for stage in self._stages:
            pipe.hset(self._key(stage), mapping=self._state(stage))
            pipe.pexpire(self._key(stage), int(LAPSES * 1000))
            pipe.zadd(index, {self._member(stage): now})
        await pipe.execute()
        metrics.STORE_UP.set(1)

    def _key(self, stage: str) -> str:
        return self._runtime.keys("worker", self._member(stage))

    def _member(self, stage: str) -> str:
        return f"{stage}:{self._runtime.worker_id}"

    def _state(self, stage: str) -> dict[str, str | int]:
        up = _sample("wirewatch_worker_up", worker=stage)
        leading = _sample("wirewatch_lease_held", lease=stage)
        ready = _sample("wirewatch_model_ready") if stage == "embedder" else 0.0
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": _version(),
            "started": repr(self._started),
            "at": repr(self._runtime.clock.now()),
            "up": int(up != 0.0),
            "leading": int(bool(leading)),
            "model_ready": int(bool(ready)),
            "held": json.dumps(self._runtime.held),
        }


async def beats(store: Redis, keys: Keys) -> list[Beat]:
    """Return every live worker, by stage and name."""
    names = sorted(name.decode() for name in await store.zrange(keys("workers"), 0, -1))
    pipe = store.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys("worker", name))
    rows = await pipe.execute() if names else []
    return [_read(name, row) for name, row in zip(names, rows, strict=True) if row]


async def leave_fault(store: Redis, keys: Keys, stage: str, fault: str) -> None:
    """Leave word of why a process of `stage` cannot work; "" takes back what was left."""
    name = keys("fault", stage)
    if fault:
        await store.set(name, redact(fault), px=int(_FAULT_LAPSES * 1000))
    else:
        await store.delete(name)


async def fault_of(store: Redis, keys: Keys, stage: str) -> str:
    """Return the word that the last process of `stage` that could not work left, or ""."""
    return (await store.get(keys("fault", stage)) or b"").decode()


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


def _sample(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def _version() -> str:
    try:
        return version("wirewatch")
    except PackageNotFoundError:
        return "unknown"
