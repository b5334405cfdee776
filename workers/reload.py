"""Live configuration: a change on disk is read, judged, and taken over, or refused by name.

Every process watches the files itself, so all of them follow the same change; SIGHUP makes a
process look at once. What is broken or gone never replaces what works, and the settings that a
process reads only at its start wait for a restart (`monitor.config.reload`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from redis.exceptions import RedisError
from rich.text import Text

from monitor.config.reload import Fingerprint, fingerprint, lost_since, read_beside
from monitor.errors import ConfigError, Problem
from monitor.health.config_store import ConfigStore, ConfigWord
from monitor.observability import logs, metrics, redact
from monitor.observability.logs import get_logger
from monitor.tasks import first_of
from workers.runtime import Runtime
from workers.terminal_report import config_lines

log = get_logger(__name__)

LOOK_EVERY = 2.0


async def refuse_lost_files(runtime: Runtime, folder: Path) -> None:
    """Do not start on a configuration that lost a file since this store was last run.

    A start without `wirewatch.yaml` is fine the first time. Later it would send alerts to the
    terminal and record them as delivered, though the newsroom's channels got nothing.

    Raises:
        ConfigError: a kind of file that held something before is gone or empty.
    """
    word = await ConfigStore(runtime.store, runtime.keys).word()
    config, known = runtime.config, dict[str, str]()
    for kind, before, now in (
        ("feeds", word.feeds, len(config.feeds)),
        ("topics", word.topics, len(config.topics)),
    ):
        if before and not now:
            known[kind] = f"{before} {kind if before > 1 else kind[:-1]}"
    if word.channels and not config.channels:
        known["wirewatch"] = f"alerts going to {', '.join(word.channels)}"
    if lost := await asyncio.to_thread(lost_since, known, folder):
        raise ConfigError(lost)


class ConfigWatch:
    """Watches the configuration folder and reloads the runtime when it changes for the better."""

    name = "config"

    def __init__(
        self, runtime: Runtime, folder: Path, say: Callable[[Text], None] | None = None
    ) -> None:
        self._runtime = runtime
        self._folder = folder
        self._say = say
        self._store = ConfigStore(runtime.store, runtime.keys)
        self._seen: Fingerprint | None = fingerprint(folder)
        self._now = asyncio.Event()

    def look_now(self) -> None:
        """Read the files at the next opportunity, changed or not (SIGHUP)."""
        self._seen = None
        self._now.set()

    async def run(self) -> None:
        """Look at the files every few seconds until stopping."""
        while not self._runtime.stopping.is_set():
            await first_of([self._runtime.stopping, self._now], LOOK_EVERY)
            self._now.clear()
            current = await asyncio.to_thread(fingerprint, self._folder, self._seen)
            if current != self._seen and not self._runtime.stopping.is_set():
                self._seen = current
                await self._take_over()

    async def _take_over(self) -> None:
        old = self._runtime.config
        config, problems, held = await asyncio.to_thread(read_beside, self._folder, old)
        errors = [problem for problem in problems if problem.severity == "error"]
        for problem in errors:
            log.error(
                "config_refused", at=f"{problem.file}:{problem.line}", problem=problem.message
            )
        self._runtime.pending_restart = held  # its heartbeat says so
        if held:
            log.warning("config_needs_restart", settings=held)
        metrics.RELOADS.labels(outcome="refused" if errors else "accepted").inc()
        taken_over = not errors or config != old
        if taken_over:
            redact.register_settings(config)
            ops, before = config.ops, old.ops
            if (ops.log_format, ops.log_level) != (before.log_format, before.log_level):
                logs.configure(ops.log_format, ops.log_level)
            await self._runtime.reload(config)
            log.info("config_reloaded", feeds=len(config.feeds), topics=len(config.topics))
        if self._say is not None:
            for line in config_lines(old, config, problems, held):
                self._say(line)
        await self.publish(problems, taken_over=taken_over)

    async def publish(self, problems: Sequence[Problem], *, taken_over: bool = True) -> None:
        """Let `wirewatch status` and the metrics say how the configuration on disk stands.

        Args:
            problems: of the configuration on disk.
            taken_over: what is in force has just been read, as it is at a start.
        """
        errors = [problem for problem in problems if problem.severity == "error"]
        metrics.CONFIG_OK.set(0 if errors else 1)
        metrics.TOPICS.set(len(self._runtime.config.topics))
        if taken_over:
            metrics.CONFIG_LOADED_AT.set(self._runtime.clock.now())
        try:
            config = self._runtime.config
            word = ConfigWord(len(config.feeds), len(config.topics), sorted(config.channels))
            await self._store.publish(
                word, [str(problem) for problem in problems], self._runtime.clock.now()
            )
        except (RedisError, OSError) as error:
            log.warning("store_unreachable", worker=self.name, error=str(error))
