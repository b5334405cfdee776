"""Faults thrown into a soak at random: the store, a process, the network, the newsroom, the clock.

Each lasts some seconds and is mended; then the service has to catch up. What was done, when, and
how long catching up took stands in the result. The faults are those of `make faults` that several
processes on one machine can suffer.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from redis.exceptions import RedisError

EVERY = (60.0, 120.0)  # seconds between the end of one fault and the next, by chance
CAUGHT_UP = 5.0  # seconds' worth of stories that may wait when all is well


class OutsideServices(Protocol):
    """What the soak serves: feeds that may be out of reach, a newsroom that may refuse."""

    dark: bool
    refusing: bool


@dataclass
class Faults:
    """Throws one fault after another into a running soak.

    Args:
        client: a client of the store.
        store: the store's process.
        config, folder: the configuration, and where marks for `tests.chaos.misfortunes` are laid.
        processes: the stages by name; one that was killed is started again by `restart`.
        waiting: how many stories and alerts wait; `rate` is stories per second.
    """

    client: Any
    store: int
    config: Path
    folder: Path
    outside: OutsideServices
    processes: dict[str, subprocess.Popen[bytes]]
    restart: Callable[[str], None]
    waiting: Callable[[], Awaitable[int]]
    rate: float
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    log: list[dict[str, Any]] = field(default_factory=list)

    async def run(self) -> None:
        """Throw faults until cancelled, each kind once before any comes again."""
        kinds = [
            self.store_stops, self.store_pauses, self.store_full, self.process_killed,
            self.network_out, self.newsroom_refuses, self.clock_ahead, self.model_fails,
            self.configuration_lost,
        ]  # fmt: skip
        while True:
            for kind in self.dice.sample(kinds, len(kinds)):
                await asyncio.sleep(self.dice.uniform(*EVERY))
                began = time.monotonic()
                await kind()
                ended = time.monotonic()
                await self._caught_up()
                row = {
                    "fault": kind.__name__,
                    "lasted": round(ended - began, 1),
                    "caught_up_in": round(time.monotonic() - ended, 1),
                }
                self.log.append(row)
                print("    ".join(f"{name} {value}" for name, value in row.items()), flush=True)

    async def _caught_up(self) -> None:
        while await self._behind():  # noqa: ASYNC110
            await asyncio.sleep(1.0)

    async def _behind(self) -> bool:
        try:
            return await self.waiting() > CAUGHT_UP * self.rate
        except (RedisError, OSError):
            return True

    async def store_stops(self) -> None:
        """SIGSTOP for longer than any time limit of a client."""
        os.kill(self.store, signal.SIGSTOP)
        try:
            await asyncio.sleep(13.0)
        finally:
            os.kill(self.store, signal.SIGCONT)

    async def store_pauses(self) -> None:
        """The store takes connections and answers nobody."""
        await self.client.execute_command("CLIENT", "PAUSE", "11000", "ALL")
        await asyncio.sleep(11.0)

    async def store_full(self) -> None:
        """Nothing can be written (maxmemory, noeviction)."""
        await self.client.config_set("maxmemory", "1mb")
        try:
            await asyncio.sleep(20.0)
        finally:
            await self.client.config_set("maxmemory", "0")

    async def process_killed(self) -> None:
        """kill -9 of one process, which its supervisor starts again."""
        name = self.dice.choice(sorted(self.processes))
        self.processes[name].kill()
        await asyncio.to_thread(self.processes[name].wait)
        self.restart(name)

    async def network_out(self) -> None:
        """No feed answers."""
        self.outside.dark = True
        try:
            await asyncio.sleep(30.0)
        finally:
            self.outside.dark = False

    async def newsroom_refuses(self) -> None:
        """The channel answers 503."""
        self.outside.refusing = True
        try:
            await asyncio.sleep(20.0)
        finally:
            self.outside.refusing = False

    async def clock_ahead(self) -> None:
        """The clock of every process is a day ahead."""
        await self._marked("clock", "86400", 15.0)

    async def model_fails(self) -> None:
        """The model cannot compute."""
        await self._marked("model", "", 20.0)

    async def _marked(self, name: str, text: str, seconds: float) -> None:
        mark = self.folder / name
        mark.write_text(text)
        try:
            await asyncio.sleep(seconds)
        finally:
            mark.unlink()

    async def configuration_lost(self) -> None:
        """One file of the configuration is empty, then whole again."""
        path = self.config / self.dice.choice(["wirewatch.yaml", "topics.yaml", "feeds.yaml"])
        whole = path.read_bytes()
        path.write_bytes(b"")
        try:
            await asyncio.sleep(6.0)
        finally:
            with suppress(OSError):
                path.write_bytes(whole)
