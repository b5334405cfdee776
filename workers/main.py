"""The composition root: reads the configuration, opens the store, starts and stops the workers.

`wirewatch run` starts all four stages in one process on an embedded Valkey; `--only poller` (and
so on) starts some of them on a shared store. The code of the stages is the same.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError
from rich.text import Text

from monitor.config.load import load_tolerant
from monitor.config.schema import Config
from monitor.errors import ConfigError, ModelError, Problem, StoreError
from monitor.health.watch_store import WatchStore
from monitor.observability import logs, metrics, redact, traces
from monitor.observability.logs import get_logger
from monitor.stages import PIPELINE, STAGES
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.embedded.server import EmbeddedStore
from monitor.store.safety import check_store
from monitor.tasks import end
from monitor.terminal import CleanConsole
from workers.first_run_summary import FirstRunSummary
from workers.http import Health, HttpServer
from workers.installation import Installation
from workers.process_watch import ProcessWatch, exit_now, start_again
from workers.reload import ConfigWatch, refuse_lost_files
from workers.runtime import Runtime, Worker
from workers.terminal_report import (
    HIDDEN,
    Say,
    TerminalReport,
    goodbye,
    greeting,
    interactive,
    mistake_lines,
    say_in_terminal,
    speak_notices,
)

log = get_logger(__name__)

GRACE_SECONDS = 10.0
_ONE_ASKING = 1.0  # a shell and make both pass one Ctrl-C on: that is one wish, not two
_FIRST_RESTART, _LONGEST_RESTART = 1.0, 60.0

Started = Callable[[Runtime], Worker]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run: the configuration folder, the stages, and side tasks of the caller's."""

    config_dir: Path
    stages: Sequence[str] = STAGES
    extra: Sequence[Started] = ()
    verbose: bool = False  # in a terminal, alerts are not mixed with the log unless asked for
    kept: bool = True  # a demonstration keeps nothing

    @property
    def all_in_one(self) -> bool:
        """Whether every stage is in this process."""
        return set(PIPELINE) <= set(self.stages)


def read_configuration(folder: Path) -> tuple[Config, list[Problem]]:
    """Read the configuration, leaving out what is broken; say what was left out.

    Raises:
        ConfigError: nothing of it can be used.
    """
    config, problems = load_tolerant(folder)
    redact.register_settings(config)
    for problem in problems:
        log.warning("config_problem", at=f"{problem.file}:{problem.line}", problem=problem.message)
    return config, problems


async def serve(options: RunOptions) -> None:
    """Run the chosen stages until SIGTERM, SIGINT or a fault nobody can work around.

    Raises:
        ConfigError, StoreError, ModelError: said in one line, before or instead of running.
    """
    if options.all_in_one and not options.verbose and interactive():
        logs.hide(HIDDEN)
    config, problems = read_configuration(options.config_dir)
    quiet = options.all_in_one and not options.verbose and sys.stderr.isatty()
    logs.configure(config.ops.log_format, "warning" if quiet else config.ops.log_level)
    if traces.set_up("-".join(options.stages) if len(options.stages) == 1 else "all"):
        atexit.register(traces.flush)
    if quiet:
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a late tick is no news
    say = say_in_terminal() if options.all_in_one else None
    if say is not None:
        if quiet:
            speak_notices(say)
        say(greeting(config))
        for line in mistake_lines(problems):
            say(line)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_open_store(config))
        client = connect(url)
        stack.push_async_callback(client.aclose)
        await _check(client, config)
        runtime = Runtime(config, client, url, config_dir=str(options.config_dir))
        await refuse_lost_files(runtime, options.config_dir)
        watch = ConfigWatch(runtime, options.config_dir, say)
        installation = _installation(runtime)
        with suppress(RedisError, OSError):  # a full store: the heartbeat looks again
            await installation.look()
        await watch.publish(problems)
        _listen_for_signals(runtime, watch, say)
        end_process = start_again if options.all_in_one else exit_now
        await stack.enter_async_context(ProcessWatch(runtime, end_process).watching())
        health = Health(runtime, options.stages)
        workers = [_build(name, runtime, options, health) for name in _opened(options, config)]
        sides = [
            *_side_tasks(runtime, options, installation, health),
            *(make(runtime) for make in options.extra),
        ]
        if say is not None:
            sides += [FirstRunSummary(runtime, CleanConsole().print), TerminalReport(runtime, say)]
        await _run_until_stopped(runtime, workers, [watch, *sides])
        if say is not None and options.kept:
            say(goodbye(config))


