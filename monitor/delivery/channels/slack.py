"""A Slack channel as a bot: posts, threads, edits, and a look into its own history.

The channel may be a person (U…): their conversation with the bot is opened, and its own ID (D…)
stands for them in every call (docs.slack.dev/reference/methods/conversations.open).

slack_sdk makes the calls; its own retries are off, because only we know that a post may have
arrived. Slack has no idempotency key: after an unknown outcome the message's metadata is looked
for in the channel's history (docs.slack.dev/messaging/message-metadata).
"""

# ruff: noqa: SIM905 -- word lists read better as words

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from monitor.config.schema import SlackChannel
from monitor.delivery.channel import Lookup, SendContext, SendResult, Traits, sent
from monitor.delivery.channels import slack_blocks
from monitor.delivery.channels.http import retry_after
from monitor.delivery.thread import escalates
from monitor.model import Notification, Thread
from monitor.observability.logs import get_logger
from monitor.reasons import DeliveryReason
from monitor.text import one_line

log = get_logger(__name__)

# Errors of Slack's Web API by what they mean for us (docs.slack.dev/reference/methods).
_REVOKED = frozenset(
    "invalid_auth not_authed account_inactive token_revoked token_expired no_permission "
    "missing_scope not_allowed_token_type ekm_access_denied access_denied org_login_required "
    "team_access_not_granted".split()
)
_GONE = frozenset(
    "channel_not_found is_archived not_in_channel restricted_action "
    "restricted_action_read_only_channel restricted_action_thread_only_channel "
    "messages_tab_disabled channel_is_limited_access user_not_found user_disabled "
    "user_not_visible cannot_dm_bot".split()
)
_LATER = frozenset(
    "ratelimited rate_limited message_limit_exceeded team_added_to_org service_unavailable "
    "request_timeout".split()
)
_UNSURE = frozenset(["internal_error", "fatal_error"])
# The message that an update belongs under is no more.
_NO_THREAD = frozenset(["thread_not_found", "message_not_found", "cannot_reply_to_message"])
_BACK_TO_BACK = 30  # pages of history to read before giving up
_SLACK_LOOKBACK = 900.0  # clocks differ, and an earlier try may have been late


_DELETED = "deleted"


