"""The embedded Valkey: started, watched and stopped by the service that owns the data folder.

What lies in the folder: `lock` (held by the running service), `owner.json` (who that is),
`store.json` (process and socket of its Valkey), `valkey.log`, and `appendonlydir/` with the data.

Decisions, with their reasons in docs/decisions/0601-embedded-valkey.md:

- The lock is a POSIX record lock: the kernel drops it with the process, and a forked helper that
  outlives a `kill -9` cannot keep it, as it would with `flock`.
- A Valkey left behind by a killed service is stopped cleanly (it writes and syncs its file) and
  a fresh one started: one way to begin, whatever version left the old one.
- Valkey runs with the folder as its working directory and relative paths, so spaces and any
  alphabet in the path are harmless, and in a session of its own, so Ctrl-C reaches the service
  alone, which stops Valkey last.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import IO
from urllib.parse import quote

from monitor.errors import DataFolderHeld, StoreError
from monitor.observability import metrics
from monitor.observability.logs import get_logger
from monitor.store.embedded.aof_repair import repair
from monitor.store.embedded.binary import valkey_server
from monitor.store.embedded.data_folder import (
    SOCKET_NAME,
    check_manifest,
    held_message,
    make_folder,
    read_json,
    socket_path,
    write_json,
)
from monitor.store.embedded.orphan import (
    STOP_SECONDS,
    answers,
    end,
    is_our_valkey,
    ping,
    shut_down,
)

log = get_logger(__name__)

LOG_NAME = "valkey.log"
_START_SECONDS = 20.0  # without any answer; loading a large file is waited for without limit
_LARGEST_LOG = 5_000_000
QUICK_DEATHS = 5

_held: dict[Path, IO[str]] = {}  # record locks do not exclude within one process: this does

OPTIONS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "dir": ".",
    "logfile": LOG_NAME,
    "loglevel": "notice",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",
    "save": "",
    "maxmemory-policy": "noeviction",
    "auto-aof-rewrite-percentage": "100",
    "auto-aof-rewrite-min-size": "64mb",
}


def find_running(data_dir: str | Path) -> str | None:
    """Return the address of the Valkey that serves `data_dir` now, or None.

    For commands such as `wirewatch status` that look into a running service.
    """
    path = read_json(Path(data_dir).expanduser() / "store.json").get("socket")
    return _url(str(path)) if path and answers(str(path)) else None


class EmbeddedStore:
    """A Valkey of our own under `data_dir`. Use from one place: start once, stop once."""

    def __init__(self, data_dir: str | Path) -> None:
        self.folder = Path(data_dir).expanduser().absolute()
        self.socket_path = ""
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False

    @property
    def url(self) -> str:
        """The address for `monitor.store.client.connect`."""
        return _url(self.socket_path)

    def start(self) -> str:
        """Take the folder, clear away what an earlier service left, start Valkey; return its URL.

        Blocks until Valkey has loaded its data.

        Raises:
            DataFolderHeld: another running service holds the folder.
            StoreError: the folder cannot be used or Valkey does not start; the message says why.
        """
        make_folder(self.folder)
        self._take_lock()
        try:
            self.socket_path = socket_path(self.folder)
            self._clear_orphan()
            self._rotate_log()
            check_manifest(self.folder)
            self._launch()
        except BaseException:
            self._kill()
            self._release_lock()
            raise
        atexit.register(self.stop)
        return self.url

    def stop(self) -> None:
        """Stop Valkey, which writes and syncs its file first, and give the folder back."""
        self._stopping = True
        atexit.unregister(self.stop)
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)  # finishes writing, fsyncs, leaves
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        self._kill()
        for path in (Path(self.socket_path or "/nonexistent"), self.folder / "store.json"):
            path.unlink(missing_ok=True)
        self._release_lock()

    def alive(self) -> bool:
        """Whether the Valkey process is running."""
        return self._process is not None and self._process.poll() is None

    async def guard(self, stopping: asyncio.Event) -> None:
        """Restart Valkey whenever it dies, until `stopping` is set.

        The address stays the same, so clients reconnect by themselves.

        Raises:
            StoreError: it died again and again; the message quotes its log.
        """
        deaths: list[float] = []
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 0.2)
            if stopping.is_set() or self._stopping or self.alive():
                continue
            code = self._process.returncode if self._process else None
            deaths = [at for at in deaths if at > time.monotonic() - 60] + [time.monotonic()]
            if len(deaths) > QUICK_DEATHS:
                raise StoreError(
                    f"the embedded Valkey in {self.folder} died {len(deaths)} times within a "
                    f"minute; its log ends: {self._log_tail()}"
                )
            log.error("store_died", folder=str(self.folder), exit=code, restarting=True)
            await asyncio.to_thread(self._launch)
            self.restarts += 1
            metrics.STORE_RESTARTS.inc()
            log.warning("store_restarted", folder=str(self.folder), restarts=self.restarts)

    # --- the folder

    def _take_lock(self) -> None:
        real = self.folder.resolve()
        owner = self.folder / "owner.json"
        if real in _held:
            raise DataFolderHeld(held_message(self.folder, read_json(owner)))
        file = (self.folder / "lock").open("a")
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if error.errno not in (11, 13, 35):  # EAGAIN, EACCES, and macOS' EAGAIN
                raise StoreError(
                    f"cannot lock {self.folder} ({error.strerror}); "
                    "set store.data_dir to a folder on a local disk"
                ) from None
            raise DataFolderHeld(held_message(self.folder, read_json(owner))) from None
        _held[real] = file
        write_json(
            owner, {"pid": os.getpid(), "host": socket.gethostname(), "since": int(time.time())}
        )

    def _release_lock(self) -> None:
        file = _held.pop(self.folder.resolve(), None)
        if file is not None:
            (self.folder / "owner.json").unlink(missing_ok=True)
            file.close()

    def _clear_orphan(self) -> None:
        """Stop the Valkey of a service that was killed; we hold the lock, so nobody uses it."""
        noted = read_json(self.folder / "store.json")
        pid = int(noted.get("pid") or 0)
        paths = {str(noted.get("socket") or self.socket_path), self.socket_path}
        for path in paths:
            pid = shut_down(path) or pid
        if pid and is_our_valkey(pid, self.folder):
            log.warning("store_orphan_found", folder=str(self.folder), pid=pid)
            end(pid)
        for path in paths:
            Path(path).unlink(missing_ok=True)

    def _rotate_log(self) -> None:
        path = self.folder / LOG_NAME
        with contextlib.suppress(OSError):
            if path.stat().st_size > _LARGEST_LOG:
                path.replace(path.with_suffix(".log.1"))

    # --- the process

    def _launch(self) -> None:
        """Start Valkey and wait until it serves; a damaged end of its file is cut off once."""
        try:
            self._spawn()
        except StoreError:
            if "Bad file format reading the append only file" not in self._log_tail(40):
                raise
            repair(self.folder, valkey_server())
            self._spawn()

    def _spawn(self) -> None:
        binary = valkey_server()
        Path(self.socket_path).unlink(missing_ok=True)
        inside = Path(self.socket_path).parent == self.folder
        options = {**OPTIONS, "unixsocket": SOCKET_NAME if inside else self.socket_path}
        arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
        log_start = self._log_size()
        try:
            self._process = subprocess.Popen(
                [str(binary), *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise StoreError(f"cannot run {binary}: {error.strerror}") from None
        write_json(
            self.folder / "store.json", {"pid": self._process.pid, "socket": self.socket_path}
        )
        self._await_ready()
        self._say_what_was_lost(log_start)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        said = False
        while True:
            if not self.alive():
                code = self._process.returncode if self._process else None
                raise StoreError(
                    f"the embedded Valkey in {self.folder} did not start (exit {code}); "
                    f"its log ends: {self._log_tail()}"
                )
            state = ping(self.socket_path)
            if state == "ready":
                return
            if state == "loading":
                deadline = time.monotonic() + _START_SECONDS
                if not said:
                    log.info("store_loading", folder=str(self.folder))
                    said = True
            elif time.monotonic() > deadline:
                raise StoreError(
                    f"the embedded Valkey in {self.folder} does not answer after "
                    f"{_START_SECONDS:.0f} s; see {self.folder / LOG_NAME}"
                )
            time.sleep(0.02)

    def _say_what_was_lost(self, log_start: int) -> None:
        text = self._log_text(log_start)
        found = re.search(r"truncated.*?(\d+) bytes|Truncating the AOF.*?offset (\d+)", text)
        if found:
            log.warning("store_tail_truncated", folder=str(self.folder), detail=found[0])

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    # --- its log

    def _log_size(self) -> int:
        try:
            return (self.folder / LOG_NAME).stat().st_size
        except OSError:
            return 0

    def _log_text(self, start: int = 0) -> str:
        try:
            with (self.folder / LOG_NAME).open("rb") as file:
                file.seek(start)
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def _log_tail(self, lines: int = 3) -> str:
        text = self._log_text(max(0, self._log_size() - 20_000))
        return " / ".join(line.strip() for line in text.splitlines()[-lines:]) or "(empty)"


def _url(path: str) -> str:
    return f"unix://{quote(path)}"
