"""Runs the demonstration: writes its configuration, publishes the script, says what to watch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rich.text import Text

from monitor.analysis.archive import AnalysisStore
from monitor.health.config_store import ConfigStore
from monitor.terminal import CleanConsole
from workers.demo.script import LENGTH, OUTLETS, PIECES, TOPICS, Piece
from workers.demo.server import FeedServer
from workers.main import RunOptions, serve
from workers.runtime import Runtime

_TOLD_BY_THEMSELVES = {"below_threshold", "baseline"}


async def show(folder: Path) -> None:
    """Run the service on the made-up outlets for half a minute, alerts in the terminal."""
    console = CleanConsole()
    with FeedServer() as server:
        for piece in PIECES:
            if piece.at is None:
                server.publish(piece)
        write_configuration(folder, server)

        def director(runtime: Runtime) -> Director:
            return Director(runtime, server, console.print)

        await serve(RunOptions(folder, extra=(director,), kept=False))


def write_configuration(folder: Path, server: FeedServer) -> None:
    """Write a configuration that watches the made-up outlets, quickly and on this machine only."""
    settings = {
        "store": {"data_dir": str(folder / "data")},
        "desk": {"enabled": False},
        "ops": {"log_level": "warning"},
        "polling": {
            "allow_hosts": ["127.0.0.1"],
            "allow_ports": [server.port],
            "host_spacing": "100ms",
            "min_interval": "1s",
            "parser_processes": 1,
        },
    }
    feeds = [
        {
            "id": name,
            "name": title,
            "owner": title,
            "url": server.url(name),
            "interval": "1s",
            "trust": "wire" if name.endswith("wire") else "established",
        }
        for name, title in OUTLETS.items()
    ]
    for name, data in (("wirewatch.yaml", settings), ("feeds.yaml", {"feeds": feeds})):
        (folder / name).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    (folder / "topics.yaml").write_text(TOPICS, encoding="utf-8")


class Director:
    """Publishes the script in time and comments on what is held back; then ends the run."""

    name = "demo"

    def __init__(self, runtime: Runtime, server: FeedServer, show: Callable[[Text], None]) -> None:
        self._runtime = runtime
        self._server = server
        self._show = show
        self._archive = AnalysisStore.of(runtime.store, runtime.config)
        self._seen: set[str] = set()

    async def run(self) -> None:
        """Wait for the first look, then follow the script."""
        words = ConfigStore(self._runtime.store, self._runtime.keys)
        while not await words.first_run_summed_up():
            if await self._comment_or_stop(0.2):
                return
        self._show(Text("The outlets now publish for half a minute.\n", style="bold"))
        clock, start = self._runtime.clock, self._runtime.clock.now()
        for piece in (piece for piece in PIECES if piece.at is not None):
            while clock.now() - start < (piece.at or 0):
                if await self._comment_or_stop(0.2):
                    return
            self._announce(piece)
            self._server.publish(piece)
        while clock.now() - start < LENGTH:
            if await self._comment_or_stop(0.2):
                return
        self._show(
            Text(
                "\nThat was the demonstration. `make run` watches real feeds; your own topics go "
                "into config/topics.yaml.",
                style="bold",
            )
        )
        self._runtime.stopping.set()

    def _announce(self, piece: Piece) -> None:
        line = Text(f"· {OUTLETS[piece.outlet]} publishes “{piece.title}”", style="dim")
        self._show(line.append(f"\n  watch for: {piece.note}", style="dim italic"))

    async def _comment_or_stop(self, seconds: float) -> bool:
        """Say what was held back since the last look; return True if the service stops."""
        now = self._runtime.clock.now()
        async for ids in self._archive.between(now - 600, now + 1):
            for story_id in ids:
                if story_id not in self._seen:
                    self._seen.add(story_id)
                    found = await self._archive.story(story_id)
                    if found is not None:
                        await self._comment(found[0].story.source, found[1])
        return await self._runtime.wait_or_stop(seconds)

    async def _comment(self, source: str, record: dict[str, Any]) -> None:
        original = await self._archive.story(record.get("copy_of") or "")
        for held in record.get("suppressions", ()):
            if held["reason"] not in _TOLD_BY_THEMSELVES:
                detail = f" of {original[0].story.source}'s report" if original else ""
                line = f"  held back: {source} on {held['topic']}: {held['reason']}{detail}"
                self._show(Text(line + "\n", style="yellow"))
