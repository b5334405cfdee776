"""A stand-in for valkey-cli: one command to the store of the container it runs in.

Prints what the real one prints when its output is not a terminal; exit code 1 if nobody answers.
"""

from __future__ import annotations

import os
import sys

import redis


def main(words: list[str]) -> int:
    """Send the command `words`; the password comes from REDISCLI_AUTH."""
    store = redis.Redis(
        port=int(os.environ["STANDIN_PORT"]), password=os.environ.get("REDISCLI_AUTH")
    )
    store.response_callbacks.clear()  # answers as the server gives them
    try:
        answer = store.execute_command(*words)
    except redis.ResponseError as error:
        answer = f"ERR {error}"
    except redis.RedisError as error:
        print(f"Could not connect to Valkey: {error}", file=sys.stderr)
        return 1
    for line in answer if isinstance(answer, list) else [answer]:
        print(line.decode() if isinstance(line, bytes) else line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
