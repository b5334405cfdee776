"""What an inbound HTTP request is to those who answer one (hub callbacks, signed Slack calls).

Answering modules need no web framework: they take a `Request` and return a `Response`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are lower case; `body` is raw, as signatures are made over it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int = 200
    body: str | bytes = ""
    content_type: str = "text/plain"


Handler = Callable[[Request], Awaitable[Response]]


class Mounts:
    """Which handler answers which path. A path that ends in `/` takes everything below it."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def mount(self, path: str, handler: Handler) -> None:
        """Have `handler` answer `path`; a later call replaces an earlier one."""
        self._handlers[path] = handler

    def find(self, path: str) -> Handler | None:
        """Return the handler of `path`, the longest prefix winning, or None."""
        if path in self._handlers:
            return self._handlers[path]
        below = [p for p in self._handlers if p.endswith("/") and path.startswith(p)]
        return self._handlers[max(below, key=len)] if below else None
