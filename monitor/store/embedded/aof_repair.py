"""Mends an append-only file whose end is damaged, as a power cut may leave it.

Valkey itself goes on after a cut-short last command (`aof-load-truncated`). Some file systems
leave zeros instead, which it refuses: then the damaged end is cut off here, if it is small.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from monitor.errors import StoreError
from monitor.observability.logs import get_logger

log = get_logger(__name__)

REPAIR_AT_MOST = 1_048_576  # bytes dropped without asking


def repair(folder: Path, binary: Path) -> None:
    """Cut a damaged end off the newest append-only file under `folder`; keep a copy of the whole.

    Raises:
        StoreError: more than a megabyte would go: that is for a person to decide.
    """
    files = sorted((folder / "appendonlydir").glob("*.incr.aof"), key=lambda p: p.stat().st_mtime)
    if not files:
        raise StoreError(f"the append-only file in {folder} is damaged; restore a backup")
    path = files[-1]
    report = _check(binary, path, fix=False)
    found = re.search(r"size=(\d+), ok_up_to=(\d+)", report)
    damaged = int(found[1]) - int(found[2]) if found else None
    if damaged is None or damaged > REPAIR_AT_MOST:
        where = f" from byte {found[2]} of {found[1]}" if found else ""
        raise StoreError(
            f"{path} is damaged{where}; restore a backup (docs/how-to/backup.md), "
            f"or cut it off there yourself"
        )
    kept = folder / f"{path.name}.damaged-{int(time.time())}"
    shutil.copy2(path, kept)
    _check(binary, path, fix=True)
    log.error("store_repaired", file=str(path), bytes_dropped=damaged, copy=str(kept))


def _check(binary: Path, path: Path, fix: bool) -> str:
    """Run Valkey's own checker: the same binary under its other name."""
    done = subprocess.run(
        ["valkey-check-aof", *(["--fix"] if fix else []), str(path)],
        executable=str(binary),
        input="y\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
