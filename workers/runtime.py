"""What every worker stands on: configuration, store, clock, and the wish to stop.

The composition root builds one `Runtime` for the process and hands it to its workers; nothing
below `workers/` knows about it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from monitor.clock import Clock, SystemClock
from monitor.config.schema import Config
from monitor.net.routes import Mounts
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.tasks import Progress, first_of

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
    subscribed_at: int = -1  # version of the stored subscriptions in `config`
    pending_restart: tuple[str, ...] = ()  # settings that differ on disk and wait for a restart
    worker_id: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    config_dir: str = "config"
    mounts: Mounts = field(default_factory=Mounts)  # what workers answer over HTTP
    loops: dict[str, Progress] = field(default_factory=dict)  # those that must keep moving
    _reloads: list[Reload] = field(default_factory=list)

    @property
    def keys(self) -> Keys:
        """The key names of this installation."""
        return Keys(self.config.store.prefix)

    def on_reload(self, callback: Reload) -> None:
        """Have `callback(new_config)` awaited after every accepted reload."""
        self._reloads.append(callback)

    async def reload(self, config: Config) -> None:
        """Take over `config` and tell everyone who asked; subscriptions stay those of the store."""
        self.config = config.model_copy(update={"subscribed": self.config.subscribed})
        for callback in self._reloads:
            await callback(self.config)

    async def wait_or_stop(self, seconds: float) -> bool:
        """Wait up to `seconds`, or until stopping. Return True if the process is to stop."""
        await first_of([self.stopping], seconds)
        return self.stopping.is_set()

    def progress(self, loop: str) -> Progress:
        """Return the progress of one of this process's loops, to be marked each time round.

        A loop that has asked for it and stands still ends the process (`workers.process_watch`).
        """
        return self.loops.setdefault(loop, Progress())
