"""From a channel's settings to the channel."""

from __future__ import annotations

from monitor.config import schema
from monitor.delivery.channel import Channel


def build(settings: schema.Channel) -> Channel:
    """Return the channel for `settings`; its client library is imported only now.

    Raises:
        ChannelUnusable: the settings cannot work.
        ValueError: likewise.
    """
    if isinstance(settings, schema.SlackChannel):
        from monitor.delivery.channels.slack import SlackBot

        return SlackBot(settings)
    if isinstance(settings, schema.SlackWebhookChannel):
        from monitor.delivery.channels.slack_webhook import SlackWebhook

        return SlackWebhook(settings)
    if isinstance(settings, schema.EmailChannel):
        from monitor.delivery.channels.email import Mail

        return Mail(settings)
    if isinstance(settings, schema.WebhookChannel):
        from monitor.delivery.channels.webhook import Webhook

        return Webhook(settings)
    if isinstance(settings, schema.AppriseChannel):
        from monitor.delivery.channels.apprise import Apprise

        return Apprise(settings)
    from monitor.delivery.channels.terminal import Terminal

    return Terminal(settings)
