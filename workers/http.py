"""The HTTP side of a process: is it alive, is it ready, what has it counted, and callbacks.

- `/healthz`: 200 while the process can answer at all. Restart it when it cannot.
- `/readyz`: 200 when what it depends on is there, else 503; the JSON names each check.
- `/metrics`: Prometheus text format.
- everything else: what workers mounted (WebSub callbacks, signed Slack calls).

Nothing here needs or shows a secret. The server listens on this machine only unless
`ops.http_host` says otherwise.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from redis.exceptions import RedisError

from monitor.errors import WirewatchError
from monitor.health.watch_store import WatchStore
from monitor.net.routes import Request, Response
from monitor.observability import metrics
from monitor.observability.logs import get_logger, redact
from workers.runtime import Runtime

log = get_logger(__name__)

Check = Callable[[], Awaitable[str]]  # returns "" when well, else what is wrong

_LARGEST_BODY = 2_000_000
_BODIES_AT_ONCE = 32  # in memory, of strangers: their signature is read once the body is there
_BODY_SECONDS = 10.0
_HEADER_SECONDS = 10.0
_CONNECTIONS = 200
_CHECK_SECONDS = 2.0


class HttpServer:
    """Serves health, metrics and mounted callbacks until the runtime is stopping.

    Args:
        runtime: gives the address (`ops.http_host`, `ops.http_port`), the store and the mounts.
        stages: the stages of this process; an embedder adds the check that its model is loaded.
    """

    name = "http"

    def __init__(self, runtime: Runtime, stages: Sequence[str] = ()) -> None:
        self._runtime = runtime
        self.port = 0
        self.started = asyncio.Event()
        self.checks: dict[str, Check] = {"store": self._store}
        if "embedder" in stages:
            self.checks["model"] = _model

    async def run(self) -> None:
        """Listen until stopping.

        Raises:
            WirewatchError: the port cannot be had.
        """
        ops = self._runtime.config.ops
        app = web.Application(client_max_size=_LARGEST_BODY)
        self._bodies = asyncio.Semaphore(_BODIES_AT_ONCE)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_route("*", "/{path:.*}", self._mounted)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=2.0, keepalive_timeout=_HEADER_SECONDS
        )
        await runner.setup()
        server = runner.server
        assert server is not None

        def accept() -> asyncio.BaseProtocol:
            return server() if len(server.connections) < _CONNECTIONS else _Refused()

        listening: asyncio.Server | None = None
        try:
            try:
                listening = await asyncio.get_running_loop().create_server(
                    accept, ops.http_host, ops.http_port
                )
            except OSError as error:
                raise WirewatchError(
                    f"cannot listen on {ops.http_host}:{ops.http_port} ({error.strerror}); "
                    "set ops.http_port to a free port, or to 0 for none"
                ) from None
            self.port = listening.sockets[0].getsockname()[1]
            self.started.set()
            log.info("http_listening", host=ops.http_host, port=self.port)
            await self._runtime.stopping.wait()
        finally:
            self.started.clear()
            if listening is not None:
                listening.close()
            await runner.cleanup()

    async def ready(self) -> dict[str, str]:
        """Return each check's name with "ok" or what is wrong."""
        names = list(self.checks)
        found = await asyncio.gather(*(self._judge(self.checks[name]) for name in names))
        return {name: wrong or "ok" for name, wrong in zip(names, found, strict=True)}

    async def _judge(self, check: Check) -> str:
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

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        checks = await self.ready()
        fine = all(state == "ok" for state in checks.values())
        if self._runtime.stopping.is_set():
            fine, checks = False, {**checks, "process": "stopping"}
        body = json.dumps({"ready": fine, "checks": checks}, indent=1)
        return web.Response(
            status=200 if fine else 503, text=body + "\n", content_type="application/json"
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        page, content_type = metrics.exposition()
        return web.Response(body=page, headers={"Content-Type": content_type})

    async def _mounted(self, request: web.Request) -> web.Response:
        handler = self._runtime.mounts.find(request.path)
        if handler is None:
            return web.Response(status=404, text="nothing here\n")
        if (request.content_length or 0) > _LARGEST_BODY:
            return _close(413, "too large\n")
        try:
            async with asyncio.timeout(_BODY_SECONDS), self._bodies:
                body = await request.read()
        except TimeoutError:
            return _close(408, "the request took too long\n")
        asked = Request(
            request.method,
            request.path,
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            body,
            request.remote or "",
        )
        try:
            answer = await handler(asked)
        except Exception as error:
            log.error("callback_failed", path=request.path, error=repr(error), exc_info=True)
            answer = Response(500, "could not be handled; the log has the reason\n")
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        return web.Response(status=answer.status, body=body, content_type=answer.content_type)


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


def _close(status: int, text: str) -> web.Response:
    """Answer and end the connection: what is left of the request is not read."""
    answer = web.Response(status=status, text=text)
    answer.force_close()
    return answer


async def _model() -> str:
    ready = metrics.REGISTRY.get_sample_value("wirewatch_model_ready")
    return "" if ready else "the embedding model is not loaded yet"