class SlackBot:
    """Posts to one Slack channel, or to one person.

    Args:
        settings: the channel. Scopes needed: `chat:write`; `channels:history` (or
            `groups:history` in a private channel) for the look-up before a resend. To a person:
            `im:write`, and `im:history` for the look-up.
    """

    traits = Traits(spacing=1.0, overflow=10, timeout=8.0)

    def __init__(self, settings: SlackChannel) -> None:
        self._channel = settings.channel
        self._person = settings.channel[:1] in ("U", "W")
        self._room = "" if self._person else settings.channel  # a person's, once it is opened
        self._buttons = settings.app_token is not None or settings.signing_secret is not None
        self._session: aiohttp.ClientSession | None = None
        self._settings = settings

    def render(self, notification: Notification, context: SendContext) -> dict[str, Any]:
        """Return the arguments of chat.postMessage; an update goes into the thread."""
        thread = self._thread_ts(notification, context)
        told = context.thread.alert if thread and context.thread else None
        called = told is not None and told.urgency == "critical"  # once is enough
        call = slack_blocks.message(
            notification,
            buttons=self._buttons,
            threaded=bool(thread),
            mention=() if called else notification.mention or self._settings.mention,
        )
        call |= {"channel": self._channel, "unfurl_links": False, "unfurl_media": False}
        if thread:
            call["thread_ts"] = thread
            if notification.alert and escalates(context.thread, notification.alert):
                call["reply_broadcast"] = True
        return call

    async def send(
        self, message: dict[str, Any], notification: Notification, context: SendContext
    ) -> SendResult:
        """Post; for an update, the first message of its thread is brought up to date before.

        Where that message was deleted, the update becomes a message of its own, with its topic.
        """
        threaded = "thread_ts" in message
        try:
            message = {**message, "channel": await self._open()}
        except SlackApiError as error:  # nothing was posted: what is unsure can be tried again
            result = self._refusal(error, context.now)
            kind = "retry" if result.kind == "unknown" else result.kind
            return replace(result, kind=kind, whole_channel=True)
        except (aiohttp.ClientError, TimeoutError, SlackClientError, OSError) as error:
            return SendResult(
                "retry", DeliveryReason.UNREACHABLE, _words(error), whole_channel=True
            )
        note = await self.edit(context.thread, notification) if threaded else ""
        if note == _DELETED:
            return await self._begin_anew(notification, context)
        try:
            reply = await self._client().chat_postMessage(**message)
        except SlackApiError as error:
            if threaded and _facts(error)[1] in _NO_THREAD:
                return await self._begin_anew(notification, context)
            return self._refusal(error, context.now)
        except aiohttp.ClientConnectorError as error:  # no connection: surely not sent
            return SendResult(
                "retry", DeliveryReason.UNREACHABLE, _words(error), whole_channel=True
            )
        except (aiohttp.ClientError, TimeoutError, SlackClientError, OSError) as error:
            return SendResult("unknown", DeliveryReason.TIMEOUT, _words(error))
        return sent(f"{reply.get('channel') or message['channel']}:{reply['ts']}", note=note)

    async def _open(self) -> str:
        """Return the channel's ID; of a person, that of the conversation with them.

        An app from before subscriptions may not open one, but may post to the person's own ID.
        """
        if not self._room:
            try:
                reply = await self._client().conversations_open(users=self._channel)
            except SlackApiError as error:
                if _facts(error)[1] != "missing_scope":
                    raise
                return self._channel
            self._room = str(reply["channel"]["id"])
        return self._room

    async def _begin_anew(self, notification: Notification, context: SendContext) -> SendResult:
        alone = replace(context, thread=None)
        result = await self.send(self.render(notification, alone), notification, alone)
        return replace(result, new_thread=True, note="the first message was deleted")

    async def find(self, notification: Notification, context: SendContext) -> Lookup:
        """Look for our metadata in the channel's history, or in the thread for an update."""
        thread = self._thread_ts(notification, context)
        oldest = f"{max(0.0, context.began - _SLACK_LOOKBACK):.6f}"
        ask: dict[str, Any] = {"oldest": oldest, "limit": 200, "include_all_metadata": True}
        client = self._client()
        try:
            ask["channel"] = await self._open()
            for _ in range(_BACK_TO_BACK):
                if thread:
                    reply = await client.conversations_replies(**ask, ts=thread)
                else:
                    reply = await client.conversations_history(**ask)
                for row in reply.get("messages") or []:
                    if _carries(row, notification.id):
                        ref = f"{ask['channel']}:{row['ts']}"
                        if thread:
                            await self.edit(context.thread, notification)
                        return Lookup("found", ref=ref)
                cursor = (reply.get("response_metadata") or {}).get("next_cursor")
                if not cursor:
                    return Lookup("absent")
                ask["cursor"] = cursor
        except SlackApiError as error:
            status, code, _ = _facts(error)
            if thread and code in _NO_THREAD:  # deleted: the update stands by itself, if at all
                return await self.find(notification, replace(context, thread=None))
            if status == 429 or status >= 500 or code in _LATER or code in _UNSURE:
                return Lookup("later", detail=code, after=_retry_after(error, context.now))
            return Lookup("cannot_tell", detail=f"Slack will not show the history: {code}")
        except (aiohttp.ClientError, TimeoutError, SlackClientError, OSError) as error:
            return Lookup("later", detail=_words(error))
        return Lookup("cannot_tell", detail="the history is too long to look through")

    async def aclose(self) -> None:
        """Close the connection pool."""
        if self._session is not None:
            await self._session.close()

    def _thread_ts(self, notification: Notification, context: SendContext) -> str:
        """Return the timestamp of the message that an update goes under, or ""."""
        threaded = notification.kind in ("update", "digest") or bool(notification.follows)
        return self._ts(context.thread.ref) if context.thread and threaded else ""

    def _ts(self, ref: str) -> str:
        """Return the timestamp of a message of this channel; "" for one of another channel."""
        where, _, ts = ref.rpartition(":")
        ours = where in ("", self._channel) or (self._person and where.startswith("D"))
        return ts if ours else ""

    async def edit(self, thread: Thread | None, notification: Notification) -> str:
        """Bring the first message up to date. Its failure never costs the update: note it."""
        if thread is None or notification.alert is None:
            return ""
        news = slack_blocks.edited(thread, notification.alert, buttons=self._buttons)
        if news is None:
            return ""
        try:
            await self._client().chat_update(
                channel=await self._open(), ts=self._ts(thread.ref), **news
            )
        except SlackApiError as error:
            code = _facts(error)[1]
            if code in _NO_THREAD:
                return _DELETED
            log.info("slack_edit_refused", notification=notification.id, detail=code)
            return f"first message not edited: {code}"
        except (aiohttp.ClientError, TimeoutError, SlackClientError, OSError) as error:
            return f"first message not edited: {_words(error)}"
        return ""

    def _refusal(self, error: SlackApiError, now: float) -> SendResult:
        status, code, need = _facts(error)
        if status == 429 or code in _LATER:
            after = _retry_after(error, now)
            return SendResult(
                "retry", DeliveryReason.RATE_LIMITED, code, after=after, whole_channel=True
            )
        if status >= 500 or code in _UNSURE:
            return SendResult("unknown", DeliveryReason.SERVER_ERROR, code)
        if code in _REVOKED:
            told = f"{code}, needs {need}" if need else code
            return SendResult("refused", DeliveryReason.AUTH_REVOKED, told, whole_channel=True)
        if code in _GONE:
            return SendResult("refused", DeliveryReason.CHANNEL_GONE, code, whole_channel=True)
        if code.startswith("HTTP"):  # some gateway between us and Slack
            return SendResult("refused", DeliveryReason.MISCONFIGURED, code, whole_channel=True)
        return SendResult("refused", DeliveryReason.REJECTED, code)

    def _client(self) -> AsyncWebClient:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession()
        return AsyncWebClient(
            token=self._settings.token.get_secret_value(),
            base_url=_with_slash(self._settings.api_url),
            timeout=int(self.traits.timeout),
            session=self._session,
            retry_handlers=[],
        )


def _carries(row: dict[str, Any], notification_id: str) -> bool:
    metadata = row.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return (
        metadata.get("event_type") == slack_blocks.METADATA_TYPE
        and payload.get("id") == notification_id
    )


def _facts(error: SlackApiError) -> tuple[int, str, str]:
    """Return status, error code and missing scope; what is not Slack's JSON has its status."""
    status = int(getattr(error.response, "status_code", 0) or 0)
    data = getattr(error.response, "data", None)
    if not isinstance(data, dict):
        return status, f"HTTP {status}", ""
    return status, str(data.get("error") or f"HTTP {status}"), str(data.get("needed") or "")


def _retry_after(error: SlackApiError, now: float) -> float:
    headers = getattr(error.response, "headers", None) or {}
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    return retry_after(lower.get("retry-after", ""), now)


def _with_slash(url: str) -> str:
    return url if url.endswith("/") else url + "/"


def _words(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {error}", 200)
