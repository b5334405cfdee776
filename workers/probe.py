"""Asks a health address and exits 0 for a 2xx answer: a health check that needs no curl.

`python -m workers.probe http://127.0.0.1:9464/readyz`. Imports nothing heavy: it runs often.
"""

from __future__ import annotations

import sys
from urllib.request import urlopen


def probe(url: str, timeout: float = 3.0) -> int:
    """Return 0 if `url` answers with a 2xx status within `timeout` seconds, else 1."""
    try:
        with urlopen(url, timeout=timeout) as answer:  # noqa: S310 -- the operator gave it
            return 0 if 200 <= answer.status < 300 else 1
    except (OSError, ValueError):
        return 1


if __name__ == "__main__":
    sys.exit(probe(sys.argv[1]))
