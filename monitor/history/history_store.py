"""The history in the store: written inside triage's and the notifier's own atomic steps.

- `history:order`: a sorted set of alert ids by the time of their decision.
- `history:alerts:{day}`, `history:sent:{day}`: hashes by the alert's day (UTC), so that they go
  whole; a receipt lies beside its alert.
- `history:event:{event}`: the stories that a topic matched, the alerts, the merges, and what people
  did.
- `stream:desk`: the ids of what happened last, for pages that are open.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from monitor.history.day_texts import DayTexts
from monitor.history.records import Action, AlertRecord, Delivery, StoryRecord
from monitor.history.search import Query, matches, may_match
from monitor.model import Alert, Receipt
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import Command, apply

KEEP = 365 * 86400.0
LIVE = 2_000  # entries of `stream:desk`
READ_AT_ONCE = 2_000  # alerts
MOST_READ = 60_000  # alerts that one search looks at before it says where to go on
_MERGES = 50  # of one event that are followed


@dataclass(frozen=True, slots=True)
class Found:
    """Alerts that a search found, newest first. `cursor` asks for older ones; "" at the end."""

    alerts: tuple[AlertRecord, ...]
    cursor: str = ""


@dataclass(slots=True)
class EventHistory:
    """Everything kept of one event, the events that it absorbed included; each list in time order.

    `id` is the event that stands today, whichever of its former ids was asked for.
    """

    id: str
    stories: list[StoryRecord] = field(default_factory=list)
    alerts: list[AlertRecord] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    merged: dict[str, float] = field(default_factory=dict)  # id -> when


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Alerts that were read together, newest first, each with its cursor.

    `looked` is how many were looked at, `end` the cursor behind all of them.
    """

    looked: int
    alerts: list[tuple[str, AlertRecord]]
    end: str


