"""Subscriptions made in Slack, where every process and the command line find them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from monitor.config.schema import Config
from monitor.config.subscription_schema import StoredSubscription
from monitor.observability.logs import get_logger
from monitor.store.commands import Redis
from monitor.store.keys import Keys

log = get_logger(__name__)

MOST = 200  # subscriptions in all: each person is a channel with a sender of its own
MOST_EACH = 20  # of one person
_NUMBER, _VERSION = "subscription_number", "subscriptions"  # among the service's counters


class SubscriptionStore:
    """One hash, `subscriptions`: "#7" → subscription. It does not go by itself."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys("subscriptions")
        self._counts = keys("count")

    async def version(self) -> int:
        """Return a number that grows with every change."""
        return int(await self._client.hget(self._counts, _VERSION) or 0)

    async def all(self) -> dict[str, StoredSubscription]:
        """Return every subscription by its number, ended ones too, in the order they were made."""
        found: dict[str, StoredSubscription] = {}
        for name, text in (await self._client.hgetall(self._key)).items():
            try:
                found[name.decode()] = StoredSubscription.model_validate_json(text)
            except ValidationError as error:  # it must not stop the others
                log.error("subscription_unreadable", number=name.decode(), error=str(error)[:200])
        return dict(sorted(found.items(), key=lambda row: (row[1].made, row[0])))

    async def in_force(self, config: Config) -> Config:
        """Return a configuration read from files with the subscriptions made in Slack."""
        return config.model_copy(update={"subscribed": await self.all()})

    async def add(self, new: StoredSubscription) -> str:
        """Store a new subscription; return its number.

        Raises:
            ValueError: there are too many, of the person or in all; the message says so.
        """
        known = [one for one in (await self.all()).values() if not one.is_over]
        if sum(one.recipient == new.recipient for one in known) >= MOST_EACH:
            raise ValueError(f"you have {MOST_EACH} subscriptions, the most there may be")
        if len(known) >= MOST:
            raise ValueError(f"there are {MOST} subscriptions, the most there may be")
        name = f"#{await self._client.hincrby(self._counts, _NUMBER)}"
        await self.put(name, new)
        return name

    async def put(self, name: str, one: StoredSubscription) -> None:
        """Store a subscription in place of what it was."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(self._key, name, one.model_dump_json(exclude_defaults=True))
        pipe.hincrby(self._counts, _VERSION)
        await pipe.execute()

    async def forget(self, names: Iterable[str]) -> None:
        """Take subscriptions out of the store, with their persons' channels."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hdel(self._key, *names)
        pipe.hincrby(self._counts, _VERSION)
        await pipe.execute()
