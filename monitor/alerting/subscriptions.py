"""Subscriptions: people as channels. A person has one, whatever the number of subscriptions.

So an alert that two subscriptions of a person take is one message, and sender, outbox, ceilings,
silences and receipts are those of every channel. Pure.
"""

from __future__ import annotations

from monitor.config.names import fits
from monitor.config.schema import Channel, Config, EmailChannel, SlackChannel, Subscription
from monitor.model import Alert
from monitor.reasons import Severity


def wants(one: Subscription, alert: Alert) -> bool:
    """Whether a subscription takes an alert.

    What follows an alert has the gravest level told of its event, so that whoever was told hears
    of a correction too. A level that is not known keeps nobody from being told, as with topics.
    """
    if one.is_over:
        return False
    level = alert.gravest or alert.severity
    grave = not level or Severity.rank(level) >= Severity.rank(one.min_severity)
    return grave and (not one.topics or any(fits(name, alert.topic) for name in one.topics))


def people(config: Config) -> dict[str, Channel]:
    """Return the channels of people who subscribe, by name, made from the channels they go by.

    Somebody with no channel to go by has none: what is for them waits until there is one again.
    """
    found: dict[str, Channel] = {}
    for one in config.subscribers().values():
        channel = _channel(config, one)
        if channel is not None:
            found.setdefault(one.recipient, channel)
    return found


def recipients(config: Config) -> dict[str, Channel]:
    """Return every channel there is: those configured, and those of people."""
    return {**people(config), **config.channels}


def _channel(config: Config, one: Subscription) -> Channel | None:
    named = config.channels.get(one.via)
    for channel in (named, *config.channels.values()):
        if one.slack and isinstance(channel, SlackChannel):
            return channel.model_copy(update={"channel": one.slack, "mention": ()})
        if one.mail and isinstance(channel, EmailChannel):
            return channel.model_copy(update={"to": (one.mail,)})
    return None
