"""The HTTP side of a process: is it alive, is it ready, what has it counted, and callbacks.

- `/healthz`: 200 while the process can answer at all. Restart it when it cannot.
- `/readyz`: 200 when what it depends on is there, else 503; the JSON names each check.
- `/metrics`: Prometheus text format.
- everything else: what workers mounted (WebSub callbacks, signed Slack calls).

Nothing here needs or shows a secret. The server listens on this machine only unless
`ops.http_host` says otherwise. The desk has the same routes; its `/metrics` asks who wants it.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence

from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse
from starlette.responses import Response as Answer
from starlette.routing import BaseRoute, Route

from monitor.errors import WirewatchError
from monitor.health.watch_store import WatchStore
from monitor.net.routes import Request, Response
from monitor.observability import metrics
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from workers.http_server import serve
from workers.runtime import Runtime

log = get_logger(__name__)

Check = Callable[[], Awaitable[str]]  # returns "" when well, else what is wrong

_CONNECTIONS = 200
_CHECK_SECONDS = 2.0


class Health:
    """What a process answers about itself, and for the workers that mounted something.

    Args:
        runtime: gives the store and the mounts.
        stages: the stages of this process; an embedder adds the check that its model is loaded.
    """

    def __init__(self, runtime: Runtime, stages: Sequence[str] = ()) -> None:
        self._runtime = runtime
        self.checks: dict[str, Check] = {"store": self._store}
        if "embedder" in stages:
            self.checks["model"] = _model

    def routes(self) -> list[BaseRoute]:
        """Return `/healthz`, `/readyz`, and one route for everything that was mounted."""
        return [
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/{path:path}", self._mounted, methods=["GET", "POST"]),
        ]

    async def ready(self) -> dict[str, str]:
        """Return each check's name with "ok" or what is wrong."""
        names = list(self.checks)
        found = await asyncio.gather(*(self._outcome(self.checks[name]) for name in names))
        return {name: wrong or "ok" for name, wrong in zip(names, found, strict=True)}

    async def _outcome(self, check: Check) -> str:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                return await check()
        except TimeoutError:
            return f"no answer within {_CHECK_SECONDS:.0f} s"
        except Exception as error:
            return redact(str(error) or type(error).__name__)

    async def _store(self) -> str:
        try:
            await WatchStore(self._runtime.store, self._runtime.keys).ping()
        except (RedisError, OSError) as error:
            metrics.STORE_UP.set(0)
            return redact(f"unreachable: {error}")
        metrics.STORE_UP.set(1)
        return ""

    async def _healthz(self, request: Asked) -> Answer:
        return PlainTextResponse("alive\n")

    async def _readyz(self, request: Asked) -> Answer:
        checks = await self.ready()
        fine = all(state == "ok" for state in checks.values())
        if self._runtime.stopping.is_set():
            fine, checks = False, {**checks, "process": "stopping"}
        body = json.dumps({"ready": fine, "checks": checks}, indent=1)
        return Answer(body + "\n", 200 if fine else 503, media_type="application/json")

    async def _mounted(self, request: Asked) -> Answer:
        path = request.scope["path"]
        handler = self._runtime.mounts.find(path)
        if handler is None:
            raise HTTPException(404, "nothing here")
        asked = Request(
            request.method,
            path,
            dict(request.query_params),
            dict(request.headers),
            await request.body(),
        )
        try:
            answer = await handler(asked)
        except Exception as error:
            log.error("callback_failed", path=path, error=repr(error), exc_info=True)
            answer = Response(500, "could not be handled; the log has the reason\n")
        plain = {"X-Content-Type-Options": "nosniff"}
        return Answer(answer.body, answer.status, plain, answer.content_type)


class HttpServer:
    """Serves health, metrics and callbacks at `ops.http_host` and `ops.http_port`."""

    name = "http"

    def __init__(self, runtime: Runtime, health: Health) -> None:
        self._runtime = runtime
        self._health = health
        self.port = 0
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Listen until stopping.

        Raises:
            WirewatchError: the port cannot be had.
        """
        ops = self._runtime.config.ops
        try:
            family = socket.AF_INET6 if ":" in ops.http_host else socket.AF_INET
            listener = socket.create_server(
                (ops.http_host.strip("[]"), ops.http_port), family=family
            )
        except OSError as error:
            raise WirewatchError(
                f"cannot listen on {ops.http_host}:{ops.http_port} ({error.strerror or error}); "
                "set ops.http_port to a free port, or to 0 for none"
            ) from None
        self.port = listener.getsockname()[1]
        app = Starlette(routes=[Route("/metrics", _metrics), *self._health.routes()])
        self.started.set()
        log.info("http_listening", host=ops.http_host, port=self.port)
        try:
            await serve(app, listener, self._runtime.stopping, _CONNECTIONS)
        finally:
            self.started.clear()


async def _metrics(request: Asked) -> Answer:
    page, content_type = metrics.exposition()
    return Answer(page, headers={"Content-Type": content_type})


async def _model() -> str:
    ready = metrics.REGISTRY.get_sample_value("wirewatch_model_ready")
    return "" if ready else "the embedding model is not loaded yet"
