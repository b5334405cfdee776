"""WebSub subscriptions in the store, one hash for each feed."""

from __future__ import annotations

from monitor.polling.websub_protocol import LEASE, HubSubscription
from monitor.store.commands import Redis
from monitor.store.keys import Keys


class WebSubStore:
    """Reads and writes subscriptions; one that nobody renews goes by itself."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def load(self, feed_id: str) -> HubSubscription:
        """Return what is known of a feed's subscription."""
        row = await self._client.hgetall(self._keys("websub", feed_id))
        text = {key.decode(): value.decode() for key, value in row.items()}
        return HubSubscription(
            feed_id=feed_id,
            hub=text.get("hub", ""),
            topic=text.get("topic", ""),
            token=text.get("token", ""),
            secret=text.get("secret", ""),
            lease_until=float(text.get("lease_until", 0)),
            asked_at=float(text.get("asked_at", 0)),
            verified_at=float(text.get("verified_at", 0)),
        )

    async def save(self, subscription: HubSubscription) -> None:
        """Write a subscription down, for as long as it can matter."""
        key = self._keys("websub", subscription.feed_id)
        fields = {
            "hub": subscription.hub,
            "topic": subscription.topic,
            "token": subscription.token,
            "secret": subscription.secret,
            "lease_until": str(subscription.lease_until),
            "asked_at": str(subscription.asked_at),
            "verified_at": str(subscription.verified_at),
        }
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(key, mapping=fields)
            pipe.expire(key, 3 * LEASE)
            await pipe.execute()
