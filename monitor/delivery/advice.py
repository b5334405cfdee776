"""What to do about a channel that did not take a message, in a sentence. Pure."""

from __future__ import annotations

import re

from monitor.delivery.channel import SendResult
from monitor.reasons import DeliveryReason

# The first that fits the detail of a result says what to do.
_BY_DETAIL = (
    (r"channel_not_found|not_in_channel",
     "Slack does not show the bot this channel: copy the channel's ID from its details, and write "
     "/invite @your-bot in it."),
    (r"is_archived|channel_is_archived", "The channel is archived: unarchive it or name another."),
    (r"missing_scope.*needs (\S+)",
     "The bot lacks the scope {0}: add it under OAuth & Permissions, and install the app again."),
    (r"missing_scope", "The bot lacks a scope: see docs/how-to/newsrooms.md for the list."),
    (r"not_allowed_token_type", "This is another kind of token: `token` is the bot's, xoxb-…"),
    (r"invalid_auth|not_authed|token_revoked|token_expired|account_inactive",
     "Slack does not accept the token: copy the bot's (xoxb-…) again from OAuth & Permissions."),
    (r"no_service|no_active_hooks|no_team",
     "This incoming webhook is no more: make a new one in Slack and put its address into url."),
    (r"resolv|Name or service|getaddrinfo|nodename|Temporary failure in name",
     "The name of the server cannot be resolved: check its spelling, and the network."),
    (r"Connection refused|Connect call failed|All connection attempts failed",
     "Nothing listens there: check host and port, and whether a firewall is between."),
    (r"CERTIFICATE|certificate|TLS|SSL",
     "The connection cannot be secured: check `security` and `port`, or name the server's own "
     "certificates in `ca_file`."),
    (r"redirects are not followed", "Put the address that it leads to into url."),
    (r"HTTP 40[13]", "The service does not accept our key: check the address and its secret."),
    (r"HTTP (404|410)", "There is nothing at this address: copy it again from the service."),
    (r"HTTP 5\d\d", "The service has trouble of its own: try again later."),
    (r"Apprise does not know", "See github.com/caronc/apprise/wiki for how to write the address."),
)  # fmt: skip
_BY_REASON = {
    DeliveryReason.AUTH_REVOKED: "Check user name, password or token.",
    DeliveryReason.CHANNEL_GONE: "Check the address; the channel may have been removed.",
    DeliveryReason.RECIPIENT_REFUSED: "The mail server refuses a recipient: check `to`.",
    DeliveryReason.RATE_LIMITED: "The service asks for patience: try again in a minute.",
    DeliveryReason.UNREACHABLE: "The service cannot be reached: check host, port and network.",
    DeliveryReason.TIMEOUT: "No answer in time, it may have arrived: look there, then try again.",
    DeliveryReason.MISCONFIGURED: "Check the channel's settings; `wirewatch check` finds mistakes.",
    DeliveryReason.REJECTED: "The service refuses this message: see what it says.",
    DeliveryReason.SERVER_ERROR: "The service has trouble of its own: try again later.",
}


def advice(result: SendResult) -> str:
    """Return what to do about `result`; "" where the message was taken."""
    if result.kind == "sent":
        return "" if result.partial is None else _BY_REASON.get(result.partial, "")
    for pattern, text in _BY_DETAIL:
        if found := re.search(pattern, result.detail):
            return text.format(*found.groups())
    return _BY_REASON.get(result.reason, "See the log of the service.")
