"""A stand-in for Docker with Compose, where there is no engine: put on PATH as `docker`.

It does not accept everything. It reads the repository's docker-compose.yml, and refuses, with the
exit code that Docker has for it, services, profiles, volumes, commands and options that do not
exist. `compose up` really runs the store's own command line on the folder of its volume, waits for
its own health check, and stops it at `stop` and `down`; `compose exec` and `docker run` really run
what they are told, with the paths of the container replaced by the folders mounted there. Where
STANDIN_STAGES is set, one of each of the five stages is really run too; otherwise, and for what is
scaled beyond one, for `store-init` and for the monitoring, containers are only listed.

STANDIN_FOLDER names the folder for its state.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.support.docker.compose import Project
from tests.support.docker.engine import DockerRefused, Engine, inside

_ROW = "{:<28} {:<24} {:<16} {}"


def install(folder: Path) -> None:
    """Put `docker`, `docker-compose` and `kubectl` into a folder for PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).parent
    for name, script, first in (
        ("docker", here / "program.py", ""),
        ("docker-compose", here / "program.py", "compose "),
        ("kubectl", here / "kubectl.py", ""),
    ):
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {script} {first}"$@"\n')
        path.chmod(0o755)


def main(words: list[str]) -> int:
    """Do what a command line says; return the exit code."""
    engine = Engine(Path(os.environ["STANDIN_FOLDER"]))
    try:
        match words:
            case ["compose", *rest]:
                return _compose(engine, rest)
            case ["run", *rest]:
                return _run(engine, rest)
            case ["volume", "create", name]:
                engine.volume(name)
                print(name)
            case ["volume", "rm", *names]:
                for name in names:
                    engine.remove_volume(name)
                    print(name)
            case ["volume", "ls"]:
                print(
                    "\n".join(
                        ["DRIVER    VOLUME NAME", *(f"local     {n}" for n in engine.volumes())]
                    )
                )
            case _:
                raise DockerRefused(f"docker: unknown command: docker {' '.join(words[:2])}")
    except DockerRefused as refusal:
        print(refusal, file=sys.stderr)
        return refusal.code
    return 0


def _options(
    words: Sequence[str], flags: Iterable[str] = (), valued: Iterable[str] = (), code: int = 1
) -> tuple[dict[str, list[str]], list[str]]:
    """Split a command line into options, which stand first, and the rest."""
    found: dict[str, list[str]] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name, has_value, value = rest.pop(0).partition("=")
        if name in valued:
            if not has_value:
                if not rest:
                    raise DockerRefused(f"flag needs an argument: {name}", code)
                value = rest.pop(0)
        elif name not in flags or has_value:
            raise DockerRefused(f"unknown flag: {name}", code)
        found.setdefault(name, []).append(value)
    return found, rest


def _compose(engine: Engine, words: list[str]) -> int:
    options, rest = _options(words, (), ("--profile",))
    stages = bool(os.environ.get("STANDIN_STAGES"))
    if not rest:
        raise DockerRefused("Usage:  docker compose [OPTIONS] COMMAND")
    project = Project(engine, Path.cwd(), options.get("--profile", ()), stages)
    command, rest = rest[0], rest[1:]
    said: list[str] = []
    match command:
        case "up":
            chosen, services = _options(rest, ("-d", "--detach"), ("--scale",))
            if not {"-d", "--detach"} & set(chosen):
                raise DockerRefused("this stand-in starts containers in the background only: up -d")
            said = project.up(services, dict(_scale(one) for one in chosen.get("--scale", ())))
        case "down":
            _options(rest)
            said = project.down()
        case "stop":
            said = project.stop(_options(rest)[1])
        case "build":
            said = project.build(_options(rest)[1])
        case "ps":
            _ps(engine, project)
        case "logs":
            for item in project.own(_options(rest)[1]):
                log = engine.place(item) / "log"
                for line in log.read_text().splitlines() if log.exists() else ():
                    print(f"{item.name.removeprefix(f'{project.name}-')}  | {line}")
        case "exec":
            return _exec(engine, project, _options(rest, ("-T",))[1])
        case _:
            raise DockerRefused(f'unknown docker command: "compose {command}"')
    print("\n".join(said), file=sys.stderr)
    return 0


def _scale(text: str) -> tuple[str, int]:
    service, _, number = text.partition("=")
    if not number.isdigit():
        raise DockerRefused(f"invalid --scale option {text!r}. Should be SERVICE=NUM")
    return service, int(number)


def _ps(engine: Engine, project: Project) -> None:
    print(_ROW.format("NAME", "IMAGE", "SERVICE", "STATUS"))
    for item in project.own():
        if not item.group:
            status = "not run here"
        elif not engine.alive(item):
            continue  # `ps` has those that run
        else:
            status = f"Up ({'healthy' if engine.healthy(item) else 'health: starting'})"
        print(_ROW.format(item.name, item.image, item.service, status))


def _exec(engine: Engine, project: Project, words: list[str]) -> int:
    if len(words) < 2:
        raise DockerRefused('"docker compose exec" requires a SERVICE and a COMMAND')
    found = project.own([words[0]])
    if not found or words[0] in ("store-init", "prometheus", "grafana"):
        raise DockerRefused(f'service "{words[0]}" is not running')
    if found[0].group and not engine.alive(found[0]):
        raise DockerRefused(f'service "{words[0]}" is not running')
    return engine.execute(found[0], words[1:])


def _run(engine: Engine, words: list[str]) -> int:
    options, rest = _options(words, ("--rm",), ("-v", "--volume"), 125)
    if "--rm" not in options or len(rest) < 2:
        raise DockerRefused(
            "this stand-in knows: docker run --rm [-v SOURCE:TARGET] IMAGE COMMAND", 125
        )
    mounts: dict[str, str] = {}
    for mount in [*options.get("-v", ()), *options.get("--volume", ())]:
        source, _, target = mount.partition(":")
        target, _, mode = target.partition(":")
        if not target.startswith("/") or mode not in ("", "ro", "rw"):
            raise DockerRefused(f"docker: invalid volume specification: {mount!r}", 125)
        if source.startswith("/"):
            Path(source).mkdir(parents=True, exist_ok=True)
        else:
            source = str(engine.volume(source))
        mounts[target] = source
    return subprocess.run([inside(word, mounts) for word in rest[1:]]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
