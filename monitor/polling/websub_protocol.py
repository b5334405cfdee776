"""WebSub (W3C Recommendation, 2018), the subscriber's side: pure parts.

A push is taken as a hint: it makes the feed due at once, and the poll that follows decides. So a
forged push could at most cause a poll, and forged content can never enter.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

LEASE = 10 * 86400  # what we ask for, seconds
RENEW_BEFORE = 86400.0
RETRY_AFTER = 6 * 3600.0  # a hub that refused or never verified is asked again after this
CHANGED_AFTER = 3600.0  # a feed that names another hub at every poll has us ask once in this time
ASK_EVERY = 600.0  # however short a lease a hub grants
_ALGORITHMS = frozenset({"sha1", "sha256", "sha384", "sha512"})


@dataclass(frozen=True, slots=True)
class HubSubscription:
    """What is known of one feed's subscription. Empty `token`: none was ever made.

    `asked_at` is the last request to the hub, `verified_at` when it last granted one. `lease_until`
    is 0 until then.
    """

    feed_id: str
    hub: str = ""
    topic: str = ""
    token: str = ""
    secret: str = ""
    lease_until: float = 0.0
    asked_at: float = 0.0
    verified_at: float = 0.0

    def active(self, now: float) -> bool:
        """Whether the hub has verified us and the lease runs."""
        return self.lease_until > now


def wants_asking(known: HubSubscription, hub: str, topic: str, now: float) -> bool:
    """Whether the hub is to be asked (again): never asked, changed, lapsing, or lapsed."""
    if not hub or not topic:
        return False
    if (known.hub, known.topic) != (hub, topic):
        return not known.asked_at or now - known.asked_at > CHANGED_AFTER
    left, waited = known.lease_until - now, now - known.asked_at
    if left > RENEW_BEFORE:
        return False
    if known.verified_at < known.asked_at:
        return waited > RETRY_AFTER
    # Granted what we asked for last: a short lease is renewed halfway.
    return left <= (known.lease_until - known.verified_at) / 2 and waited > ASK_EVERY


def request_form(subscription: HubSubscription, callback: str) -> dict[str, str]:
    """Return the form fields of a subscription request (section 5.1)."""
    return {
        "hub.mode": "subscribe",
        "hub.topic": subscription.topic,
        "hub.callback": callback,
        "hub.secret": subscription.secret,
        "hub.lease_seconds": str(LEASE),
    }


def signature_holds(secret: str, body: bytes, header: str) -> bool:
    """Whether X-Hub-Signature ("method=hex") is the HMAC of `body` (section 7.1)."""
    method, _, claimed = header.strip().partition("=")
    if method.lower() not in _ALGORITHMS or not claimed.isascii():
        return False
    real = hmac.new(secret.encode(), body, getattr(hashlib, method.lower())).hexdigest()
    return hmac.compare_digest(real, claimed.strip().lower())
