"""Feeds in the store: when each is due, what is known of it, and the one step that hands over.

A poll's whole effect (remembered entries, stories, validators, next due time) is one Lua step, so
a process that dies at any point has either told all of it or none: the feed is then polled again
when its lease runs out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from monitor.codec import pack_story
from monitor.config.schema import FeedSource
from monitor.identity import digest
from monitor.model import FeedState
from monitor.polling.host_slot_store import HostSlot, HostSlotStore
from monitor.polling.poll_decision import PollDecision, source_key
from monitor.polling.seen_entries import SeenEntry
from monitor.queue.feed_lanes import SHARE, FeedLanes
from monitor.store.client import run_script
from monitor.store.commands import Redis, Value
from monitor.store.keys import Keys

_BATCH = 500
_FIRST_PER_SECOND = 20.0  # new feeds are started at this pace
_SLACK = 3600.0  # seconds that a claim or a crowded host may add to a due time
_OUTAGE_LAPSES = 300_000  # ms: the word of a poller that died in an outage goes by itself
_KEEP_REMOVED = 90 * 86400
# How each field of a state is read back; the annotations are strings.
_READ: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": lambda text: text == "1",
}
_FIELDS = tuple((item.name, _READ.get(str(item.type))) for item in fields(FeedState))


@dataclass(frozen=True, slots=True)
class Claim:
    """Feeds this poller may now fetch, each with the time it was due.

    `backlog` is set instead where so many stories wait that polling pauses.
    """

    feeds: tuple[tuple[str, float], ...] = ()
    backlog: int = 0


class DueFeeds(NamedTuple):
    """The schedule as it stands."""

    scheduled: int
    overdue: int
    first: float


class Synced(NamedTuple):
    """How many feeds a sync put among the due, took out, and gave another due time."""

    added: int
    removed: int
    put_right: int


class FeedStore:
    """The poller's state in Redis or Valkey."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._prefix = keys()
        self._lanes = FeedLanes(client, keys)
        self.hosts = HostSlotStore(client, keys)

    async def sync(
        self,
        sources: Sequence[FeedSource],
        places: dict[str, HostSlot],
        now: float,
        *,
        longest: float = math.inf,
        remove: bool = True,
    ) -> Synced:
        """Make the due set agree with the configuration, and with what the settings allow.

        Feeds seen for the first time are spread over a moment; known ones keep their due time,
        so that a restart makes no storm. A due time that a clock running ahead wrote is put right.

        Args:
            sources: the feeds as configured.
            places: where they live.
            now: Unix seconds.
            longest: the longest wait that the settings allow, seconds.
            remove: take out the feeds that are not in `sources`.
        """
        enabled = [source for source in sources if source.enabled]
        wanted = {source.id for source in enabled}
        known = {item.decode() for item in await self._client.zrange(self._keys("due"), 0, -1)}
        spread = len(wanted - known) / _FIRST_PER_SECOND
        added = put_right = 0
        for start in range(0, len(enabled), _BATCH):
            args: list[str | float] = [self._prefix, f"{now:.3f}", min(longest, 1e9)]
            args.append(_SLACK + spread)
            for source in enabled[start : start + _BATCH]:
                place = places[source.id]
                first = now + spread * (int(digest("first", source.id), 16) / 2**64)
                args += [source.id, place.host, place.site, source_key(source), first]
            counts = await self._run("feed_sync", ["due"], args)
            added, put_right = added + int(counts[0]), put_right + int(counts[1])
        gone = sorted(known - wanted) if remove else []
        for start in range(0, len(gone), _BATCH):
            args = [self._prefix, _KEEP_REMOVED, *gone[start : start + _BATCH]]
            await self._run("feed_drop", ["due"], args)
        return Synced(added, len(gone), put_right)

    async def scheduled(self) -> int:
        """Return how many feeds have a due time, ended ones included."""
        return int(await self._client.zcard(self._keys("due")))

    async def due(self, now: float) -> DueFeeds:
        """Return how many feeds have a due time, how many are overdue, and the first due time."""
        name = self._keys("due")
        first = await self._client.zrange(name, 0, 0, withscores=True)
        return DueFeeds(
            int(await self._client.zcard(name)),
            int(await self._client.zcount(name, "-inf", now)),
            float(first[0][1]) if first else now,
        )

    async def claim_due(
        self, now: float, limit: int, lease_seconds: float, *, spacing: float, max_backlog: int
    ) -> Claim:
        """Claim up to `limit` due feeds, no two on one host; several pollers may share.

        Args:
            now: Unix seconds.
            limit: how many this poller can take on.
            lease_seconds: how long before an unfinished feed falls due again.
            spacing: least seconds between requests to one host.
            max_backlog: while so many stories wait claim only feeds of which none waits; nothing
                while so many wait for triage, or twice as many in all.
        """
        reply = await self._run(
            "feed_claim",
            ["due", "stream:stories", "stream:vectors", "lanes:state"],
            [self._prefix, f"{now:.3f}", limit, lease_seconds, spacing, max_backlog],
        )
        if int(reply[0]) >= 0:
            return Claim(backlog=int(reply[0]))
        pairs = zip(reply[1::2], reply[2::2], strict=True)
        return Claim(feeds=tuple((item.decode(), float(due)) for item, due in pairs))

    async def load_states(self, ids: Sequence[str]) -> list[FeedState]:
        """Return the states of `ids`, blank for feeds never polled, in one round trip."""
        async with self._client.pipeline(transaction=False) as pipe:
            for feed_id in ids:
                pipe.hgetall(self._keys("feed", feed_id, "state"))
            rows = await pipe.execute()
        return [_decode(feed_id, row) for feed_id, row in zip(ids, rows, strict=True)]

    async def load_seen(self, feed_id: str) -> dict[str, SeenEntry]:
        """Return every remembered entry of one feed, by entry key."""
        rows = await self._client.hgetall(self._keys("feed", feed_id, "seen"))
        return {
            key.decode(): SeenEntry.decode(value.decode("utf-8", "replace"))
            for key, value in rows.items()
        }

    async def load(self, feed_id: str) -> tuple[FeedState, dict[str, SeenEntry]]:
        """Return one feed's state and its remembered entries."""
        return (await self.load_states([feed_id]))[0], await self.load_seen(feed_id)

    async def commit(
        self,
        decision: PollDecision,
        expected_version: int,
        place: HostSlot,
        *,
        now: float,
        spacing: float,
        before: FeedState | None = None,
        answered: HostSlot | None = None,
        home: HostSlot | None = None,
    ) -> bool:
        """Apply one poll in one atomic step; False if another poller committed first.

        Nothing is trimmed from the stories stream: its readers do that, when they have read.

        Args:
            decision: what the poll changes.
            expected_version: of the state that the decision was made from.
            place: where the feed was claimed; its host is free again.
            now: end of the poll, Unix seconds.
            spacing: least seconds until the next request to that host.
            before: the state as it was loaded: then only what differs is written.
            answered: where the answer came from, if from elsewhere: its site is held.
            home: where the feed lives from now on, if elsewhere.
        """
        state = decision.state
        described = encode_state(state, before)
        if home is not None:
            described += ["host", home.host, "site", home.site]
        held = answered or place
        # One argument for all of them: a first poll brings hundreds.
        seen = "\n".join(f"{key} {record.encode()}" for key, record in decision.seen.items())
        hold = decision.hold if held.site else 0.0
        args: list[Value] = [
            state.feed_id,
            expected_version,
            state.version,
            "+inf" if state.ended else f"{state.next_due:.3f}",
            f"{now + spacing:.3f}",
            int(spacing * 1000) + 60_000,
            f"{now + hold:.3f}" if hold else "",
            int(hold * 1000) + 1000,
            len(described),
            *described,
            seen,
            len(decision.dropped),
            *decision.dropped,
            len(decision.stories),
            *(pack_story(story)["story"] for story in decision.stories),
            int(any(not (story.baseline or story.stale) for story in decision.stories)),
        ]
        names = [
            self._keys("feed", state.feed_id, "state"),
            self._keys("feed", state.feed_id, "seen"),
            self._keys("due"),
            self.hosts.turn_key(place),
            self.hosts.hold_key(held),
            *self._lanes.names(state.feed_id),
        ]
        committed = bool(await run_script(self._client, "feed_commit", names, args))
        if committed and decision.stories:
            await self._lanes.refill(
                SHARE
            )  # a poller that dies before this leaves it to the embedder
        return committed

    async def poll_now(self, ids: Sequence[str], now: float, *, per_second: float = 0.0) -> None:
        """Make feeds due at once (a hub said so, or a person), or one after another.

        Args:
            ids: whose.
            now: Unix seconds.
            per_second: start so many a second; 0: all at once.
        """
        async with self._client.pipeline(transaction=False) as pipe:
            for at, feed_id in enumerate(ids):
                due = now + (at / per_second if per_second else 0.0)
                pipe.zadd(self._keys("due"), {feed_id: due}, xx=True, lt=True)
            await pipe.execute()

    async def pushed(self, feed_id: str, now: float, least: float) -> None:
        """Poll a feed soon, since a hub says so, but `least` seconds after its last poll.

        A push in the middle of a poll is followed by another poll: the first may have missed it.
        """
        names = [self._keys("due"), self._keys("feed", feed_id, "state")]
        await run_script(self._client, "feed_push", names, [feed_id, f"{now:.3f}", least])

    async def pause(self, ids: Sequence[str], until: float) -> None:
        """Poll feeds no more until an instant (Unix seconds; infinity: until `resume`)."""
        async with self._client.pipeline(transaction=True) as pipe:
            for feed_id in ids:
                pipe.hset(self._keys("paused"), feed_id, str(until))
                pipe.zadd(self._keys("due"), {feed_id: math.inf}, xx=True)
            await pipe.execute()

    async def resume(self, ids: Sequence[str], now: float) -> None:
        """Poll paused feeds again, from now on."""
        async with self._client.pipeline(transaction=True) as pipe:
            for feed_id in ids:
                pipe.hdel(self._keys("paused"), feed_id)
                pipe.zadd(self._keys("due"), {feed_id: now}, xx=True, lt=True)
            await pipe.execute()

    async def paused(self) -> dict[str, float]:
        """Return the paused feeds, each with the instant until which it is."""
        rows = await self._client.hgetall(self._keys("paused"))
        return {name.decode(): float(until) for name, until in rows.items()}

    async def note_outage(self, since: float | None) -> None:
        """Leave word that a poller's own network is out; None: that it is back."""
        if since is None:
            await self._client.delete(self._keys("outage"))
        else:
            await self._client.set(self._keys("outage"), f"{since:.0f}", px=_OUTAGE_LAPSES)

    async def outage(self) -> float:
        """Return since when a poller's own network is out, 0 if it is not."""
        return float(await self._client.get(self._keys("outage")) or 0.0)

    async def _run(self, script: str, names: list[str], args: Sequence[Value]) -> Any:
        keys = [self._keys(*name.split(":")) for name in names]
        return await run_script(self._client, script, keys, args)


def encode_state(state: FeedState, before: FeedState | None) -> list[str]:
    """Return the fields of a state as they are stored, name by value; only what differs."""
    flat = []
    for name, read in _FIELDS:
        value = getattr(state, name)
        if before is not None and value == getattr(before, name):
            continue
        if read is None:
            text = json.dumps(value, separators=(",", ":"))
        elif isinstance(value, bool):
            text = "1" if value else "0"
        else:
            text = str(value)
        flat += [name, text]
    return flat


def _decode(feed_id: str, row: Mapping[bytes, bytes]) -> FeedState:
    values: dict[str, Any] = {"feed_id": feed_id, "url": ""}
    for name, read in _FIELDS:
        raw = row.get(name.encode())
        if raw is not None:
            text = raw.decode("utf-8", "replace")
            values[name] = tuple(json.loads(text)) if read is None else read(text)
    return FeedState(**values)
