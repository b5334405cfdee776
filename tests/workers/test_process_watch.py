"""A process in which a loop stands still ends itself, and the service in one process comes back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.config.schema import Config
from monitor.store.client import connect
from monitor.tasks import beside, end
from workers.process_watch import EXIT_CODE, ProcessWatch
from workers.runtime import Runtime

pytestmark = pytest.mark.slow

STALL = """
import asyncio, sys
from pathlib import Path
from monitor.config.schema import Config
from workers.process_watch import ProcessWatch, exit_now, start_again
from workers.runtime import Runtime

starts = Path(sys.argv[1])
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
again, how = sys.argv[2] == "again", sys.argv[3]

async def main():
    runtime = Runtime(Config(), None, "")
    watch = ProcessWatch(runtime, start_again if again else exit_now, 0.3, 0.3)
    async with watch.watching(look_every=0.05):
        if again and len(starts.read_text()) > 1:
            return
        progress = runtime.progress("stories")
        if how == "loop":
            await asyncio.Event().wait()
        if how == "stop":
            runtime.stopping.set()
            while True:
                progress.mark()
                await asyncio.sleep(0.01)
        while True:  # the event loop itself
            progress.mark()

asyncio.run(main())
"""


def stall(folder: Path, then: str, how: str) -> tuple[int, str, str]:
    """Run a process that stalls; return its exit code, its log and a mark for each start."""
    starts = folder / "starts"
    done = subprocess.run(
        [sys.executable, "-c", STALL, str(starts), then, how],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    return done.returncode, done.stdout + done.stderr, starts.read_text()


@pytest.mark.parametrize("how", ["loop", "stop", "event loop"])
def test_a_process_that_stalls_ends(tmp_path: Path, how: str) -> None:
    """A loop that waits for ever, a stop that never ends, an event loop that is held: exit 70."""
    code, said, starts = stall(tmp_path, "exit", how)
    assert (code, starts) == (EXIT_CODE, "x"), said
    assert "process_stalled" in said
    assert how != "loop" or "locks.py:" in said, "the log does not say where it stood"


def test_the_service_in_one_process_starts_again(tmp_path: Path) -> None:
    """Where no supervisor may be, the process replaces itself, with its own arguments."""
    code, said, starts = stall(tmp_path, "again", "loop")
    assert (code, starts) == (0, "xx"), said


async def test_time_asleep_is_not_held_against_a_loop() -> None:
    """A machine that slept for an hour finds all its loops unmoved, and ends none of them."""
    runtime, ended = Runtime(Config(), connect("redis://127.0.0.1:1"), ""), []
    watch = ProcessWatch(runtime, lambda: ended.append(True), patience=300.0)
    progress = runtime.progress("stories")
    for _ in range(100):
        watch.look(3600.0, 2.0)
        watch.look(1.0, 2.0)
        progress.mark()
    assert not ended
    for _ in range(150):
        watch.look(2.0, 2.0)
    assert not ended
    watch.look(2.0, 2.0)
    assert ended


async def test_a_side_that_fails_ends_its_block() -> None:
    """What runs beside a block is not missed in silence: its fault is the block's."""

    async def fail() -> None:
        raise ArithmeticError("it does not add up")

    with pytest.raises(ArithmeticError):
        async with beside(fail()):
            await asyncio.Event().wait()


async def test_a_task_that_loses_a_cancellation_is_ended() -> None:
    """`end` asks again, and the caller's own cancellation takes effect afterwards."""
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while lost < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    ending = asyncio.create_task(end([task]))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert task.done()
