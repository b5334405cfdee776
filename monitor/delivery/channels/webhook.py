"""A JSON webhook, signed the way of the Standard Webhooks specification.

Headers `webhook-id` (the notification's id: the same for every try), `webhook-timestamp` and
`webhook-signature` (`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`); see
docs/reference/webhook.md for the body and github.com/standard-webhooks/standard-webhooks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from monitor.config.schema import WebhookChannel
from monitor.delivery import formatting
from monitor.delivery.channel import Lookup, SendContext, SendResult, Traits
from monitor.delivery.channels import ninjs
from monitor.delivery.channels.http import client, post
from monitor.model import Alert, Notification

VERSION = 1


class Webhook:
    """Posts signed JSON to one address."""

    traits = Traits(timeout=8.0)

    def __init__(self, settings: WebhookChannel) -> None:
        self._url = settings.url.get_secret_value()
        self._ninjs = settings.format == "ninjs"
        self._secret = settings.secret.get_secret_value() if settings.secret else ""
        self._client = client(self.traits.timeout)

    def render(self, notification: Notification, context: SendContext) -> bytes:
        """Return the JSON body."""
        whole = (
            ninjs.body(notification, context.now) if self._ninjs else body(notification, context)
        )
        data = json.dumps(whole, ensure_ascii=False, allow_nan=False)
        return data.encode("utf-8", "replace")

    async def send(
        self, message: bytes, notification: Notification, context: SendContext
    ) -> SendResult:
        """Post one notification; the receiver knows a repeated one by `webhook-id`."""
        name = notification.id.encode("ascii", "backslashreplace").decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(context.now)),
        }
        if self._secret:
            headers["webhook-signature"] = signature(self._secret, name, int(context.now), message)
        return await post(self._client, self._url, message, headers, context.now)

    async def find(self, notification: Notification, context: SendContext) -> Lookup:
        """There is no history to ask; receivers drop a `webhook-id` they have seen."""
        return Lookup("cannot_tell", detail="a webhook has no history")

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._client.aclose()


def signature(secret: str, name: str, timestamp: int, raw: bytes) -> str:
    """Return the `webhook-signature` header. A secret `whsec_…` is base64, any other is text."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = secret.encode()
    signed = f"{name}.{timestamp}.".encode() + raw
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def body(notification: Notification, context: SendContext) -> dict[str, Any]:
    """Return the JSON body, as docs/reference/webhook.md describes it."""
    return {
        "version": VERSION,
        "id": notification.id,
        "kind": notification.kind,
        "sent_at": context.now,
        "attempt": context.attempt,
        "resend": context.resend,
        "text": formatting.subject(notification),
        "notice": notification.notice,
        "more": notification.more,
        "alert": _alert(notification.alert) if notification.alert else None,
        "alerts": [_alert(alert) for alert in notification.alerts],
    }


def _alert(alert: Alert) -> dict[str, Any]:
    story = alert.story
    return {
        "id": alert.id,
        "parent": alert.parent or alert.id,
        "topic": {"id": alert.topic, "name": alert.topic_name, "labels": list(alert.topic_tags)},
        "event": alert.event,
        "reason": str(alert.reason),
        "urgency": alert.urgency,
        "severity": alert.severity,
        "score": alert.score,
        "line": alert.line,
        "evidence": alert.evidence,
        "nearest": alert.nearest,
        "terms": list(alert.terms),
        "novelty": alert.novelty,
        "note": alert.note,
        "sources": list(alert.sources),
        "outlets": list(alert.outlets),
        "trusts": list(alert.trusts),
        "story_count": alert.story_count,
        "decided_at": alert.decided_at,
        "gist": alert.gist,
        "gist_from": alert.gist_from,
        "recap": alert.recap,
        "recap_of": list(alert.recap_of),
        "story": {
            "id": story.id,
            "title": story.title,
            "url": formatting.link(story.url),
            "summary": story.summary,
            "source": story.source,
            "trust": story.trust,
            "feed": story.feed_id,
            "language": story.language,
            "published": story.published,
            "seen_at": story.seen_at,
        },
    }
