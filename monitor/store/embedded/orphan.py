"""What a killed service leaves running: finding its Valkey, and ending it without loss."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from monitor.observability.logs import get_logger

log = get_logger(__name__)

STOP_SECONDS = 20.0


def ping(path: str) -> str:
    """Return how the server at socket `path` is: "ready", "loading" or "silent"."""
    try:
        with _client(path) as client:
            client.ping()
            return "ready"
    except redis.exceptions.BusyLoadingError:
        return "loading"
    except (redis.exceptions.RedisError, OSError):
        return "silent"


def answers(path: str) -> bool:
    """Whether a server listens on socket `path`."""
    return Path(path).exists() and ping(path) != "silent"


def shut_down(path: str) -> int:
    """Ask the server on socket `path` to sync its file and leave; return its pid if it stayed.

    Returns 0 when nobody listens there or the server has left.
    """
    if not answers(path):
        return 0
    try:
        with _client(path) as client:
            info: Any = client.info("server")
            pid = int(info["process_id"])
            log.warning("store_orphan_stopping", socket=path, pid=pid)
            with contextlib.suppress(redis.exceptions.RedisError, OSError):
                client.execute_command("SHUTDOWN", "NOSAVE")
    except (redis.exceptions.RedisError, OSError, KeyError):
        return 0
    return 0 if wait_gone(pid, STOP_SECONDS) else pid


def is_our_valkey(pid: int, folder: Path) -> bool:
    """Whether `pid` is a valkey-server working in `folder` (process ids are used again)."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"valkey-server" in words and Path(f"/proc/{pid}/cwd").resolve() == folder.resolve()
    except OSError:
        pass
    shown = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    ).stdout
    return "valkey-server" in shown


def end(pid: int) -> bool:
    """End process `pid`, gracefully if it listens; return whether it is gone."""
    for kind, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGCONT)  # one that was suspended cannot leave
            os.kill(pid, kind)
        if wait_gone(pid, seconds):
            return True
    return False


def wait_gone(pid: int, seconds: float) -> bool:
    """Wait up to `seconds` for process `pid` to be gone; return whether it is."""
    deadline = time.monotonic() + seconds
    while _exists(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _exists(pid: int) -> bool:
    with contextlib.suppress(OSError):
        # A zombie has left already; only its parent's note of it remains.
        if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _client(path: str) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=path,
        socket_timeout=2.0,
        socket_connect_timeout=2.0,
        retry=Retry(NoBackoff(), 0),  # whether it answers is the question; asking again is not
    )
