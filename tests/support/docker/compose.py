"""What the stand-in for Docker knows of Compose: the file, its variables, services and profiles."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.docker.engine import Container, DockerRefused, Engine

STAGES = ("poller", "embedder", "triage", "triage-standby", "notifier")
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?:(:[-?])([^}]*))?\})")


def fill(value: Any, env: Mapping[str, str]) -> Any:
    """Replace `${NAME}`, `${NAME:-default}` and `${NAME:?what is missing}` in every text."""
    if isinstance(value, dict):
        return {key: fill(item, env) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, env) for item in value]
    if not isinstance(value, str):
        return value

    def one(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if name is None:
            return "$"
        if env.get(name):
            return env[name]
        if kind == ":?":
            raise DockerRefused(f"required variable {name} is missing a value: {rest or ''}")
        return rest or ""

    return _VARIABLE.sub(one, value)


def read_env(path: Path) -> dict[str, str]:
    """Read a file of NAME=value lines."""
    rows = [line.partition("=") for line in path.read_text().splitlines() if "=" in line]
    return {name.strip(): value.strip() for name, _, value in rows if not name.startswith("#")}


class Project:
    """The compose file of a folder, and what the engine has of it.

    Args:
        folder: where docker-compose.yml is.
        profiles: those asked for; one that no service has is refused (Compose would be silent).
        stages: whether the five stages are really run, or only listed.
    """

    def __init__(self, engine: Engine, folder: Path, profiles: Iterable[str], stages: bool) -> None:
        path = folder / "docker-compose.yml"
        if not path.exists():
            raise DockerRefused("no configuration file provided: not found")
        dotenv = read_env(folder / ".env") if (folder / ".env").exists() else {}
        self.folder = folder
        self.name = re.sub(r"[^a-z0-9_-]", "", folder.name.lower()).lstrip("_-")
        self.file = fill(yaml.safe_load(path.read_text()), {**dotenv, **os.environ})
        self.services: dict[str, dict[str, Any]] = self.file["services"]
        self._engine, self._stages = engine, stages
        known = {one for service in self.services.values() for one in service.get("profiles", ())}
        for profile in profiles:
            if profile not in known:
                raise DockerRefused(f"no such profile: {profile}")
        self.active = [
            name
            for name, service in self.services.items()
            if not service.get("profiles") or set(service["profiles"]) & set(profiles)
        ]

    def must_exist(self, services: Iterable[str]) -> list[str]:
        """Return the services asked for; one the file does not have is refused."""
        for name in (asked := list(services)):
            if name not in self.services:
                raise DockerRefused(f"no such service: {name}")
        return asked

    def in_order(self, services: Iterable[str]) -> list[str]:
        """Return services, those they depend on before them."""
        found: list[str] = []

        def add(name: str) -> None:
            if name not in found:
                for other in self.services[name].get("depends_on", ()):
                    add(other)
                found.append(name)

        for name in services:
            add(name)
        return found

    def own(self, services: Iterable[str] = ()) -> list[Container]:
        """Return the project's containers, of some services or of all."""
        wanted = self.must_exist(services) or list(self.services)
        return [
            item
            for item in self._engine.containers()
            if item.service in wanted and item.name.startswith(f"{self.name}-")
        ]

    def up(self, services: list[str], scale: dict[str, int]) -> list[str]:
        """Make and start what is asked for; return lines for the terminal."""
        self.must_exist([*services, *scale])
        said, old = [], {item.name: item for item in self._engine.containers()}
        mine = [item.name for item in self.own()]
        for service in self.in_order(services or self.active):
            count = scale.get(service, 1)
            wanted = [f"{self.name}-{service}-{n + 1}" for n in range(count)]
            for name in (
                name for name in mine if re.fullmatch(rf"{self.name}-{service}-\d+", name)
            ):
                if name not in wanted:
                    self._engine.stop(old.pop(name))
                    said.append(f" Container {name}  Removed")
            for name in wanted:
                if name not in old:
                    old[name] = self._container(service, name, said)
                container = old[name]
                if self._is_run(service, name) and not self._engine.alive(container):
                    self._engine.start(container)
                said.append(f" Container {name}  Started")
            self._engine.keep(list(old.values()))
            if service == "store":
                self._engine.until_healthy(old[wanted[0]])
        return said

    def _is_run(self, service: str, name: str) -> bool:
        """The store is run, and the first of each stage if stages are; all else is listed."""
        return service == "store" or (
            self._stages and service in STAGES and name.endswith(f"-{service}-1")
        )

    def _container(self, service: str, name: str, said: list[str]) -> Container:
        settings = self.services[service]
        environment = {key: str(value) for key, value in settings.get("environment", {}).items()}
        if file := settings.get("env_file"):
            if not (self.folder / file).exists():
                raise DockerRefused(f"env file {self.folder / file} not found")
            environment = {**read_env(self.folder / file), **environment}
        command = [*settings.get("entrypoint", ()), *settings.get("command", ())]
        if service in STAGES:
            command = ["wirewatch", *command]
        made = Container(name, service, settings["image"], command, environment)
        made.health = list(settings.get("healthcheck", {}).get("test", ()))
        made.grace = float(str(settings.get("stop_grace_period", "10s")).rstrip("s"))
        self._mount(settings, made, said)
        self._engine.prepare(made)
        if store := next((item for item in self.own() if item.service == "store"), None):
            url = made.environment.get("REDIS_URL", "")
            made.environment["REDIS_URL"] = url.replace("@store:6379", f"@127.0.0.1:{store.port}")
        return made

    def _mount(self, settings: dict[str, Any], made: Container, said: list[str]) -> None:
        for mount in settings.get("volumes", ()):
            if isinstance(mount, str):
                source, target = mount.split(":")[:2]
            else:
                source, target = mount["source"], mount["target"]
            if source.startswith((".", "/")):
                folder = (self.folder / source).resolve()
                if not folder.exists():
                    raise DockerRefused(f"bind source path does not exist: {folder}")
                made.mounts[target] = str(folder)
                continue
            if source not in self.file.get("volumes", {}):
                raise DockerRefused(f'service "{made.service}" refers to undefined volume {source}')
            volume = f"{self.name}_{source}"
            if volume not in self._engine.volumes():
                said.append(f' Volume "{volume}"  Created')
            made.mounts[target] = str(self._engine.volume(volume))
            made.volumes.append(volume)

    def stop(self, services: list[str]) -> list[str]:
        """Stop containers, those that depend on others before them."""
        order = self.in_order(self.services)
        found = sorted(self.own(services), key=lambda item: -order.index(item.service))
        for container in found:
            self._engine.stop(container)
        return [f" Container {container.name}  Stopped" for container in found]

    def down(self) -> list[str]:
        """Stop and remove the project's containers; its volumes stay."""
        self.stop([])
        mine = {item.name for item in self.own()}
        self._engine.keep([item for item in self._engine.containers() if item.name not in mine])
        return [f" Container {name}  Removed" for name in sorted(mine)]

    def build(self, services: list[str]) -> list[str]:
        """Look whether the image could be built: the Dockerfile, and all it copies, are there."""
        said = []
        for name in self.must_exist(services) or self.active:
            if not (how := self.services[name].get("build")):
                continue
            context = self.folder / how["context"]
            dockerfile = context / how["dockerfile"]
            if not dockerfile.exists():
                raise DockerRefused(
                    f"failed to read dockerfile: open {how['dockerfile']}: no such file"
                )
            for line in dockerfile.read_text().splitlines():
                words = [word for word in line.split()[1:] if not word.startswith("--chown")]
                if not line.startswith("COPY ") or words[0].startswith("--from"):
                    continue
                for source in words[:-1]:
                    if not (context / source).exists():
                        raise DockerRefused(f'failed to compute cache key: "/{source}": not found')
            said.append(f" {name}  Built")
        return said
