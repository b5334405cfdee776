"""The engine of the stand-in for Docker: volumes are folders, containers are processes.

A container's paths (`/data`, `/tmp`, `/backup`) are replaced in its command line by the folders
mounted there, its ports by free ones of this machine. Nothing else of a container is imitated: no
user of its own, no read-only root, no memory limit.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from monitor.store.embedded.binary import valkey_server

# Runs a command, notes its process and, at its end, its exit code: the program that starts a
# container is long gone when another one asks what became of it.
_KEEPER = '"$@" & echo $! > pid.new; mv pid.new pid; wait $!; echo $? > code.new; mv code.new code'
_SERVER = '#!/bin/sh\nexec {binary} "$@" --port "$STANDIN_PORT" --bind 127.0.0.1\n'
_CLIENT = '#!/bin/sh\nexec {python} {script} "$@"\n'


class DockerRefused(Exception):
    """What Docker would say, and the exit code it would leave with."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Container:
    """One container: what runs in it, and where. `port` is what its own port is on this machine."""

    name: str
    service: str
    image: str
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    mounts: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    grace: float = 10.0
    port: int = 0
    group: int = 0  # 0: it is only listed, nothing was started


def inside(words: str, mounts: dict[str, str]) -> str:
    """Replace a container's paths in a piece of a command by the folders mounted there."""
    targets = "|".join(sorted(map(re.escape, mounts), key=len, reverse=True))
    if not targets:
        return words
    return re.sub(rf"(?<![\w./-])({targets})(?![\w.-])", lambda m: mounts[m[1]], words)


class Engine:
    """Everything the stand-in remembers between two commands stands below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._volumes = folder / "volumes"
        self._file = folder / "containers.json"
        self._volumes.mkdir(parents=True, exist_ok=True)

    # --- volumes

    def volumes(self) -> list[str]:
        """The names of all volumes."""
        return sorted(path.name for path in self._volumes.iterdir())

    def volume(self, name: str) -> Path:
        """The folder of a volume; made if there is none, as Docker does."""
        if not re.fullmatch(r"[a-zA-Z0-9][\w.-]+", name):
            raise DockerRefused(f'create {name}: "{name}" includes invalid characters', 125)
        path = self._volumes / name
        path.mkdir(exist_ok=True)
        return path

    def remove_volume(self, name: str) -> None:
        """Remove a volume that no container, running or stopped, has mounted."""
        if name not in self.volumes():
            raise DockerRefused(f"Error response from daemon: get {name}: no such volume")
        users = [item.name for item in self.containers() if name in item.volumes]
        if users:
            raise DockerRefused(
                f"Error response from daemon: remove {name}: volume is in use - {users}"
            )
        subprocess.run(["rm", "-rf", str(self._volumes / name)], check=True)

    # --- containers

    def containers(self) -> list[Container]:
        """All containers there are, running or not, in the order they were made."""
        rows = json.loads(self._file.read_text()) if self._file.exists() else []
        return [Container(**row) for row in rows]

    def keep(self, containers: Sequence[Container]) -> None:
        """Remember these containers and no others."""
        self._file.write_text(json.dumps([asdict(item) for item in containers]))

    def place(self, container: Container) -> Path:
        """The folder with a container's log, process number and exit code."""
        return self.folder / "containers" / container.name

    def prepare(self, container: Container) -> None:
        """Give a new container a folder, a `/tmp` and a port."""
        (self.place(container) / "tmp").mkdir(parents=True, exist_ok=True)
        container.mounts.setdefault("/tmp", str(self.place(container) / "tmp"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            container.port = probe.getsockname()[1]

    def start(self, container: Container) -> None:
        """Run a container's command in the background, its output in its log."""
        place = self.place(container)
        for name in ("pid", "code"):
            (place / name).unlink(missing_ok=True)
        words = [inside(word, container.mounts) for word in container.command]
        with (place / "log").open("a") as log:
            keeper = subprocess.Popen(
                ["sh", "-c", _KEEPER, "sh", *words],
                cwd=place,
                env=self._environment(container),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        container.group = keeper.pid
        _await(lambda: (place / "pid").exists(), 10, f"{container.name} did not start")

    def alive(self, container: Container) -> bool:
        """Whether a container's process runs."""
        return bool(container.group) and not (self.place(container) / "code").exists()

    def code(self, container: Container) -> int:
        """The exit code of a container that has ended."""
        path = self.place(container) / "code"
        return int(path.read_text()) if path.exists() else 0

    def stop(self, container: Container) -> None:
        """Ask a container to end, and end it when its patience is over (exit code 137)."""
        if not self.alive(container):
            return
        place = self.place(container)
        with suppress(ProcessLookupError):
            os.kill(int((place / "pid").read_text()), signal.SIGTERM)
        try:
            _await((place / "code").exists, container.grace, "")
        except DockerRefused:
            self._kill(container)
            (place / "code").write_text("137")

    def execute(self, container: Container, words: Sequence[str]) -> int:
        """Run a command in a running container; return its exit code."""
        mapped = [self._address(inside(word, container.mounts), container) for word in words]
        try:
            return subprocess.run(
                mapped, cwd=self.place(container), env=self._environment(container)
            ).returncode
        except FileNotFoundError:
            print(f'exec failed: "{words[0]}": executable file not found in $PATH', file=sys.stderr)
            return 127

    def healthy(self, container: Container) -> bool:
        """Run a container's own health check."""
        kind, *words = container.health or ["NONE"]
        if kind == "CMD-SHELL":
            words = ["sh", "-c", *words]
        words = [self._address(inside(word, container.mounts), container) for word in words]
        return not subprocess.run(
            words, cwd=self.place(container), env=self._environment(container), capture_output=True
        ).returncode

    def until_healthy(self, container: Container) -> None:
        """Wait for what depends on this container's health."""
        words = f"dependency failed to start: container {container.name} is unhealthy"
        _await(lambda: not self.alive(container) or self.healthy(container), 30, words)
        if not self.alive(container):
            raise DockerRefused(words)

    def end(self) -> None:
        """Kill whatever still runs: for the end of a test, however it went."""
        for container in self.containers():
            if self.alive(container):
                self._kill(container)

    def _kill(self, container: Container) -> None:
        with suppress(ProcessLookupError):
            os.killpg(container.group, signal.SIGKILL)

    def _address(self, words: str, container: Container) -> str:
        return words.replace("127.0.0.1:9464", f"127.0.0.1:{container.port}")

    def _environment(self, container: Container) -> dict[str, str]:
        """The environment in a container: its service's, and the programs of its image."""
        programs = self.folder / "programs"
        if not programs.exists():
            programs.mkdir()
            script = Path(__file__).with_name("valkey_cli.py")
            for name, text in (
                ("valkey-server", _SERVER.format(binary=valkey_server())),
                ("valkey-cli", _CLIENT.format(python=sys.executable, script=script)),
            ):
                (programs / name).write_text(text)
                (programs / name).chmod(0o755)
        store = [str(programs)] if container.service == "store" else []
        return {
            "PATH": os.pathsep.join([*store, str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": container.mounts["/tmp"],
            "LANG": "C.UTF-8",
            "STANDIN_PORT": str(container.port),
            "WIREWATCH_HTTP": f"127.0.0.1:{container.port}",
            **container.environment,
        }


def _await(condition: object, seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise DockerRefused(otherwise)
        time.sleep(0.02)
