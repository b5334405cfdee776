"""Triage's state: the rolling window, the archive of stories, what has been told.

Reads are plain; writes are lists of commands, so that a whole batch (state, alerts, outbox,
acknowledgement) goes in as one step under triage's lease.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from monitor.codec import (
    pack_embedded,
    pack_vectors,
    unpack_embedded,
    unpack_story,
    unpack_vectors,
)
from monitor.config.schema import Config
from monitor.identity import canonical_url, url_key
from monitor.model import EmbeddedStory, Story, Vector
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import Command

WINDOW_SLACK = 2.0  # windows after which a story's record goes, even if its event lives on


class AnalysisStore:
    """Everything triage writes, and what `explain`, `backtest` and `status` read of it.

    Args:
        client: the store.
        keys: key names.
        keep: seconds the archive keeps a story.
        window: seconds of the rolling window.
    """

    @classmethod
    def of(cls, client: Redis, config: Config) -> AnalysisStore:
        """Return the archive of the installation that `config` describes."""
        keys, settings = Keys(config.store.prefix), config.store
        return cls(client, keys, settings.keep_stories, config.events.window)

    def __init__(self, client: Redis, keys: Keys, keep: float, window: float) -> None:
        self._client = client
        self._keys = keys
        self._keep = int(max(keep, window))
        self._window = window
        self._bucket = min(3600.0, max(1.0, window / 4))  # seconds: buckets go whole

    # --- the rolling window

    def window_commands(
        self, story_id: str, seen_at: float, record: bytes, model: str
    ) -> list[Command]:
        """Store one story's window record, in the bucket of its model and hour (or less).

        A bucket's end is set by its first record: later changes to one must not keep all the rest.
        """
        start = _second(seen_at // self._bucket * self._bucket)
        bucket = self._keys("window", name_digest(model), start)
        lifetime = int(self._window * WINDOW_SLACK + 2 * self._bucket)
        return [["HSET", bucket, story_id, record], ["EXPIRE", bucket, lifetime, "NX"]]

    async def window(self, model: str) -> AsyncIterator[list[bytes]]:
        """Yield the records of a model's window, a bucket at a time, oldest first."""
        pattern = _glob(self._keys("window", name_digest(model), "*"))
        names = sorted([key async for key in self._client.scan_iter(pattern, count=1000)])
        for name in names:
            yield await self._client.hvals(name)

    async def windows_of_others(self, model: str) -> AsyncIterator[list[bytes]]:
        """Yield the records of all other models' windows, a bucket at a time."""
        own = self._keys("window", name_digest(model), "")
        names = sorted(
            [
                key
                async for key in self._client.scan_iter(
                    _glob(self._keys("window", "*")), count=1000
                )
            ]
        )
        for name in names:
            if not name.decode().startswith(own):
                yield await self._client.hvals(name)

    # --- what has been told

    async def alert_states(self, events: Iterable[str]) -> dict[tuple[str, str], str]:
        """Return what was told about events: (topic, event) → JSON."""
        wanted = sorted(set(events))
        if not wanted:
            return {}
        pipe = self._client.pipeline(transaction=False)
        for event in wanted:
            pipe.hgetall(self._keys("told", event))
        return {
            (topic.decode(), event): text.decode()
            for event, row in zip(wanted, await pipe.execute(), strict=True)
            for topic, text in row.items()
        }

    def alert_state_commands(self, topic: str, event: str, record: str) -> list[Command]:
        """Store what was told of one topic and event."""
        key = self._keys("told", event)
        return [["HSET", key, topic, record], ["EXPIRE", key, self._keep]]

    def forget_event_commands(self, event: str) -> list[Command]:
        """Drop an event that another absorbed; what was told of it has moved there."""
        return [["DEL", self._keys("told", event), self._keys("event", event)]]

    # --- alerts that wait for further sources

    def pending_commands(self, topic: str, event: str, until: float | None) -> list[Command]:
        """Note until when an alert may wait, or (None) that it waits no more."""
        name = json.dumps([topic, event])
        if until is None:
            return [["HDEL", self._keys("pending"), name]]
        return [["HSET", self._keys("pending"), name, repr(until)]]

    async def pending(self) -> dict[tuple[str, str], float]:
        """Return the alerts that wait: (topic, event) → until."""
        rows = await self._client.hgetall(self._keys("pending"))
        found = {}
        for name, until in rows.items():
            topic, event = json.loads(name)
            found[topic, event] = float(until)
        return found

    # --- the archive

    def story_commands(self, item: EmbeddedStory, decision: str) -> list[Command]:
        """Archive one story with its vectors and what was decided about it."""
        story = item.story
        key, day = self._keys("story", story.id), self._keys("day", _day(story.seen_at))
        fields = [part for pair in pack_embedded(item).items() for part in pair]
        title_vector = pack_vectors(item.vectors[0])
        commands: list[Command] = [
            ["HSET", key, *fields, "decision", decision, "title_vector", title_vector],
            ["EXPIRE", key, self._keep],
            ["ZADD", day, story.seen_at, story.id],
            ["EXPIRE", day, self._keep + 86400],
        ]
        if page := _page(story.url):
            commands.append(
                ["SET", self._keys("url", name_digest(page)), story.id, "EX", self._keep]
            )
        return commands

    def member_commands(self, event: str, story_id: str, seen_at: float) -> list[Command]:
        """Note a story as a member of an event."""
        key = self._keys("event", event)
        return [["HSET", key, story_id, repr(seen_at)], ["EXPIRE", key, self._keep]]

    def leave_commands(self, event: str, story_id: str) -> list[Command]:
        """Take a story out of an event it was moved from."""
        return [["HDEL", self._keys("event", event), story_id]]

    async def members(self, event: str) -> list[str]:
        """Return the ids of an event's stories, oldest first."""
        rows = await self._client.hgetall(self._keys("event", event))
        return [name.decode() for name, _ in sorted(rows.items(), key=lambda row: float(row[1]))]

    async def story(self, story_id: str) -> tuple[EmbeddedStory, dict[str, Any]] | None:
        """Return an archived story and the decision record, or None."""
        row = await self._client.hgetall(self._keys("story", story_id))
        return (unpack_embedded(row), json.loads(row.get(b"decision", b"{}"))) if row else None

    async def headlines(
        self, story_ids: Sequence[str]
    ) -> AsyncIterator[tuple[Story, dict[str, Any]]]:
        """Yield archived stories and their decision records, without vectors, in that order.

        What is no longer there is left out.
        """
        for begin in range(0, len(story_ids), 500):
            pipe = self._client.pipeline(transaction=False)
            for story_id in story_ids[begin : begin + 500]:
                pipe.hmget(self._keys("story", story_id), "story", "decision")
            for story, decision in await pipe.execute():
                if story is not None:
                    yield unpack_story({b"story": story}), json.loads(decision or b"{}")

    async def answered(self, story_ids: Sequence[str], model: str) -> dict[str, tuple[str, Vector]]:
        """Return headline and headline vector of stories still kept, made by `model`."""
        pipe = self._client.pipeline(transaction=False)
        for story_id in story_ids:
            pipe.hmget(self._keys("story", story_id), "story", "model", "title_vector")
        found: dict[str, tuple[str, Vector]] = {}
        for story_id, (story, made_by, raw) in zip(story_ids, await pipe.execute(), strict=True):
            if story is not None and raw and made_by == model.encode():
                vector = unpack_vectors(raw, len(raw) // 2)[0]
                found[story_id] = unpack_story({b"story": story}).title, vector
        return found

    async def known(self, story_ids: Sequence[str]) -> set[str]:
        """Return those of `story_ids` that have been analysed already."""
        pipe = self._client.pipeline(transaction=False)
        for story_id in story_ids:
            pipe.hexists(self._keys("story", story_id), "decision")
        found = await pipe.execute() if story_ids else []
        return {name for name, there in zip(story_ids, found, strict=True) if there}

    async def find(self, wanted: str) -> tuple[EmbeddedStory, dict[str, Any]] | None:
        """Return the story that `wanted` means, with its decision record, or None.

        `wanted` is a story's id or any spelling of its address that a person may paste: with or
        without scheme, `www.`, fragment, or tracking parameters. Of several stories at one
        address, the last one.
        """
        wanted = wanted.strip()
        if (found := await self.story(wanted)) is not None:
            return found
        url = wanted if "://" in wanted else f"https://{wanted}"
        # Records of earlier versions have whole addresses.
        for name in (_page(url), canonical_url(url), wanted):
            story_id = await self._client.get(self._keys("url", name_digest(name)))
            if story_id and (found := await self.story(story_id.decode())) is not None:
                return found
        return None

    async def between(self, start: float, end: float) -> AsyncIterator[list[str]]:
        """Yield ids of stories seen in [start, end), a day at a time, oldest first."""
        day = start - start % 86400
        while day < end:
            rows = await self._client.zrangebyscore(self._keys("day", _day(day)), start, f"({end}")
            if rows:
                yield [row.decode() for row in rows]
            day += 86400

    async def newest(
        self, start: float, end: float, model: str, most: int
    ) -> list[tuple[EmbeddedStory, dict[str, Any]]]:
        """Return the newest stories of a time whole, each with its decision record, oldest first.

        At most so many; stories embedded by another model are left out.
        """
        ids = [name async for part in self.between(start, end) for name in part][-most:]
        found: list[tuple[EmbeddedStory, dict[str, Any]]] = []
        for begin in range(0, len(ids), 500):
            pipe = self._client.pipeline(transaction=False)
            for story_id in ids[begin : begin + 500]:
                pipe.hgetall(self._keys("story", story_id))
            for row in await pipe.execute():
                if row.get(b"model") == model.encode():
                    record = json.loads(row.get(b"decision", b"{}"))
                    found.append((unpack_embedded(row), record))
        return found

    async def headline_vectors(
        self, start: float, end: float, model: str, most: int
    ) -> list[Vector]:
        """Return the headline vectors of the newest stories of a time, at most so many.

        In time order, newest last; stories embedded by another model are left out.
        """
        ids = [name async for part in self.between(start, end) for name in part][-most:]
        found: list[Vector] = []
        for begin in range(0, len(ids), 1000):
            pipe = self._client.pipeline(transaction=False)
            for story_id in ids[begin : begin + 1000]:
                pipe.hmget(self._keys("story", story_id), "model", "title_vector")
            for fingerprint, raw in await pipe.execute():
                if raw and fingerprint == model.encode():
                    found.append(unpack_vectors(raw, len(raw) // 2)[0])
        return found

    # --- counters

    def count_commands(self, counts: dict[str, int]) -> list[Command]:
        """Add to the service's counters."""
        return [["HINCRBY", self._keys("count"), name, n] for name, n in counts.items() if n]

    async def counts(self) -> dict[str, int]:
        """Return the service's counters."""
        rows = await self._client.hgetall(self._keys("count"))
        return {name.decode(): int(value) for name, value in rows.items()}


def _page(url: str) -> str:
    """Return what all spellings of one page's address share; "" for what is no address."""
    path, mark, query = url_key(url).partition("?")
    return path.rstrip("/") + mark + "&".join(sorted(query.split("&")))


def _second(at: float) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(at))


def _day(at: float) -> str:
    return time.strftime("%Y%m%d", time.gmtime(at))


def name_digest(name: str) -> str:
    """Return a name of any length as a short part of a key."""
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:24]


def _glob(name: str) -> str:
    return name.replace("[", "\\[").replace("]", "\\]")
