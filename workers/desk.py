"""The desk as a stage: opens its port, prints a one-time address, follows what happens."""

from __future__ import annotations

import asyncio
import getpass
import socket
from contextlib import suppress
from pathlib import Path

from redis.exceptions import RedisError

from monitor.config.schema import DeskSettings
from monitor.desk.app import create_app
from monitor.desk.live import MOST_PAGES, LiveHub
from monitor.desk.people import is_loopback
from monitor.desk.services import Services
from monitor.errors import WirewatchError
from monitor.observability.logs import get_logger
from monitor.store.client import connect_blocking
from monitor.tasks import end
from workers.http import Health
from workers.http_server import serve
from workers.overview import overview
from workers.runtime import Runtime

log = get_logger(__name__)

CONNECTIONS = MOST_PAGES + 200  # open pages, and what they ask for


class Desk:
    """Serves the pages until the runtime is stopping.

    Args:
        runtime: what the process stands on.
        announce: says the one-time address where people see it; None where nobody looks.
        health: what the process answers about itself; the desk answers it too.
    """

    name = "desk"

    def __init__(
        self, runtime: Runtime, announce: object = None, health: Health | None = None
    ) -> None:
        self._runtime = runtime
        self._health = health
        self._announce = announce
        self._blocking = connect_blocking(runtime.store_url)
        self.live = LiveHub(runtime.store, self._blocking, runtime.keys)
        self.services = Services(
            config=lambda: runtime.config,
            client=runtime.store,
            keys=runtime.keys,
            clock=runtime.clock,
            folder=Path(runtime.config_dir),
            live=self.live,
            troubles=self._troubles,
        )
        self.port = 0
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Listen until stopping.

        Raises:
            WirewatchError: the port cannot be had, or the address is public and nobody is asked
                who they are.
        """
        settings = self._runtime.config.desk
        await self._refuse_to_be_open(settings)
        listener = listen(settings)
        self.port = listener.getsockname()[1]
        app = create_app(self.services, self._health.routes() if self._health else ())
        following = asyncio.create_task(self.live.run(), name="desk-live")
        closing = asyncio.create_task(self._end_open_pages(), name="desk-closing")
        reading = asyncio.create_task(self._read_ahead(), name="desk-reading")
        self.started.set()
        log.info("desk_listening", host=settings.host, port=self.port)
        try:
            await self._say_where(settings)
            await serve(app, listener, self._runtime.stopping, CONNECTIONS)
        finally:
            self.started.clear()
            self.live.close()
            await end([following, closing, reading])
            listener.close()

    async def _end_open_pages(self) -> None:
        """Open pages wait for news without end: let them go before the server waits for them."""
        await self._runtime.stopping.wait()
        self.live.close()

    async def _read_ahead(self) -> None:
        with suppress(RedisError, OSError):  # then the first search reads it
            await self.services.history.read_ahead()

    async def _refuse_to_be_open(self, settings: DeskSettings) -> None:
        if is_loopback(settings.host) or settings.published_on_loopback:
            return
        if settings.user_header and settings.trusted_proxies:
            return
        if await self.services.sign_in.tokens():
            return
        raise WirewatchError(
            f"the desk will not listen on {settings.host}, where strangers may reach it: set "
            "desk.user_header and desk.trusted_proxies (a proxy signs people in), or make an API "
            "token (wirewatch desk token add NAME), or, if a container's port is published on the "
            "host's loopback only, desk.published_on_loopback: true"
        )

    async def _say_where(self, settings: DeskSettings) -> None:
        """Print a one-time address, unless a proxy signs people in."""
        if not callable(self._announce) or settings.user_header:
            return
        code = await self.services.sign_in.make_link(getpass.getuser())
        host = "127.0.0.1" if not is_loopback(settings.host) else settings.host
        self._announce(f"The desk, for you to open once: {link_to(host, self.port, code)}")

    async def _troubles(self) -> list[str]:
        runtime = self._runtime
        view = await overview(runtime.store, runtime.keys, runtime.config, runtime.clock.now())
        return view.troubles


def link_to(host: str, port: int, code: str) -> str:
    """Return a one-time address."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/sign-in/link?code={code}"


def listen(settings: DeskSettings) -> socket.socket:
    """Return a socket that listens at the configured address.

    A port that was not chosen by anyone may be another free one: the address is printed.

    Raises:
        WirewatchError: it cannot be had.
    """
    chosen = "port" in settings.model_fields_set
    ports = [settings.port] if chosen else [settings.port, 0]
    for port in ports:
        try:
            family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
            return socket.create_server((settings.host.strip("[]"), port), family=family)
        except OSError as error:
            reason = error.strerror or str(error)
    raise WirewatchError(
        f"the desk cannot listen on {settings.host}:{settings.port} ({reason}); set desk.port to a "
        "free port, or desk.enabled: false"
    )
