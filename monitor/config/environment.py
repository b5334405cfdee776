"""`${NAME}` in a setting: taken from the environment, or from the file that NAME_FILE names.

Secrets reach Wirewatch only this way. What was put in is never shown again: messages name the
variable, not its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from monitor.config.schema import DeskSettings, OpsSettings

# "$${" stands for a literal "${".
_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
    r"|(?P<broken>\$\{[^}\n]{0,40}\}?)"
)
_LONGEST_SECRET = 65_536  # bytes of a NAME_FILE


@dataclass(frozen=True, slots=True)
class Expanded:
    """A value with its variables put in.

    `values` are the texts that came from outside; `unset` names the variables that have no value.
    """

    text: str
    names: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()


def expand(text: str, env: Mapping[str, str]) -> Expanded:
    """Put the variables of `env` into `text`.

    `${NAME}` must be set and not empty; `${NAME:-default}` falls back; if NAME is not set but
    NAME_FILE is, the content of that file counts, without its final line break. What could not be
    found is a fault, and its place stays empty.

    `WIREWATCH_SECRETS=none` is for processes that send and fetch nothing (embedder, triage): they
    know channels and feeds by name, and what is not set gets a stand-in that leads nowhere.
    """
    if "${" not in text:
        return Expanded(text)
    names: list[str] = []
    values: list[str] = []
    faults: list[str] = []
    unset: list[str] = []

    def put_in(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        if match["broken"]:
            faults.append(
                f"{match['broken']} is not a variable; write ${{NAME}} with letters, digits "
                "and _, or $${ for a literal ${"
            )
            return ""
        name, default = match["name"], match["default"]
        names.append(name)
        value, fault = _look_up(name, env)
        if value:
            values.append(value)
            return value
        if default is not None and not fault:
            return str(default)
        if env.get("WIREWATCH_SECRETS") == "none":
            return f"https://{name}.invalid/" if match[0] == text.strip() else name
        faults.append(fault or _missing(name, env))
        unset.append(name)
        return ""

    expanded = _REFERENCE.sub(put_in, text)
    return Expanded(expanded, tuple(names), tuple(values), tuple(faults), tuple(unset))


def _look_up(name: str, env: Mapping[str, str]) -> tuple[str, str]:
    """Return (value, fault); both empty if the variable is not set."""
    if env.get(name):
        return env[name], ""
    path = env.get(f"{name}_FILE", "")
    if not path:
        return "", ""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_LONGEST_SECRET + 1)
        if len(raw) > _LONGEST_SECRET:
            return "", f"{name}_FILE names {path}, which is too long for a secret; check the path"
        value = raw.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        why = error.strerror or "it cannot be read"
        return "", f"{name}_FILE names {path}, but: {why}; make it readable or set {name}"
    except ValueError:
        return "", f"{name}_FILE names {path}, which is not UTF-8 text; check the path"
    if not value:
        return "", f"{name}_FILE names {path}, which is empty; put the value there"
    return value, ""


def _missing(name: str, env: Mapping[str, str]) -> str:
    state = "is empty" if name in env else "is not set"
    return (
        f"the environment variable {name} {state}; set {name}, or {name}_FILE with the path of a "
        f"file that holds it, or write ${{{name}:-default}}"
    )


def desk_of_env(desk: DeskSettings, env: Mapping[str, str]) -> DeskSettings:
    """Return `desk` as the place it runs in wants it; a setting in `wirewatch.yaml` wins.

    `WIREWATCH_DESK_HOST` is where a container listens; with `WIREWATCH_DESK_PUBLISHED_ON_LOOPBACK`
    (true) its port is published on the host's loopback only.
    """
    wanted: dict[str, object] = {}
    if host := env.get("WIREWATCH_DESK_HOST", ""):
        wanted["host"] = host
    if env.get("WIREWATCH_DESK_PUBLISHED_ON_LOOPBACK", "").lower() in ("true", "yes", "1"):
        wanted["published_on_loopback"] = True
    fresh = {name: value for name, value in wanted.items() if name not in desk.model_fields_set}
    return desk.model_copy(update=fresh)


def with_env_overrides(ops: OpsSettings, env: Mapping[str, str]) -> tuple[OpsSettings, list[str]]:
    """Return `ops` with the overrides of the environment, and what is wrong with them.

    `WIREWATCH_HTTP` (host:port of /healthz, /readyz and /metrics), `WIREWATCH_LOG_FORMAT` (human,
    json) and `WIREWATCH_LOG_LEVEL` belong to the place a process runs in. Containers and unit files
    set them; a setting in `wirewatch.yaml` wins.
    """
    faults: list[str] = []
    wanted: dict[str, object] = {}
    if address := env.get("WIREWATCH_HTTP", ""):
        host, _, port = address.rpartition(":")
        if port.isdigit() and int(port) < 65536:
            wanted |= {"http_host": host.strip("[]") or "127.0.0.1", "http_port": int(port)}
        else:
            faults.append(f'WIREWATCH_HTTP is "{address}"; write host:port, as in 0.0.0.0:9464')
    for name, field in (
        ("WIREWATCH_LOG_FORMAT", "log_format"),
        ("WIREWATCH_LOG_LEVEL", "log_level"),
    ):
        if value := env.get(name, ""):
            try:
                OpsSettings.model_validate({field: value})
            except ValidationError:
                choices = ", ".join(get_args(OpsSettings.model_fields[field].annotation))
                faults.append(f'{name} is "{value}"; it may be {choices}')
                continue
            wanted[field] = value
    fresh = {name: value for name, value in wanted.items() if name not in ops.model_fields_set}
    return ops.model_copy(update=fresh), faults
