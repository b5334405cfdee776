"""The real service as a process of its own, configured in a folder of the test's."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from monitor.store.client import connect
from monitor.store.embedded.server import find_running
from monitor.store.keys import TABLE, Keys
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin
from tests.support.waiting import T, until

ENERGY = {
    "id": "energy",
    "name": "Energy infrastructure strikes",
    "description": "Attacks by drones or missiles on power plants, grids and refineries.",
    "examples": ["Missiles damage a power plant and leave a city without electricity"],
}


def slack_and_mail(slack: SlackStandin, smtp: SmtpStandin) -> dict[str, dict[str, Any]]:
    """Return the channels "slack" and "mail", which lead to stand-ins."""
    return {
        "slack": {
            "type": "slack",
            "token": "${SLACK_BOT_TOKEN}",
            "channel": slack.channel,
            "api_url": slack.api_url,
        },
        "mail": {
            "type": "email",
            "host": "127.0.0.1",
            "port": smtp.port,
            "security": "none",
            "from": "Wirewatch <alerts@desk.example>",
            "to": ["editor@desk.example"],
        },
    }


class Service:
    """`wirewatch run` on a configuration folder; start, kill and start it again at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config"
        self.config.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[str] | None = None
        self.output = folder / "output.log"
        self.program = ["monitor.cli"]  # the module that is run, and arguments before its own
        self._env: dict[str, str] = {}

    def configure(
        self,
        feeds: dict[str, str],
        *,
        channels: dict[str, Any] | None = None,
        topics: list[dict[str, Any]] | None = None,
        interval: str = "1s",
        **settings: Any,
    ) -> None:
        """Write the configuration: feeds by id and address, channels, topics."""
        ports = sorted({int(url.split(":")[2].split("/")[0]) for url in feeds.values()})
        whole: dict[str, Any] = {
            "store": {"data_dir": str(self.folder / "data")},
            "polling": {
                "allow_hosts": ["127.0.0.1"],
                "allow_ports": ports or [80],
                "host_spacing": "20ms",
                "min_interval": "1s",
                "parser_processes": 1,
            },
            **settings,
        }
        if channels:
            whole["channels"] = channels
        rows = [{"id": name, "url": url, "interval": interval} for name, url in feeds.items()]
        self._write("wirewatch.yaml", whole)
        self._write("feeds.yaml", {"feeds": rows})
        self._write("topics.yaml", {"topics": topics or [ENERGY]})

    def _write(self, name: str, data: Any) -> None:
        (self.config / name).write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")

    def start(self, **env: str) -> None:
        """Start the service; its output goes to `output`."""
        self._env = env
        with self.output.open("a") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.program, "run", "--config", str(self.config)],
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, **env},
            )

    def kill(self) -> None:
        """End it as the kernel would: no warning, no cleaning up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def end(self) -> None:
        """End the service, and the store it leaves behind, whatever the state of the test."""
        self.kill()
        left = self.folder / "data" / "store.json"
        if left.exists():
            with suppress(ProcessLookupError):
                os.kill(int(json.loads(left.read_text())["pid"]), signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    async def ask(self, *arguments: str) -> tuple[int, str]:
        """Run another command on the same configuration; return its exit code and output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "monitor.cli",
            *arguments,
            "--config",
            str(self.config),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self._env},
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    def said(self) -> str:
        """Everything the service has printed so far."""
        return self.output.read_text() if self.output.exists() else ""

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    async def counts(self) -> dict[str, int]:
        """The service's own counters, read from its store."""
        return {k: int(v) for k, v in (await self.hash("count")).items()}

    async def hash(self, *name: str) -> dict[str, str]:
        """A hash of the store, or an empty dict while there is none."""
        url = find_running(self.folder / "data")
        if url is None:
            return {}
        client = connect(url)
        try:
            rows = await client.hgetall(Keys()(*name))
        except OSError:
            return {}
        finally:
            await client.aclose()
        return {k.decode(): v.decode("utf-8", "replace") for k, v in rows.items()}

    async def leaks(self) -> list[str]:
        """Keys of the store that are in no row of the table, of another kind, or live for ever."""
        url = find_running(self.folder / "data")
        assert url is not None
        client = connect(url)
        found, names = [], [key async for key in client.scan_iter(count=1000)]
        for raw in names:
            name = raw.decode().removeprefix(Keys()())
            rule = next((rule for rule in TABLE if fnmatchcase(name, rule.pattern)), None)
            kind = (await client.type(raw)).decode()
            if kind == "none":
                continue  # it ended between the two questions
            if rule is None:
                found.append(f"{name}: in no row of the table")
            elif kind != rule.kind:
                found.append(f"{name}: a {kind}, the table says {rule.kind}")
            elif rule.goes == "ttl" and await client.pttl(raw) == -1:
                found.append(f"{name}: never expires")
        await client.aclose()
        assert names, "there is nothing in the store"
        return found

    async def until_baselined(self) -> None:
        """Wait until the first look round is done."""
        await self.until(self._baselined)

    async def _baselined(self) -> bool:
        return "first_look" in await self.hash("config")

    async def until(self, condition: Callable[[], Awaitable[T] | T]) -> T:
        """Wait for a condition, and fail with what the service printed if it ends before."""
        return await until(condition, alive=self._still_runs)

    def _still_runs(self) -> None:
        assert self.alive(), self.said()
