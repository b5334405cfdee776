"""What the place a process runs in decides, rather than the newsroom: its HTTP address, its logs.

Containers and unit files set these in the environment; a setting in `wirewatch.yaml` wins.

- `WIREWATCH_HTTP`: `0.0.0.0:9464`, where /healthz, /readyz and /metrics answer.
- `WIREWATCH_LOG_FORMAT`: `human` or `json`.
- `WIREWATCH_LOG_LEVEL`: `debug`, `info`, `warning` or `error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from pydantic import ValidationError

from monitor.config.schema import OpsSettings


def with_surroundings(ops: OpsSettings, env: Mapping[str, str]) -> tuple[OpsSettings, list[str]]:
    """Return the settings with what the environment adds, and what is wrong with it."""
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
