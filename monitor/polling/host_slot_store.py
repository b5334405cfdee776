"""Turns at a host: one request at a time over all pollers, spaced, and none while a site rests.

A claim of feeds takes the turns of their hosts in the same step (`store/scripts/feed_claim.lua`),
and the commit of a poll gives its host's turn back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.store.client import run_script
from monitor.store.commands import Redis
from monitor.store.keys import Keys


@dataclass(frozen=True, slots=True)
class HostSlot:
    """Where a feed lives: the host that is spaced, and the site that Retry-After holds.

    `site` is "" for internal hosts, which many unrelated feeds may share.
    """

    host: str
    site: str


class HostSlotStore:
    """Who may ask a host, and when, in the store."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def turn_key(self, place: HostSlot) -> str:
        """Return where a host's turn is kept."""
        return self._keys("host", place.host)

    def hold_key(self, place: HostSlot) -> str:
        """Return where it is kept until when a site is to be left alone."""
        return self._keys("host", place.site or place.host, "hold")

    async def acquire(self, place: HostSlot, now: float, lease_seconds: float) -> float:
        """Take a host's turn for a request besides the feeds themselves: a page, an article.

        Returns:
            0.0: it is ours until `free`, or until the lease ends. More: the seconds after
            which to try again; infinity where the site wants to be left alone.
        """
        names = [self.turn_key(place), self.hold_key(place)]
        wait = int(await run_script(self._client, "feed_turn", names, [now, lease_seconds]))
        return wait / 1000 if wait >= 0 else math.inf

    async def free(self, place: HostSlot, now: float, spacing: float) -> None:
        """Give a host's turn back: it may be asked again `spacing` seconds from `now`."""
        value, ttl = f"f {now + spacing:.3f}", int(spacing * 1000) + 60_000
        await self._client.set(self.turn_key(place), value, px=ttl)

    async def hold_site(self, place: HostSlot, now: float, seconds: float) -> None:
        """Leave a whole site alone, as it asked; an internal host holds no site."""
        if place.site and seconds > 0:
            until, ttl = f"{now + seconds:.3f}", int(seconds * 1000) + 1000
            await self._client.set(self.hold_key(place), until, px=ttl)
