"""A terminal as a reader of the docs has it: a folder, bash, and what `export` left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import until

_LIMIT = 240.0  # seconds: a limit on hangs; the larger model takes a while to load


@dataclass(frozen=True)
class CommandResult:
    """What a command said, and its exit code."""

    code: int
    said: str


@dataclass
class RunningCommand:
    """A command that runs for ever, in a terminal of its own."""

    line: str
    process: asyncio.subprocess.Process
    log: Path

    def said(self) -> str:
        """Everything it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


class DocsTerminal:
    """Runs lines of bash one after the other; variables set by one are there for the next.

    Args:
        folder: where it stands.
        env: its environment at the beginning.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = dict(env)
        self.running: list[RunningCommand] = []
        self.said = ""  # by the last command that `run` ran
        self._scratch = folder.parent / f"{folder.name}.terminal"
        self._scratch.mkdir()

    async def run(self, line: str, answer: str = "") -> CommandResult:
        """Run a line to its end; `answer` is typed when it asks."""
        left = self._scratch / "environment"
        script = f'{line}\ncode=$?; env -0 > "{left}"; exit $code'
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            script,
            cwd=self.folder,
            env=self.env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_LIMIT):
                said, _ = await process.communicate(answer.encode())
        except BaseException:
            await _end(process)
            raise
        rows = left.read_text().split("\0") if left.exists() else []
        self.env = dict(row.split("=", 1) for row in rows if "=" in row) or self.env
        self.said = said.decode()
        return CommandResult(process.returncode or 0, self.said)

    async def start(self, line: str, works: str, **more: str) -> RunningCommand:
        """Start a line that runs for ever; return when its output matches `works`."""
        log = self._scratch / f"log{len(list(self._scratch.glob('log*')))}"
        with log.open("w") as file:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                line,
                cwd=self.folder,
                env={**self.env, **more},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        running = RunningCommand(line, process, log)
        self.running.append(running)

        def still_runs() -> None:
            assert process.returncode is None, f"{line} ended:\n{running.said()}"

        try:
            await until(lambda: re.search(works, running.said()), alive=still_runs, limit=_LIMIT)
        except TimeoutError:
            raise AssertionError(f"{line} never said {works!r}, but:\n{running.said()}") from None
        return running

    async def stop(self) -> None:
        """Ask all that runs to stop, the latest first, as SIGTERM does; each must leave with 0."""
        while self.running:
            running = self.running[-1]
            os.kill(_service_below(running.process.pid), signal.SIGTERM)
            try:
                async with asyncio.timeout(_LIMIT):
                    code = await running.process.wait()
            finally:
                self._kill(self.running.pop())
            assert code == 0, f"{running.line} left with {code}:\n{running.said()}"
            assert "Traceback" not in running.said(), f"{running.line}:\n{running.said()}"

    def end(self) -> None:
        """Kill what still runs, whatever the state of the test."""
        while self.running:
            self._kill(self.running.pop())

    def _kill(self, running: RunningCommand) -> None:
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command that took too long, or is not wanted any more, and what it started."""
    with suppress(ProcessLookupError, TimeoutError):
        os.killpg(process.pid, signal.SIGTERM)  # a demonstration stops its store
        async with asyncio.timeout(15):
            await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _service_below(pid: int) -> int:
    """Return the first process at or below `pid` that is `wirewatch run`: bash and make are not."""
    table = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    level = [pid]
    while level:
        for number, _, args in (row for row in rows if int(row[0]) in level):
            if re.search(r"python\S* \S*wirewatch run", args):
                return int(number)
        level = [int(row[0]) for row in rows if int(row[1]) in level]
    raise AssertionError(f"there is no service at or below process {pid}:\n{table}")