def _opened(options: RunOptions, config: Config) -> list[str]:
    """Return the stages to start: the desk may be switched off in the settings."""
    return [name for name in options.stages if name != "desk" or config.desk.enabled]


@asynccontextmanager
async def _open_store(config: Config) -> AsyncIterator[str]:
    """Yield the store's address; an embedded one lives as long as the block."""
    if config.store.url is not None:
        yield config.store.url.get_secret_value()
        return
    embedded = EmbeddedStore(config.store.data_dir)
    url = await asyncio.to_thread(embedded.start)
    stopping = asyncio.Event()
    guard = asyncio.create_task(embedded.guard(stopping))
    try:
        yield url
    finally:
        stopping.set()
        with suppress(StoreError):
            await guard
        await asyncio.to_thread(embedded.stop)


async def _check(client: Redis, config: Config) -> None:
    try:
        notes = await check_store(client, config.store.allow_unsafe)
    except (RedisError, OSError) as error:
        raise StoreError(
            f"the store does not answer ({error}); check REDIS_URL, and that it is running"
        ) from None
    for note in notes:
        log.warning("store_note", note=note)


def _build(name: str, runtime: Runtime, options: RunOptions, health: Health) -> Worker:
    """Import and make one stage; the imports are here so that each process loads only its own."""
    sole = options.all_in_one and runtime.config.store.url is None
    if name == "poller":
        from workers.poller import Poller

        return Poller(runtime)
    if name == "embedder":
        from workers.embedder import EmbedderWorker

        return EmbedderWorker(runtime, sole=sole)
    if name == "triage":
        from workers.triage import Triage

        return Triage(runtime)
    if name == "desk":
        from workers.desk import Desk

        return Desk(runtime, lambda line: print(line, flush=True), health)
    from workers.notifier import Notifier

    return Notifier(runtime)


def _installation(runtime: Runtime) -> Installation:
    store = runtime.config.store
    folder = Path(store.data_dir).expanduser() if store.url is None else None
    return Installation(WatchStore(runtime.store, runtime.keys), runtime.clock.now, folder)


def _side_tasks(
    runtime: Runtime, options: RunOptions, installation: Installation, health: Health
) -> list[Worker]:
    """Heartbeat, watchdog, canary and HTTP."""
    from workers.canary import Canary
    from workers.heartbeat import Heartbeat
    from workers.watchdog import Watchdog

    sides: list[Worker] = [
        Heartbeat(runtime, _opened(options, runtime.config), installation),
        Watchdog(runtime),
        Canary(runtime),
    ]
    if runtime.config.ops.http_port:
        sides.append(HttpServer(runtime, health))
    return sides


def _listen_for_signals(runtime: Runtime, watch: ConfigWatch, say: Say | None) -> None:
    loop = asyncio.get_running_loop()
    asked_at = 0.0

    def stop() -> None:
        nonlocal asked_at
        if not runtime.stopping.is_set():
            asked_at = loop.time()
            log.info("stopping", grace_seconds=GRACE_SECONDS)
            if say is not None:
                say(Text("\nStopping; what is in hand is finished first."))
            runtime.stopping.set()
        elif loop.time() - asked_at > _ONE_ASKING:
            raise KeyboardInterrupt  # asked twice: leave at once

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, watch.look_now)


async def _run_until_stopped(
    runtime: Runtime, workers: Sequence[Worker], sides: Sequence[Worker]
) -> None:
    fatal: list[Exception] = []

    async def keep_running(worker: Worker) -> None:
        wait = _FIRST_RESTART
        while not runtime.stopping.is_set():
            metrics.WORKER_UP.labels(worker=worker.name).set(1)
            try:
                await worker.run()
                wait = _FIRST_RESTART
            except (ModelError, ConfigError) as error:
                fatal.append(error)
                runtime.stopping.set()
            except Exception as error:
                log.error("worker_failed", worker=worker.name, error=repr(error), exc_info=True)
                metrics.WORKER_RESTARTS.labels(worker=worker.name).inc()
            metrics.WORKER_UP.labels(worker=worker.name).set(0)
            if not runtime.stopping.is_set():
                await runtime.wait_or_stop(wait)
                wait = min(wait * 2, _LONGEST_RESTART)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keep_running(w), name=w.name) for w in [*workers, *sides]]
        await runtime.stopping.wait()
        _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for task in late:
            log.warning("worker_cut_short", worker=task.get_name())
        await end(late)
    if fatal:
        raise fatal[0]
