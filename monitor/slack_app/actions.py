"""Slack's buttons, slash command and mentions: what they do, and what they answer.

They come over a signed HTTP call (`SlackInbound.handle_slack`, mounted at `/slack`) or by Socket
Mode (`monitor.slack_app.socket_mode`), which needs no public address. Either way Slack has its
acknowledgement before anything slow is done.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

from redis.exceptions import RedisError

from monitor.alerting.feedback_store import FeedbackStore, Verdict
from monitor.alerting.silence_store import SilenceStore
from monitor.alerting.silences import Matcher, Silence, nothing_fits
from monitor.alerting.subscriptions import recipients
from monitor.clock import Clock
from monitor.config.schema import Config, SlackChannel
from monitor.config.value_types import parse_duration
from monitor.delivery import formatting, silence_notice
from monitor.delivery.channels.slack_blocks import escape
from monitor.delivery.outbox import OutboxStore
from monitor.net.routes import Request, Response
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from monitor.slack_app.payloads import Asked, Challenge, Inbound, Pressed, is_signed, read_http
from monitor.slack_app.subscription_actions import VERBS, SubscriptionActions
from monitor.store.commands import Redis
from monitor.store.keys import Keys

log = get_logger(__name__)

PATH = "/slack"
SNOOZE = 3600.0
_HELP = (
    "I know `status` (feeds, channels, what waits, what is silenced), `topics`, "
    "`silence` (lists what is silenced), `silence topic=energy-* 2h too noisy`, "
    "`silence end ID`; and for alerts to yourself `subscribe`, `subscriptions` and `unsubscribe`."
)
_USAGE = "Say what to silence, for how long and why: `silence topic=energy-* 2h too noisy`"


class SlackInbound:
    """Does what people in Slack ask for.

    Args:
        config: returns the configuration in force.
        client: the store.
        keys: key names.
        clock: time.
        status: returns how the service stands, as lines of plain text.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        client: Redis,
        keys: Keys,
        clock: Clock,
        status: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._config = config
        self._clock = clock
        self._status = status
        self._silences = SilenceStore(client, keys)
        self._feedback = FeedbackStore(client, keys)
        self._outbox = OutboxStore(client, keys)
        self._subscriptions = SubscriptionActions(config, client, keys, clock)
        self._later: set[asyncio.Task[None]] = set()

    async def handle_slack(self, request: Request) -> Response:
        """Answer one signed call: buttons, slash commands, events.

        401 without a valid signature of the last five minutes, 400 for what cannot be read.
        """
        now = self._clock.now()
        signed = [
            name
            for name, channel in self._config().channels.items()
            if isinstance(channel, SlackChannel)
            and channel.signing_secret
            and is_signed(
                channel.signing_secret.get_secret_value(), request.headers, request.body, now
            )
        ]
        if not signed:
            return Response(401, "not signed by Slack")
        try:
            inbound = read_http(request.headers.get("content-type", ""), request.body)
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            return Response(400, "malformed")  # signed, and yet not in the form of Slack's
        if inbound is None:
            return Response(200)
        if isinstance(inbound, Challenge):
            return Response(200, inbound.challenge)
        if isinstance(inbound, Asked):
            inbound = replace(inbound, via=signed[0])
        answer = await self.act(inbound)
        if isinstance(inbound, Asked) and not inbound.mention:
            body = json.dumps({"response_type": "ephemeral", "text": answer})
            return Response(200, body, "application/json")
        self.answer_later(inbound, answer)
        return Response(200)

    def asked_by_socket(self, asked: Asked, settings: SlackChannel) -> Asked:
        """Return a command that came over the socket of a channel's app, with that channel."""
        same = (
            name
            for name, channel in self._config().channels.items()
            if isinstance(channel, SlackChannel) and channel.app_token == settings.app_token
        )
        return replace(asked, via=next(same, ""))

    async def act(self, inbound: Inbound) -> str:
        """Do what is asked; return the answer as mrkdwn."""
        try:
            if isinstance(inbound, Pressed):
                return await self._press(inbound)
            if isinstance(inbound, Asked):
                return await self._ask(inbound)
        except (RedisError, OSError) as error:
            log.warning("store_unreachable", worker="slack", error=redact(str(error)))
            return "The store does not answer just now; please try again."
        return ""

    def answer_later(self, inbound: Inbound, answer: str) -> None:
        """Send the answer on its way without waiting for it."""
        task = asyncio.create_task(self._answer(inbound, answer))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def aclose(self) -> None:
        """Wait for answers that are on their way."""
        if self._later:
            await asyncio.wait(self._later, timeout=2.0)

    async def _press(self, pressed: Pressed) -> str:
        now = self._clock.now()
        log.info("slack_button", action=pressed.action, topic=pressed.topic, by=pressed.by)
        if pressed.action in ("relevant", "not_relevant"):
            good = pressed.action == "relevant"
            verdict = Verdict(pressed.story, good, pressed.by, now, pressed.about)
            await self._feedback.add(pressed.topic, verdict)
            days = f"{self._config().store.keep_stories / 86400:.0f} days"
            effect = "more easily" if good else "only where they are surer"
            return (
                f"Noted: this story {'belongs' if good else 'does not belong'} to the topic. For "
                f"{days} stories like it match {effect}. To make it last: "
                f"`wirewatch topics tune {pressed.topic}`."
            )
        if pressed.action == "end_silence":
            return await self._end(pressed.silence, pressed.by)
        mute = pressed.action == "mute_event"
        what = Matcher("event", pressed.event) if mute else Matcher("topic", pressed.topic)
        silence = Silence(
            uuid.uuid4().hex[:8],
            (what, *self._only_here(pressed)),
            now,
            now + (self._config().events.window if mute else SNOOZE),
            pressed.by,
            f"“{pressed.about}”" if pressed.about else "",
            "mute" if mute else "snooze",
        )
        return await self._begin(silence)

    async def _begin(self, silence: Silence) -> str:
        """Store a silence and tell every channel it concerns."""
        now, config = self._clock.now(), self._config()
        await self._silences.add(silence, now)
        await self._outbox.put(silence_notice.begun(config, silence, now))
        verb = {"mute": "This event is muted", "snooze": "This topic is snoozed"}
        said = verb.get(silence.kind, "Silenced")
        here = " in this channel" if silence.kind != "silence" else ""
        lines = [f"{said}{here} until {_when(silence.ends)}; undo: silence end {silence.id}"]
        lines += [
            f"Note that nothing in the configuration fits `{escape(str(matcher))}`, so this holds "
            "nothing back."
            for matcher in nothing_fits(silence, config)
        ]
        return "\n".join(lines)

    async def _end(self, silence_id: str, by: str) -> str:
        now = self._clock.now()
        before = {item.id for item in await self._silences.active(now)}
        silence = await self._silences.end(silence_id, now)
        if silence is None:
            return f"There is no `{escape(silence_id)}`."
        if silence_id in before:
            await self._outbox.put(silence_notice.ended(self._config(), silence, by, now))
        return f"`{silence.id}` is over."

    def _only_here(self, pressed: Pressed) -> tuple[Matcher, ...]:
        """Return the matcher of the channel, or of the person, under whose message it was."""
        direct = pressed.channel.startswith("D")
        wanted = pressed.user if direct else pressed.channel
        for name, settings in recipients(self._config()).items():
            if isinstance(settings, SlackChannel) and settings.channel == wanted:
                return (Matcher("channel", name),)
        return ()

    async def _ask(self, asked: Asked) -> str:
        verb, _, rest = asked.text.strip().partition(" ")
        if verb == "status":
            return "\n".join(escape(line) for line in await self._status())
        if verb == "topics":
            return self._topics()
        if verb == "silence":
            return await self._silence(rest.split(), asked.by)
        if verb in VERBS:
            return await self._subscriptions.answer(verb, rest, asked)
        return _HELP

    def _topics(self) -> str:
        topics = [topic for topic in self._config().topics if topic.enabled]
        lines = [f"• {escape(topic.name)} (`{topic.id}`)" for topic in topics[:50]]
        more = len(topics) - len(lines)
        return "\n".join(lines + ([f"… and {more} more"] if more > 0 else [])) or "No topics."

    async def _silence(self, parts: list[str], by: str) -> str:
        now = self._clock.now()
        if not parts:
            active = await self._silences.active(now)
            lines = [
                f"`{item.id}` {escape(item.what)} until {_when(item.ends)}, by "
                f"{escape(item.author)}" + (f": {escape(item.reason)}" if item.reason else "")
                for item in active
            ]
            return "\n".join(lines) or "Nothing is silenced."
        if parts[0] == "end" and len(parts) == 2:
            return await self._end(parts[1], by)
        matchers = [part for part in parts if "=" in part]
        rest = [part for part in parts if "=" not in part]
        if not matchers:
            return _USAGE
        try:
            parsed = tuple(Matcher.parse(part) for part in matchers)
            duration = parse_duration(rest[0]) if rest else 7200.0
            silence = Silence(
                uuid.uuid4().hex[:8], parsed, now, now + duration, by, " ".join(rest[1:])[:200]
            )
        except ValueError as error:
            return escape(str(error))
        return await self._begin(silence)

    async def _answer(self, inbound: Inbound, answer: str) -> None:
        import aiohttp  # with slack_sdk's clients, slow to import and rarely needed
        from slack_sdk.errors import SlackClientError
        from slack_sdk.webhook.async_client import AsyncWebhookClient

        try:
            async with asyncio.timeout(10):
                if isinstance(inbound, Pressed) and inbound.response_url:
                    await AsyncWebhookClient(inbound.response_url).send(
                        text=answer, response_type="ephemeral", replace_original=False
                    )
                elif isinstance(inbound, Asked) and inbound.mention:
                    await self._reply(inbound, answer)
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
            log.info("slack_answer_failed", detail=redact(type(error).__name__))

    async def _reply(self, asked: Asked, answer: str) -> None:
        from slack_sdk.web.async_client import AsyncWebClient

        for settings in self._config().channels.values():
            if isinstance(settings, SlackChannel):
                client = AsyncWebClient(
                    settings.token.get_secret_value(), base_url=settings.api_url
                )
                await client.chat_postMessage(
                    channel=asked.channel, thread_ts=asked.thread, text=answer
                )
                return


def _when(at: float) -> str:
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{formatting.day_clock(at)}>"
