"""Subscriptions made in Slack take effect without a restart: they follow the store."""

from __future__ import annotations

from monitor.alerting.subscription_store import SubscriptionStore
from workers.runtime import Runtime


class Subscribers:
    """Keeps `runtime.config.subscribed` as the store has it.

    Triage follows before each batch, so that no alert is routed by what is out of date; the
    notifier and the watchdog follow as often as they look round.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.store = SubscriptionStore(runtime.store, runtime.keys)

    async def follow(self) -> None:
        """Take over what changed.

        Raises:
            RedisError: the store cannot be reached.
        """
        runtime = self._runtime
        while (version := await self.store.version()) != runtime.subscribed_at:
            before = runtime.subscribed_at
            found = await self.store.all()
            if runtime.subscribed_at == before:  # else another worker has taken over a later state
                runtime.config = runtime.config.model_copy(update={"subscribed": found})
                runtime.subscribed_at = version
