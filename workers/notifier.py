"""The notifier: tells each channel what waits for it in the outbox.

Every channel has a task of its own, so that a slow or dead one delays no other. Any number of
notifiers may run: a channel's lease says which of them sends to it, and another takes over within
seconds of its death.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from monitor.alerting.digest_schedule import next_digest, plans_by_channel
from monitor.alerting.routing import TERMINAL
from monitor.alerting.silence_store import SilenceStore
from monitor.alerting.subscriptions import recipients
from monitor.config.schema import Channel as ChannelSettings
from monitor.config.schema import SlackChannel, TerminalChannel
from monitor.delivery.channel import Channel, ChannelUnusable
from monitor.delivery.channel_registry import build
from monitor.delivery.channel_sender import ChannelSender
from monitor.delivery.outbox import OutboxStore
from monitor.errors import LeaseLost
from monitor.health import canary_channel
from monitor.model import Notification
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from monitor.reasons import DeliveryReason
from monitor.slack_app.actions import PATH, SlackInbound
from monitor.store.lease import Lease
from monitor.tasks import Progress, end, first_of
from workers.headlines import Headlines
from workers.overview import lines, overview
from workers.recaps import EventRecaps
from workers.runtime import Runtime
from workers.subscribers import Subscribers

log = get_logger(__name__)

LOOK_EVERY = 0.2
SELDOM = 5.0
STANDBY = 1.0
STOP_WITHIN = 4.0
ENDING = 600.0  # seconds in which what was decided before a subscription's end may still come
LONGEST_WAIT = 30.0  # seconds between two looks at a channel


@dataclass(slots=True)
class _ChannelTask:
    """One channel at work: its settings, its task, and what wakes or closes it."""

    settings: ChannelSettings
    progress: Progress
    wake: asyncio.Event = field(default_factory=asyncio.Event)
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
        kept = runtime.config.store
        self._outbox = OutboxStore(
            runtime.store, runtime.keys, kept.keep_receipts, kept.keep_history
        )
        self._silences = SilenceStore(runtime.store, runtime.keys)
        self._subscribers = Subscribers(runtime)
        self._headlines, self._recaps = Headlines(runtime), EventRecaps(runtime)
        self._channels: dict[str, _ChannelTask] = {}
        self._inbound = SlackInbound(
            lambda: runtime.config, runtime.store, runtime.keys, runtime.clock, self._status
        )
        self._sockets: dict[str, asyncio.Task[None]] = {}
        runtime.mounts.mount(PATH, self._inbound.handle_slack)
        self._tasks: set[asyncio.Task[None]] = set()
        self._unknown: set[str] = set()

    async def run(self) -> None:
        """Look for due notifications and wake their channels until stopping."""
        progress, next_look = self._runtime.progress(self.name), 0.0
        async with asyncio.TaskGroup() as group:
            try:
                while not self._runtime.stopping.is_set():
                    progress.mark()
                    try:
                        await self._subscribers.follow()
                        self._follow_config(group)
                        await self._wake_senders()
                        now = self._runtime.clock.now()
                        if now >= next_look:
                            next_look = now + SELDOM
                            await self.say_nothing_new(now)
                            await self.forget_ended(now)
                            await self._warn_of_unknown()
                    except (RedisError, OSError) as error:
                        log.warning("store_unreachable", worker=self.name, error=redact(str(error)))
                        await self._runtime.wait_or_stop(1.0)
                    await self._runtime.wait_or_stop(LOOK_EVERY)
            finally:
                await self._stop()

    def _follow_config(self, group: asyncio.TaskGroup) -> None:
        """Start channels that are new or changed; close those that are gone."""
        wanted: dict[str, ChannelSettings] = {TERMINAL: TerminalChannel(type="terminal")}
        wanted |= recipients(self._runtime.config)
        wanted[canary_channel.CHANNEL] = TerminalChannel(type="terminal")  # see _open
        for name, channel in list(self._channels.items()):
            if wanted.get(name) != channel.settings:
                log.info("channel_closed", channel=name)
                self._channels.pop(name).closing.set()
        for name, settings in wanted.items():
            if name not in self._channels:
                channel = _ChannelTask(settings, self._runtime.progress(f"channel:{name}"))
                channel.task = group.create_task(self._serve(name, channel), name=f"channel:{name}")
                self._own(channel.task)
                self._channels[name] = channel
        self._follow_sockets(group)

    def _follow_sockets(self, group: asyncio.TaskGroup) -> None:
        """Keep one Socket Mode connection for each app token that is configured."""
        wanted = {
            settings.app_token.get_secret_value(): settings
            for settings in self._runtime.config.channels.values()
            if isinstance(settings, SlackChannel) and settings.app_token is not None
        }
        for token in set(self._sockets) - set(wanted):
            self._own(group.create_task(end([self._sockets.pop(token)]), name="slack-socket-end"))
        for token, settings in wanted.items():
            if token not in self._sockets or self._sockets[token].done():
                task = group.create_task(self._listen(settings), name="slack-socket")
                self._own(task)
                self._sockets[token] = task

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, settings: SlackChannel) -> None:
        from monitor.slack_app.socket_mode import SlackSocket  # only where it is used

        try:
            await SlackSocket(settings, self._inbound).run(self._runtime.stopping)
        except Exception:  # buttons may fail, alerts may not
            log.exception("slack_socket_broke")
            await self._runtime.wait_or_stop(10.0)

    async def _wake_senders(self) -> None:
        now = self._runtime.clock.now()
        for name, due in (await self._outbox.first_due(list(self._channels))).items():
            if due <= now:
                self._channels[name].wake.set()

    # --- one channel

    async def _serve(self, name: str, task: _ChannelTask) -> None:
        """Hold the channel's lease and send, until the channel is closed."""
        try:
            channel = await self._open(name, task)
            if channel is not None:
                await self._serve_with(name, task, channel)
        except Exception:  # a channel's own fault, such as one in closing it, ends that channel
            log.exception("channel_failed", channel=name)
        finally:
            if self._channels.get(name) in (None, task):
                self._runtime.loops.pop(f"channel:{name}", None)

    async def _serve_with(self, name: str, task: _ChannelTask, channel: Channel) -> None:
        lease = self._outbox.lease(name)
        try:
            while not self._done(task):
                try:
                    if not await lease.take():
                        await self._wait(task, STANDBY)
                        continue
                    async with lease.kept(task.progress):
                        await self._send_all(name, task, channel, lease)
                except LeaseLost:
                    log.warning("lease_lost", channel=name)
                except (RedisError, OSError) as error:
                    log.warning("store_unreachable", channel=name, error=redact(str(error)))
                    await self._wait(task, 1.0)
                except Exception:  # never let one channel's fault end its service
                    log.exception("channel_failed", channel=name)
                    await self._wait(task, 2.0)
        finally:
            with suppress(RedisError, OSError):
                await lease.drop()
            await channel.aclose()

    async def _open(self, name: str, task: _ChannelTask) -> Channel | None:
        if name == canary_channel.CHANNEL:
            return canary_channel.CanaryChannel()
        try:
            return build(task.settings)
        except (ChannelUnusable, ValueError, OSError, ImportError) as error:
            detail = redact(str(error))
            log.error("channel_unusable", channel=name, detail=detail)
            now = self._runtime.clock.now()
            with suppress(RedisError, OSError):
                await self._outbox.note_broken(name, DeliveryReason.MISCONFIGURED, detail, now)
            return None

    async def _send_all(
        self, name: str, task: _ChannelTask, channel: Channel, lease: Lease
    ) -> None:
        def stopping() -> bool:  # asked before each notification: the channel moves
            task.progress.mark()
            return self._done(task)

        sender = ChannelSender(
            name,
            channel,
            self._outbox,
            self._silences,
            lease,
            self._runtime.clock,
            lambda: self._runtime.config,
            stopping,
            self._fill_in,
        )
        await sender.start()
        while not self._done(task):
            task.wake.clear()
            pause = await sender.step()
            await self._wait(task, pause, task.wake if pause >= 1.0 else None)

    async def _fill_in(self, notification: Notification) -> Notification:
        return await self._recaps.fill_in(await self._headlines.fill_in(notification))

    async def _wait(
        self, task: _ChannelTask, seconds: float, wake: asyncio.Event | None = None
    ) -> None:
        """Wait `seconds`, at most `LONGEST_WAIT`, or until woken or there is no more to do.

        A channel that rests for an hour moves all the while, and sees it if the clock is set back.
        """
        task.progress.mark()
        if seconds > 0:
            ends = [self._runtime.stopping, task.closing, *([wake] if wake else [])]
            await first_of(ends, min(seconds, LONGEST_WAIT))

    def _done(self, task: _ChannelTask) -> bool:
        return self._runtime.stopping.is_set() or task.closing.is_set()

    # --- what is said of the whole

    async def _status(self) -> list[str]:
        """Return how the service stands, for Slack."""
        runtime = self._runtime
        now = runtime.clock.now()
        return lines(await overview(runtime.store, runtime.keys, runtime.config, now))

    async def say_nothing_new(self, now: float) -> None:
        """Where a digest asks for it, say that there was nothing new."""
        for channel, plans in plans_by_channel(self._runtime.config).items():
            for plan in plans:
                fired = next_digest(plan, now - 60.0)
                if not plan.say_nothing_new or fired > now - 2 * SELDOM:
                    continue
                if await self._outbox.last_digest(channel) < fired:
                    await self._outbox.put([_nothing_new(channel, fired, now)])

    async def forget_ended(self, now: float) -> None:
        """Forget the subscriptions that were ended, once nothing waits for their people.

        What waits for somebody who cannot be reached is kept as for a channel that was removed.
        """
        config = self._runtime.config
        still = {one.recipient for one in config.subscribers().values() if not one.is_over}
        for name, one in config.subscribed.items():
            if not 0 < one.ended < now - ENDING:
                continue
            waiting = await self._outbox.waiting(one.recipient)
            state = (await self._outbox.state(one.recipient)).get("state", "")
            if waiting and not state.startswith("broken"):
                continue
            await self._subscribers.store.forget([name])
            if one.recipient not in still:
                await self._outbox.forget_state(one.recipient)
            log.info("subscription_forgotten", number=name, waiting=waiting)

    async def _warn_of_unknown(self) -> None:
        """Say once which channels have something waiting and are no longer configured."""
        for name in await self._outbox.channels() - set(self._channels) - self._unknown:
            if waiting := await self._outbox.waiting(name):
                log.warning("channel_not_configured", channel=name, waiting=waiting)
                self._unknown.add(name)

    # --- the end

    async def _stop(self) -> None:
        """Let sends in progress finish for a few seconds; what is cut short is looked up later."""
        for channel in self._channels.values():
            channel.closing.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_WITHIN)
        await end(list(self._tasks))
        await self._headlines.aclose()
        await self._recaps.aclose()
        self._channels.clear()
        self._sockets.clear()


def _nothing_new(channel: str, fired: float, now: float) -> Notification:
    return Notification(
        id=f"nothing-new-{int(fired)}@{channel}",
        channel=channel,
        kind="notice",
        notice="Nothing new since the last digest.",
        created_at=now,
        due=now,
    )
