"""Says every few seconds that a process is there, and how it is: for status and the watchdog."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from redis.exceptions import RedisError

from monitor.health.heartbeat_store import Beat, HeartbeatStore
from monitor.observability import metrics
from monitor.observability.logs import get_logger
from workers.installation import Installation
from workers.runtime import Runtime

log = get_logger(__name__)

EVERY = 5.0


class Heartbeat:
    """Writes the heartbeat of every stage of this process; takes them away when it stops."""

    name = "heartbeat"

    def __init__(
        self, runtime: Runtime, stages: Sequence[str], installation: Installation | None = None
    ) -> None:
        self._runtime = runtime
        self._stages = tuple(stages)
        self._installation = installation
        self._store = HeartbeatStore(runtime.store, runtime.keys)
        self._started = runtime.clock.now()
        metrics.BUILD.info({"version": _version()})

    async def run(self) -> None:
        """Beat until stopping."""
        failing, progress = False, self._runtime.progress(self.name)
        while True:
            progress.mark()
            try:
                await self.beat()
                if self._installation is not None:
                    await self._installation.look()
                failing = False
            except (RedisError, OSError) as error:
                metrics.STORE_UP.set(0)
                if not failing:
                    log.warning("store_unreachable", worker=self.name, error=str(error))
                failing = True
            if await self._runtime.wait_or_stop(EVERY):
                break
        try:
            await self._store.remove([self._state(stage).member for stage in self._stages])
        except (RedisError, OSError):
            return  # it lapses by itself

    async def beat(self) -> None:
        """Write one heartbeat for each stage."""
        beats = [self._state(stage) for stage in self._stages]
        await self._store.write(beats, self._runtime.clock.now())
        metrics.STORE_UP.set(1)

    def _state(self, stage: str) -> Beat:
        up = _sample("wirewatch_worker_up", worker=stage)
        leading = _sample("wirewatch_lease_held", lease=stage)
        ready = _sample("wirewatch_model_ready") if stage == "embedder" else 0.0
        return Beat(
            stage,
            self._runtime.worker_id,
            socket.gethostname(),
            os.getpid(),
            _version(),
            self._started,
            self._runtime.clock.now(),
            up != 0.0,
            bool(leading),
            bool(ready),
            tuple(self._runtime.pending_restart),
        )


def _sample(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def _version() -> str:
    try:
        return version("wirewatch")
    except PackageNotFoundError:
        return "unknown"
