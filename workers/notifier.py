"""The notifier: tells each channel what waits for it in the outbox.

Every channel has a task of its own, so that a slow or dead one delays no other. Any number of
notifiers may run: a channel's lease says which of them sends to it, and another takes over within
seconds of its death.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from monitor.alerting.digest_schedule import next_digest, plans_by_channel
from monitor.alerting.routing import TERMINAL
from monitor.alerting.silence_store import SilenceStore
from monitor.config.schema import Channel as ChannelSettings
from monitor.config.schema import SlackChannel, TerminalChannel
from monitor.delivery.channel import Channel, ChannelUnusable
from monitor.delivery.channel_registry import build
from monitor.delivery.channel_sender import ChannelSender
from monitor.delivery.outbox import LEASE_SECONDS, OutboxStore
from monitor.errors import LeaseLost
from monitor.health import canary_channel
from monitor.model import Notification
from monitor.observability import metrics
from monitor.observability.logs import get_logger, redact
from monitor.reasons import DeliveryReason
from monitor.slack_app.actions import PATH, SlackInbound
from monitor.store.lease import Lease
from workers.runtime import Runtime

log = get_logger(__name__)

LOOK_EVERY = 0.2
GAUGES_EVERY = 5.0
STANDBY = 1.0
STOP_WITHIN = 4.0


@dataclass(slots=True)
class _ChannelTask:
    """One channel at work: its settings, its task, and the bell that says something is due."""

    settings: ChannelSettings
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Notifier:
    """Delivers until the runtime stops.

    Args:
        runtime: what the process stands on.
    """

    name = "notifier"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        keep = runtime.config.store.keep_receipts
        self._outbox = OutboxStore(runtime.store, runtime.keys, keep)
        self._silences = SilenceStore(runtime.store, runtime.keys)
        self._lines: dict[str, _ChannelTask] = {}
        self._inbound = SlackInbound(
            lambda: runtime.config, runtime.store, runtime.keys, runtime.clock
        )
        self._sockets: dict[str, asyncio.Task[None]] = {}
        runtime.mounts.mount(PATH, self._inbound.handle_slack)
        self._closed: set[asyncio.Task[None]] = set()
        self._unknown: set[str] = set()

    async def run(self) -> None:
        """Look for due notifications and ring the channels' bells until stopping."""
        next_gauges = 0.0
        try:
            while not self._runtime.stopping.is_set():
                try:
                    self._follow_config()
                    await self._wake_senders()
                    now = self._runtime.clock.now()
                    if now >= next_gauges:
                        next_gauges = now + GAUGES_EVERY
                        await self._say_nothing_new(now)
                        await self._measure(now)
                except (RedisError, OSError) as error:
                    log.warning("store_unreachable", worker=self.name, error=redact(str(error)))
                    await self._runtime.wait_or_stop(1.0)
                await self._runtime.wait_or_stop(LOOK_EVERY)
        finally:
            await self._stop()

    def _follow_config(self) -> None:
        """Start channels that are new or changed; let go of those that are gone."""
        wanted: dict[str, ChannelSettings] = {TERMINAL: TerminalChannel(type="terminal")}
        wanted |= self._runtime.config.channels
        wanted[canary_channel.CHANNEL] = TerminalChannel(type="terminal")  # see _open
        for name, line in list(self._lines.items()):
            if wanted.get(name) != line.settings:
                log.info("channel_closed", channel=name)
                self._close(self._lines.pop(name))
        for name, settings in wanted.items():
            if name not in self._lines:
                line = _ChannelTask(settings)
                line.task = asyncio.create_task(self._serve(name, line), name=f"channel:{name}")
                self._lines[name] = line
        self._follow_sockets()

    def _follow_sockets(self) -> None:
        """Keep one Socket Mode connection for each app token that is configured."""
        wanted = {
            settings.app_token.get_secret_value(): settings
            for settings in self._runtime.config.channels.values()
            if isinstance(settings, SlackChannel) and settings.app_token is not None
        }
        for token in set(self._sockets) - set(wanted):
            self._sockets.pop(token).cancel()
        for token, settings in wanted.items():
            if token not in self._sockets:
                from monitor.slack_app.socket_mode import SlackSocket  # only where it is used

                socket = SlackSocket(settings, self._inbound)
                self._sockets[token] = asyncio.create_task(
                    socket.run(self._runtime.stopping), name="slack-socket"
                )

    async def _wake_senders(self) -> None:
        now = self._runtime.clock.now()
        for name, due in (await self._outbox.first_due(list(self._lines))).items():
            if due <= now:
                self._lines[name].bell.set()

    # --- one channel

    async def _serve(self, name: str, line: _ChannelTask) -> None:
        """Hold the channel's lease and send, for as long as the line is open."""
        channel = await self._open(name, line)
        if channel is None:
            return
        lease = self._outbox.lease(name)
        try:
            while not self._done(line):
                try:
                    if not await lease.take():
                        await self._wait(line, STANDBY)
                        continue
                    async with _renewed(lease):
                        await self._send_all(name, line, channel, lease)
                except LeaseLost:
                    log.warning("lease_lost", channel=name)
                except (RedisError, OSError) as error:
                    log.warning("store_unreachable", channel=name, error=redact(str(error)))
                    await self._wait(line, 1.0)
                except Exception:  # never let one channel's fault end its service
                    log.exception("channel_failed", channel=name)
                    await self._wait(line, 2.0)
        finally:
            with suppress(RedisError, OSError):
                await lease.drop()
            await channel.aclose()

    async def _open(self, name: str, line: _ChannelTask) -> Channel | None:
        if name == canary_channel.CHANNEL:
            return canary_channel.CanaryChannel()
        try:
            return build(line.settings)
        except (ChannelUnusable, ValueError, OSError, ImportError) as error:
            detail = redact(str(error))
            log.error("channel_unusable", channel=name, detail=detail)
            state = {
                "state": f"broken:{DeliveryReason.MISCONFIGURED}",
                "reason": DeliveryReason.MISCONFIGURED.value,
                "detail": detail,
                "since": self._runtime.clock.now(),
            }
            with suppress(RedisError, OSError):
                await self._runtime.store.hset(self._runtime.keys("channel", name), mapping=state)
            return None

    async def _send_all(
        self, name: str, line: _ChannelTask, channel: Channel, lease: Lease
    ) -> None:
        sender = ChannelSender(
            name,
            channel,
            self._outbox,
            self._silences,
            lease,
            self._runtime.clock,
            lambda: self._runtime.config,
            lambda: self._done(line),
        )
        await sender.start()
        while not self._done(line):
            line.bell.clear()
            pause = await sender.step()
            if pause > 0:
                await self._wait(line, pause, line.bell if pause >= 1.0 else None)

    async def _wait(
        self, line: _ChannelTask, seconds: float, bell: asyncio.Event | None = None
    ) -> None:
        """Wait `seconds`, or until the bell rings, or until there is no more to do."""
        waits = [self._runtime.stopping.wait(), line.closing.wait()]
        waits += [bell.wait()] if bell is not None else []
        await _first_of(waits, seconds)

    def _done(self, line: _ChannelTask) -> bool:
        return self._runtime.stopping.is_set() or line.closing.is_set()

    # --- what is said of the whole

    async def _say_nothing_new(self, now: float) -> None:
        """Where a digest asks for it, say that there was nothing new."""
        for channel, plans in plans_by_channel(self._runtime.config).items():
            for plan in plans:
                fired = next_digest(plan, now - 60.0)
                if not plan.say_nothing_new or fired > now - 2 * GAUGES_EVERY:
                    continue
                if await self._outbox.last_digest(channel) < fired:
                    await self._outbox.put([_nothing_new(channel, fired, now)])

    async def _measure(self, now: float) -> None:
        names = list(self._lines)
        due = await self._outbox.first_due(names)
        counted = {name: await self._outbox.waiting(name) for name in names}
        metrics.show(metrics.OUTBOX_WAITING, counted)
        ages = {name: max(0.0, now - due.get(name, now)) for name in names}
        metrics.show(metrics.OUTBOX_OLDEST, ages)
        for line in self._lines.values():
            if line.task is not None and line.task.done() and not line.task.cancelled():
                line.task.exception()
        for name in await self._outbox.channels() - set(self._lines) - self._unknown:
            if waiting := await self._outbox.waiting(name):
                log.warning("channel_not_configured", channel=name, waiting=waiting)
                self._unknown.add(name)

    # --- the end

    def _close(self, line: _ChannelTask) -> None:
        line.closing.set()
        if line.task is not None:
            self._closed.add(line.task)
            line.task.add_done_callback(self._closed.discard)

    async def _stop(self) -> None:
        """Let sends in progress finish for a few seconds; what is cut short is looked up later."""
        for line in self._lines.values():
            self._close(line)
        tasks = set(self._closed) | set(self._sockets.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=STOP_WITHIN)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lines.clear()


@asynccontextmanager
async def _renewed(lease: Lease) -> AsyncIterator[None]:
    """Keep a lease renewed while the block runs."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 4)
            with suppress(RedisError, OSError):
                await lease.take()

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _nothing_new(channel: str, fired: float, now: float) -> Notification:
    return Notification(
        id=f"nothing-new-{int(fired)}@{channel}",
        channel=channel,
        kind="notice",
        notice="Nothing new since the last digest.",
        created_at=now,
        due=now,
    )


async def _first_of(waits: list[Coroutine[Any, Any, Any]], seconds: float) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
