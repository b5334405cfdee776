"""A Slack incoming webhook: it can post, and nothing else. Updates stand on their own."""

from __future__ import annotations

import json

from monitor.config.schema import SlackWebhookChannel
from monitor.delivery.channel import RESEND_AFTER, Lookup, SendContext, SendResult, Traits
from monitor.delivery.channels import slack_blocks
from monitor.delivery.channels.http import client, post
from monitor.model import Notification
from monitor.reasons import DeliveryReason

# What Slack answers in plain text; see
# docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
_GONE = ("channel_not_found", "channel_is_archived", "no_service", "no_active_hooks", "no_team")
_NOT_ALLOWED = ("action_prohibited", "invalid_token", "posting_to_general_channel_denied")


class SlackWebhook:
    """Posts through one incoming webhook. Without history, an unknown outcome stays unknown."""

    traits = Traits(resend_after=RESEND_AFTER, spacing=1.0, overflow=10, timeout=8.0)

    def __init__(self, settings: SlackWebhookChannel) -> None:
        self._url = settings.url.get_secret_value()
        self._mention = settings.mention
        self._client = client(self.traits.timeout)

    def render(self, notification: Notification, context: SendContext) -> bytes:
        """Return the JSON body."""
        body = slack_blocks.message(
            notification, threaded=False, mention=notification.mention or self._mention
        )
        del body["metadata"]  # only the Web API takes it
        payload = {**body, "unfurl_links": False, "unfurl_media": False}
        return json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")

    async def send(
        self, message: bytes, notification: Notification, context: SendContext
    ) -> SendResult:
        """Post the message."""
        headers = {"content-type": "application/json"}
        outcome = await post(self._client, self._url, message, headers, context.now)
        if outcome.kind == "refused" and any(code in outcome.detail for code in _GONE):
            return SendResult(
                "refused", DeliveryReason.CHANNEL_GONE, outcome.detail, whole_channel=True
            )
        if outcome.kind == "refused" and any(code in outcome.detail for code in _NOT_ALLOWED):
            return SendResult(
                "refused", DeliveryReason.AUTH_REVOKED, outcome.detail, whole_channel=True
            )
        return outcome

    async def find(self, notification: Notification, context: SendContext) -> Lookup:
        """A webhook has no history to look at."""
        return Lookup("cannot_tell", detail="an incoming webhook has no history")

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._client.aclose()
