"""The data folder of the embedded Valkey: private, whole, with a path that a socket can have."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from monitor.errors import StoreError
from monitor.observability.logs import get_logger

log = get_logger(__name__)

SOCKET_NAME = "valkey.sock"
_LONGEST_SOCKET = 100  # bytes; the kernel's limit is 108 on Linux and 104 on macOS, NUL included


def make_folder(folder: Path) -> None:
    """Make the folder, or see that it can be written to and that nobody else looks into it.

    Raises:
        StoreError: it cannot be made, or is not ours.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _keep_private(folder)
        (folder / "lock").touch()
    except OSError as error:
        raise StoreError(
            f"cannot write to the data folder {folder} ({error.strerror}); "
            "make it writable, or set store.data_dir to another folder"
        ) from None


def _keep_private(folder: Path) -> None:
    """Take a folder that others may look into from them: it holds the news and who is told.

    Raises:
        StoreError: it is not ours to change.
    """
    found = folder.stat()
    if not found.st_mode & 0o077:
        return
    if found.st_uid != os.getuid():
        raise StoreError(
            f"the data folder {folder} belongs to another user and is open to others; "
            f"give it to the one Wirewatch runs as, or set store.data_dir to another folder"
        )
    folder.chmod(0o700)
    log.warning("data_folder_closed", folder=str(folder), was=f"{found.st_mode & 0o777:o}")


def check_manifest(folder: Path) -> None:
    """Refuse data whose list is gone: Valkey would start empty, without a word.

    Raises:
        StoreError: the append-only files are there and their manifest is not.
    """
    data = folder / "appendonlydir"
    if any(data.glob("*.aof")) and not any(data.glob("*.manifest")):
        raise StoreError(
            f"the data in {data} has lost its manifest, and would be taken for empty; restore "
            f"{data}/appendonly.aof.manifest from a copy, or move {data} away to begin anew"
        )


def socket_path(folder: Path) -> str:
    """Return where the socket goes: in the folder, or in a private short one if that is too long.

    Raises:
        StoreError: no private folder can be had.
    """
    inside = folder / SOCKET_NAME
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET:
        return str(inside)
    mark = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
    bases = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108 -- checked below
    for base in bases:
        private = Path(base, f"wirewatch-{os.getuid()}-{mark}")
        path = private / "s"
        if not base or len(os.fsencode(path)) > _LONGEST_SOCKET:
            continue
        try:
            private.mkdir(mode=0o700, exist_ok=True)
            found = private.lstat()
        except OSError:
            continue
        # A folder somebody else prepared under this name would let them at the socket.
        if found.st_uid == os.getuid() and found.st_mode & 0o170777 == 0o040700:
            return str(path)
    raise StoreError(
        f"the path of {folder} is too long for a Unix socket and no short private folder can be "
        "made; set store.data_dir to a shorter path"
    )


def held_message(folder: Path, owner: dict[str, Any]) -> str:
    """Return what to say when `owner`, as it stands in owner.json, holds the folder."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.get("since", 0)))
    who = (
        f"process {owner.get('pid', '?')} on {owner.get('host', '?')}, since {since}"
        if owner
        else "another process"
    )
    return (
        f"the data folder {folder} is held by a running Wirewatch ({who}); "
        "stop that one, or give this one a folder of its own (store.data_dir)"
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file, {} where there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a file as a whole: a reader never sees half of it."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(data), encoding="utf-8")
    draft.replace(path)