class HistoryStore:
    """Reads the history, and builds the commands that write it.

    Args:
        client: the store.
        keys: key names.
        keep: seconds (`store.keep_history`).
    """

    def __init__(self, client: Redis, keys: Keys, keep: float = KEEP) -> None:
        self._client = client
        self._keys = keys
        self._keep = int(keep)
        self._texts_of_days = DayTexts()

    # --- writing, as part of another's step

    def alert_commands(self, alerts: Iterable[Alert], now: float) -> list[Command]:
        """Return the commands that keep alerts just decided, and tell open pages of them."""
        commands: list[Command] = []
        for alert in alerts:
            day, event = self._day("alerts", alert.decided_at), self._event(alert.event)
            record = AlertRecord.of(alert).to_json()
            commands += [
                ["HSET", day, alert.id, record],
                ["EXPIRE", day, self._keep + 86400],
                ["ZADD", self._keys("history", "order"), alert.decided_at, alert.id],
                ["HSET", event, f"alert:{alert.id}", repr(alert.decided_at)],
                ["EXPIRE", event, self._keep],
                self._live("alert", alert.id, alert.event),
            ]
        if commands:
            old = ["ZREMRANGEBYSCORE", self._keys("history", "order"), "-inf", now - self._keep]
            commands.append(old)
        return commands

    def story_commands(self, event: str, story: StoryRecord) -> list[Command]:
        """Return the commands that keep a story a topic matched, as part of its event."""
        key = self._event(event)
        return [["HSET", key, f"story:{story.id}", story.to_json()], ["EXPIRE", key, self._keep]]

    def leave_commands(self, event: str, story_id: str) -> list[Command]:
        """Return the commands that take a story out of an event it was parted from."""
        return [["HDEL", self._event(event), f"story:{story_id}"], self._live("apart", "", event)]

    def merge_commands(self, gone: str, into: str, now: float) -> list[Command]:
        """Return the commands that let the history of an absorbed event be found under both ids."""
        old, new = self._event(gone), self._event(into)
        return [
            ["HSET", old, "into", into],
            ["EXPIRE", old, self._keep],
            ["HSET", new, f"from:{gone}", repr(now)],
            ["EXPIRE", new, self._keep],
        ]

    def sent_commands(self, alert: Alert, receipt: Receipt) -> list[Command]:
        """Return the commands that keep what became of an alert on a channel."""
        day = self._day("sent", alert.decided_at)
        record = Delivery(receipt.channel, receipt.at, receipt.ref, receipt.note).to_json()
        return [
            ["HSET", day, f"{alert.id}@{receipt.channel}", record],
            ["EXPIRE", day, self._keep + 86400],
            self._live("sent", alert.id, alert.event),
        ]

    async def note(self, event: str, action: Action) -> None:
        """Keep what a person did about an event, and tell open pages."""
        key = self._event(event)
        name = f"action:{action.at:.6f}:{action.kind}"
        await apply(
            self._client,
            [
                ["HSET", key, name, action.to_json()],
                ["EXPIRE", key, self._keep],
                self._live(action.kind, "", event),
            ],
        )

    async def claim(self, event: str, by: str, now: float) -> None:
        """Note that `by` is on an event; "" takes the claim back. Open pages are told."""
        key = self._event(event)
        kept: Command = ["HSET", key, "claim", Action("claim", by, now).to_json()]
        commands = [kept if by else ["HDEL", key, "claim"], ["EXPIRE", key, self._keep]]
        await apply(self._client, [*commands, self._live("claim", "", event)])

    async def claims(self, events: Sequence[str], since: float) -> dict[str, Action]:
        """Return who is on which of `events`; a claim made before `since` has ended."""
        pipe = self._client.pipeline(transaction=False)
        for event in events:
            pipe.hget(self._event(event), "claim")
        rows = await pipe.execute() if events else []
        found = {e: Action.from_json(text) for e, text in zip(events, rows, strict=True) if text}
        return {event: claim for event, claim in found.items() if claim.at >= since}

    # --- reading

    async def search(self, query: Query, limit: int = 50, cursor: str = "") -> Found:
        """Return the alerts that match, newest first, at most `limit`.

        Where very many alerts were looked at without filling the page, the cursor says where to go
        on. A cursor that cannot be read begins anew.
        """
        found: list[AlertRecord] = []
        looked, at = 0, cursor
        chunks = self._of_days(query, cursor) if query.words else self._newest(query, cursor, limit)
        async for chunk in chunks:
            looked += chunk.looked
            for place, alert in chunk.alerts:
                if matches(query, alert):
                    found.append(alert)
                at = place
                if len(found) == limit:
                    return Found(tuple(found), at)
            at = chunk.end
            if looked >= MOST_READ:
                return Found(tuple(found), at)
        return Found(tuple(found))

    async def read_ahead(self) -> None:
        """Read every day once, so that the first search is as quick as those that follow."""
        async for _ in self._of_days(Query(words=("\0",)), ""):  # stands in no text
            pass

    async def export(self, query: Query) -> AsyncIterator[AlertRecord]:
        """Yield every alert that matches, newest first."""
        cursor = ""
        while True:
            found = await self.search(query, 500, cursor)
            for alert in found.alerts:
                yield alert
            if not (cursor := found.cursor):
                return

    async def alert(self, alert_id: str) -> AlertRecord | None:
        """Return one alert, or None."""
        at = await self._client.zscore(self._keys("history", "order"), alert_id)
        if at is None:
            return None
        text = await self._client.hget(self._day("alerts", at), alert_id)
        return AlertRecord.from_json(text) if text else None

    async def first_alerts(self, since: float) -> list[tuple[str, float]]:
        """Return topic and time of the newest alerts since an instant, updates left out.

        At most `READ_AT_ONCE` are looked at; records are not built, since pages only count them.
        """
        ids = await self._client.zrevrangebyscore(
            self._keys("history", "order"), math.inf, since, start=0, num=READ_AT_ONCE,
            withscores=True,
        )  # fmt: skip
        names = [(name.decode(), float(at)) for name, at in ids]
        texts = await self._texts(names)
        kept = [(name, at, json.loads(texts[name])) for name, at in names if name in texts]
        return [(one["topic"], at) for name, at, one in kept if one.get("parent") in (None, name)]

    async def deliveries(
        self, alerts: Sequence[AlertRecord], channels: Sequence[str]
    ) -> dict[str, list[Delivery]]:
        """Return what became of alerts on `channels`, by alert id, earliest first."""
        names = [(alert, channel) for alert in alerts for channel in channels]
        pipe = self._client.pipeline(transaction=False)
        for alert, channel in names:
            pipe.hget(self._day("sent", alert.decided_at), f"{alert.id}@{channel}")
        rows = await pipe.execute() if names else []
        found: dict[str, list[Delivery]] = {alert.id: [] for alert in alerts}
        for (alert, _), text in zip(names, rows, strict=True):
            if text:
                found[alert.id].append(Delivery.from_json(text))
        for sent in found.values():
            sent.sort(key=lambda delivery: delivery.at)
        return found

    async def event(self, event_id: str) -> EventHistory | None:
        """Return what is kept of an event, or None. A former id finds the event that stands."""
        for _ in range(_MERGES):
            into = await self._client.hget(self._event(event_id), "into")
            if not into:
                break
            event_id = into.decode()
        history = EventHistory(event_id)
        times: dict[str, float] = {}
        await self._gather(event_id, history, times)
        history.alerts = await self._alerts(times)
        history.stories.sort(key=lambda story: (story.seen_at, story.id))
        history.actions.sort(key=lambda action: action.at)
        if not (history.stories or history.alerts or history.actions):
            return None
        return history

    async def _gather(self, event_id: str, history: EventHistory, times: dict[str, float]) -> None:
        """Read an event's hash and those of the events it absorbed."""
        waiting, seen = [event_id], {event_id}
        while waiting and len(seen) <= _MERGES:
            rows = await self._client.hgetall(self._event(waiting.pop()))
            for name, value in rows.items():
                kind, _, rest = name.decode().partition(":")
                if kind == "story":
                    history.stories.append(StoryRecord.from_json(value))
                elif kind == "alert":
                    times[rest] = float(value)
                elif kind == "action":
                    history.actions.append(Action.from_json(value))
                elif kind == "from" and rest not in seen:
                    seen.add(rest)
                    waiting.append(rest)
                    history.merged[rest] = float(value)

    async def _alerts(self, times: dict[str, float]) -> list[AlertRecord]:
        pipe = self._client.pipeline(transaction=False)
        for alert_id, at in times.items():
            pipe.hget(self._day("alerts", at), alert_id)
        rows = await pipe.execute() if times else []
        found = [AlertRecord.from_json(text) for text in rows if text]
        return sorted(found, key=lambda alert: (alert.decided_at, alert.id))

    async def _newest(self, query: Query, cursor: str, first: int) -> AsyncIterator[_Chunk]:
        """Yield alerts from the newest on, read by their ids: quick where most are wanted."""
        order = self._keys("history", "order")
        top, last = _read_cursor(cursor)
        high = min(query.until, top) if top else query.until
        offset, size = 0, max(first, 100)
        while True:
            ids = await self._client.zrevrangebyscore(
                order, high, query.since, start=offset, num=size, withscores=True
            )
            if not ids:
                return
            offset, size = offset + len(ids), READ_AT_ONCE
            fresh = [
                (name.decode(), float(at))
                for name, at in ids
                if not (last and float(at) == top and name.decode() >= last)
            ]
            texts = await self._texts(fresh)
            alerts = [
                (_cursor(at, name), AlertRecord.from_json(texts[name]))
                for name, at in fresh
                if name in texts
            ]
            yield _Chunk(len(ids), alerts, _cursor(float(ids[-1][1]), ids[-1][0].decode()))

    async def _of_days(self, query: Query, cursor: str) -> AsyncIterator[_Chunk]:
        """Yield the alerts that may hold the words, from the newest on, read by whole days.

        Most are not wanted: neither their ids are fetched nor their records parsed, and days known
        not to hold the words are not read at all.
        """
        order = self._keys("history", "order")
        ends = [
            *await self._client.zrange(order, 0, 0, withscores=True),
            *await self._client.zrange(order, -1, -1, withscores=True),
        ]
        if not ends:
            return
        top, last = _read_cursor(cursor)
        since = max(query.since, float(ends[0][1]))
        until = min(query.until, float(ends[-1][1]), top or math.inf)
        day, days = until // 86400 * 86400, 1
        while day + 86400 > since:
            names = [self._day("alerts", day - back * 86400) for back in range(days)]
            stored = [text for texts in await self._read_days(names, query) for text in texts]
            alerts = [AlertRecord.from_json(text) for text in may_match(query, stored)]
            fresh = [
                one
                for one in alerts
                if since <= one.decided_at <= until
                and not (last and one.decided_at == top and one.id >= last)
            ]
            fresh.sort(key=lambda one: (one.decided_at, one.id), reverse=True)
            day -= days * 86400
            rows = [(_cursor(one.decided_at, one.id), one) for one in fresh]
            yield _Chunk(len(stored), rows, _cursor(day + 86400 - 1e-6, ""))
            days = min(32, 2 * days) if len(stored) < READ_AT_ONCE else max(1, days // 2)

    async def _read_days(self, names: Sequence[str], query: Query) -> list[list[bytes]]:
        """Return the stored alerts of the days that may hold the words; a day's text is kept."""
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.hlen(name)
        counts = await pipe.execute()
        asked = [
            name
            for name, count in zip(names, counts, strict=True)
            if self._texts_of_days.may_hold(name, count, query)
        ]
        pipe = self._client.pipeline(transaction=False)
        for name in asked:
            pipe.hvals(name)
        found: list[list[bytes]] = await pipe.execute() if asked else []
        for name, stored in zip(asked, found, strict=True):
            self._texts_of_days.keep(name, stored)
        return found

    async def _texts(self, ids: Sequence[tuple[str, float]]) -> dict[str, bytes]:
        """Return stored alerts by id, in one round trip: a read for each day."""
        days: dict[str, list[str]] = {}
        for name, at in ids:
            days.setdefault(self._day("alerts", at), []).append(name)
        pipe = self._client.pipeline(transaction=False)
        for day, names in days.items():
            pipe.hmget(day, names)
        rows = await pipe.execute() if days else []
        return {
            name: text
            for names, texts in zip(days.values(), rows, strict=True)
            for name, text in zip(names, texts, strict=True)
            if text
        }

    # --- names

    def _live(self, kind: str, alert: str, event: str) -> Command:
        stream = self._keys("stream", "desk")
        words = ["kind", kind, "alert", alert, "event", event]
        return ["XADD", stream, "MAXLEN", "~", LIVE, "*", *words]

    def _day(self, kind: str, at: float) -> str:
        return self._keys("history", kind, time.strftime("%Y%m%d", time.gmtime(at)))

    def _event(self, event: str) -> str:
        return self._keys("history", "event", event)


def _cursor(at: float, name: str) -> str:
    return f"{at!r}:{name}"


def _read_cursor(cursor: str) -> tuple[float, str]:
    at, _, name = cursor.partition(":")
    try:
        return float(at), name
    except ValueError:
        return 0.0, ""
