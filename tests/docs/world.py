"""A small world for the commands of a page: outlets, a Slack, a mail server, a configuration."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any, Self

from monitor.delivery.dead_letter_review import DeadLetters
from monitor.store.client import connect
from monitor.store.embedded.server import find_running
from monitor.store.keys import Keys
from tests.docs.pages import ROOT
from tests.docs.terminal import DocsTerminal
from tests.support.docker.engine import Engine
from tests.support.docker.program import install
from tests.support.outlets import Outlets
from tests.support.service import Service
from tests.support.slack_faults import SlackFault
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin
from tests.support.waiting import until

CABLE = "Two data cables severed in the Gulf within a day"
NEXT = "Coast guard boards tanker after power link to the island fails"
TOPICS = [
    {
        "id": "undersea-cables",
        "name": "Undersea cables",
        "description": "Cables on the sea bed are cut, damaged or repaired.",
        "examples": [CABLE, NEXT],
    }
]
SITE = """<html><head><title>The Wire</title>
<link rel="alternate" type="application/rss+xml" href="/wire"></head><body>News.</body></html>"""
# The whole of a checkout that commands may touch; the rest of it is of no use to them.
CHECKOUT = ("Makefile", "pyproject.toml", "README.md", "LICENSE", "CONTRIBUTING.md", ".env.example",
            "docker-compose.yml", "deploy", "docs", "monitor", "workers",
            "requirements.lock", "requirements-dev.lock")  # fmt: skip


class DocsWorld:
    """What a page's commands meet, in a folder of its own. Use as an async context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outlets = Outlets()
        self.slack = SlackStandin()
        self.smtp = SmtpStandin()
        self.service = Service(folder / "service")
        self.port = _free_port()
        self.values: dict[str, Any] = {}  # what hooks note for commands and for each other
        self.terminals: list[DocsTerminal] = []
        self._docker = folder / "docker"

    async def __aenter__(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        self.outlets.__enter__()
        self.outlets.serve("site", SITE.encode())
        self.outlets.publish("wire", "Ferry timetable changes from Monday")
        await self.slack.start()
        await self.smtp.start()
        install(self.folder / "programs")
        return self

    async def __aexit__(self, *_: object) -> None:
        for terminal in self.terminals:
            terminal.end()
            Service(terminal.folder).end()  # and the store that a killed one leaves behind
        self.service.end()
        Engine(self._docker).end()
        await self.slack.stop()
        await self.smtp.stop()
        self.outlets.__exit__()

    # --- folders and terminals

    def configure(self, folder: Path, **settings: Any) -> None:
        """Write `config/` into a folder: the outlet, the topic, Slack and mail, data in ./data."""
        service = Service(folder)
        channels = {
            "world-desk": {
                "type": "slack",
                "token": "${SLACK_BOT_TOKEN}",
                "channel": self.slack.channel,
                "api_url": self.slack.api_url,
            },
            "night-editor": {
                "type": "email",
                "host": "127.0.0.1",
                "port": self.smtp.port,
                "security": "none",
                "from": "Wirewatch <alerts@desk.example>",
                "to": ["night-editor@desk.example"],
            },
        }
        whole = {"store": {}, "embedding": {"model": "hashing"}, **settings}
        service.configure(
            {"wire": self.outlets.url("wire")}, channels=channels, topics=TOPICS, **whole
        )

    def terminal(self, folder: Path, **env: str) -> DocsTerminal:
        """Open a terminal in a new folder, as a reader has it who has activated `.venv`."""
        folder.mkdir()
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        path = [self.folder / "programs", Path(sys.executable).parent, os.environ["PATH"]]
        made = DocsTerminal(
            folder,
            {
                "PATH": os.pathsep.join(map(str, path)),
                "HOME": str(home),
                "USER": "reader",
                "LOGNAME": "reader",
                "LANG": "C.UTF-8",
                "COLUMNS": "200",
                "NO_COLOR": "1",
                "TERM": "dumb",
                "NO_PROXY": "*",
                "VENV": str(self._venv()),
                "STANDIN_FOLDER": str(self._docker),
                "GIT_CONFIG_NOSYSTEM": "1",
                **env,
            },
        )
        self.terminals.append(made)
        return made

    def check_out(self, folder: Path, *, copy: bool = False) -> None:
        """Lay a checkout out in a folder: by links, or as a copy that commands may change."""
        folder.mkdir(exist_ok=True)
        for name in CHECKOUT:
            source, target = ROOT / name, folder / name
            if not copy:
                target.symlink_to(source)
            elif source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)

    def _venv(self) -> Path:
        """Return a VENV for make that has everything: its stamps say so, nothing is installed."""
        folder = self.folder / "venv"
        if not folder.exists():
            folder.mkdir()
            for name in ("bin", "lib", "pyvenv.cfg"):
                (folder / name).symlink_to(Path(sys.executable).parents[1] / name)
            for stamp in (".installed", ".installed-dev"):
                (folder / stamp).touch()
        return folder

    # --- what happens in it

    async def start_service(self) -> None:
        """Start a service of the world's own, and have it tell a story; for pages that need one."""
        self.configure(self.service.folder, store={"data_dir": str(self.service.folder / "data")})
        self.service.start(
            SLACK_BOT_TOKEN=self.slack.bot_token, WIREWATCH_HTTP=f"127.0.0.1:{self.port}"
        )
        await self.service.until_baselined()
        self.outlets.publish("wire", CABLE, "An anchor is suspected.", guid="cable")
        await self.slack.until(lambda: self.told(CABLE) == 1, 180)

    def told(self, title: str) -> int:
        """How often Slack was told of a title."""
        return sum(title in str(post) for post in self.slack.posts())

    async def dead_letter(self, url: str, prefix: str, title: str) -> None:
        """Have Slack refuse a story for good, so that it becomes a dead letter; note its id."""
        known = set(await self.dead(url, prefix))
        self.slack.fail("chat.postMessage", SlackFault("error", error="invalid_blocks"))
        self.outlets.publish("wire", title, guid=title)

        async def there() -> bool:
            new = [name for name in await self.dead(url, prefix) if name not in known]
            self.values["dead"] = new[0] if new else ""
            return bool(new)

        await until(there)

    async def dead(self, url: str, prefix: str) -> list[str]:
        """The ids of the dead letters in a store."""
        client = connect(url)
        try:
            return [letter.id for letter in await DeadLetters(client, Keys(prefix)).list()]
        finally:
            await client.aclose()

    def store_url(self, folder: Path) -> str:
        """The address of the embedded store that runs on `folder`/data."""
        url = find_running(folder / "data")
        assert url is not None, f"no store runs on {folder}/data"
        return url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
