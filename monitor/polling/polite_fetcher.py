"""Requests that a poll makes besides the feed's own (pages, articles), under the same manners."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from monitor.clock import Clock
from monitor.config.schema import PollingSettings
from monitor.errors import FetchError
from monitor.identity import digest, site
from monitor.net.address_guard import AddressGuard
from monitor.net.fetcher import FEED_TYPES, Fetched, Fetcher
from monitor.net.response_headers import parse_hints
from monitor.polling.feed_store import FeedStore
from monitor.polling.fetch_result import classify_status
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.poll_decision import hold_for
from monitor.reasons import FetchReason

# After one of these a host is asked for nothing more in the same poll.
REFUSALS = frozenset({FetchReason.RATE_LIMITED, FetchReason.UNAVAILABLE, FetchReason.BOT_WALL})
_LEASE_MARGIN = 10.0  # seconds over one fetch
_site = lru_cache(maxsize=100_000)(site)


def host_slot_of(url: str, guard: AddressGuard) -> HostSlot:
    """Return the host to space requests to, and the site that a Retry-After holds."""
    try:
        _, host, _ = guard.check_url(url)
    except FetchError:
        return HostSlot(host=digest(url), site="")  # never asked: every fetch of it is refused
    return HostSlot(host=host, site="" if guard.is_internal(host) else _site(host))


class PoliteFetcher:
    """Asks a host only when its turn comes: one request at a time over all pollers, spaced."""

    def __init__(
        self, fetcher: Fetcher, store: FeedStore, clock: Clock, settings: PollingSettings
    ) -> None:
        self._fetcher = fetcher
        self.guard = fetcher.guard
        self._hosts = store.hosts
        self._clock = clock
        self._settings = settings

    async def fetch(
        self,
        url: str,
        home: HostSlot,
        *,
        accept: str = FEED_TYPES,
        headers: Mapping[str, str] | None = None,
        max_body: int = 0,
    ) -> Fetched:
        """Fetch `url` for the poll of a feed that was claimed at `home`, whose turn it holds.

        Raises:
            FetchError: as for `Fetcher.fetch`; besides, one of `REFUSALS` where the site wants to
                be left alone, and is.
            redis.exceptions.RedisError: the store failed.
        """
        place = host_slot_of(url, self._fetcher.guard)
        ours = place.host == home.host
        if ours:
            await self._clock.sleep(self._settings.host_spacing)
        else:
            await self._wait(place)
        try:
            answer = await self._fetcher.fetch(
                url, accept=accept, headers=headers, max_body=max_body
            )
        finally:
            if not ours:
                spacing = self._settings.host_spacing
                await self._hosts.free(place, self._clock.now(), spacing)
        reason, message = classify_status(answer)
        if reason in REFUSALS:
            now = self._clock.now()
            hold = hold_for(reason, parse_hints(answer.headers, now), self._settings)
            await self._hosts.hold_site(host_slot_of(answer.url, self._fetcher.guard), now, hold)
            raise FetchError(reason, message)
        return answer

    async def post(self, url: str, form: Mapping[str, str]) -> Fetched:
        """Post a form when the host's turn has come; no poll may hold that turn meanwhile.

        Raises:
            FetchError, redis.exceptions.RedisError: as for `fetch`.
        """
        place = host_slot_of(url, self.guard)
        await self._wait(place)
        try:
            return await self._fetcher.post(url, form)
        finally:
            spacing = self._settings.host_spacing
            await self._hosts.free(place, self._clock.now(), spacing)

    async def _wait(self, place: HostSlot) -> None:
        lease = self._settings.timeout + _LEASE_MARGIN
        while wait := await self._hosts.acquire(place, self._clock.now(), lease):
            if wait == math.inf:
                raise FetchError(
                    FetchReason.RATE_LIMITED, "the site asked a while ago to be left alone"
                )
            await self._clock.sleep(wait)
