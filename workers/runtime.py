"""What every worker stands on: configuration, store, clock, and the wish to stop.

The composition root builds one `Runtime` for the process and hands it to its workers; nothing
below `workers/` knows about it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from monitor.clock import Clock, SystemClock
from monitor.config.schema import Config
from monitor.net.routes import Mounts
from monitor.store.client import Redis
from monitor.store.keys import Keys

Reload = Callable[[Config], Awaitable[None]]


class Worker(Protocol):
    """One of the stages. `run` returns soon after `runtime.stopping` is set, work handed over."""

    name: str

    async def run(self) -> None:
        """Work until the runtime is stopping."""
        ...


@dataclass(slots=True)
class Runtime:
    """Everything a worker may ask for.

    `config` is replaced as a whole on reload; workers that keep something derived from it
    register with `on_reload`. `store_url` is for workers that need a blocking connection of
    their own (`monitor.store.client.connect_blocking`).
    """

    config: Config
    store: Redis
    store_url: str
    clock: Clock = field(default_factory=SystemClock)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    held: tuple[str, ...] = ()  # settings that differ on disk and wait for a restart
    worker_id: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    config_dir: str = "config"
    mounts: Mounts = field(default_factory=Mounts)  # what workers answer over HTTP
    _reloads: list[Reload] = field(default_factory=list)

    @property
    def keys(self) -> Keys:
        """The key names of this installation."""
        return Keys(self.config.store.prefix)

    def on_reload(self, callback: Reload) -> None:
        """Have `callback(new_config)` awaited after every accepted reload."""
        self._reloads.append(callback)

    async def reload(self, config: Config) -> None:
        """Take over `config` and tell everyone who asked."""
        self.config = config
        for callback in self._reloads:
            await callback(config)

    async def wait_or_stop(self, seconds: float) -> bool:
        """Wait up to `seconds`, or until stopping. Return True if the process is to stop."""
        try:
            await asyncio.wait_for(self.stopping.wait(), timeout=seconds)
        except TimeoutError:
            return False
        return True


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended.

    A cancel that arrives while a store client connects can be lost inside the client, so it is
    repeated.
    """
    while running := {task for task in tasks if not task.done()}:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=0.5)
    await asyncio.gather(*tasks, return_exceptions=True)
