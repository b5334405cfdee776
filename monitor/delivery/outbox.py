"""The outbox: what is still to be told, per channel, and the notification log of what was.

`outbox:{channel}` is a sorted set of notification ids scored by due time, so that a retry, quiet
hours and a rate limit are all just "a later due time", and all survive a restart.
`notification:{id}` holds the notification and its attempt marks. Whoever holds
`lease:channel:{channel}` sends; every step is one atomic write, refused once the lease is lost.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from monitor.clock import CLOCK_ERROR
from monitor.delivery.due import Due
from monitor.history import history_store
from monitor.model import Alert, Notification, Receipt, Thread
from monitor.queue.dead_letter_store import dead_letter_commands
from monitor.reasons import DeadLetterReason, DeliveryReason
from monitor.store.client import run_script
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.lease import Lease
from monitor.store.transaction import Command

LEASE_SECONDS = 12.0  # longer than one send may take, shorter than patience
RECENT = 200


class OutboxStore:
    """Reads and atomic steps of the outbox.

    Args:
        client: the store.
        keys: key names.
        keep: seconds a receipt is kept (`store.keep_receipts`).
        keep_history: seconds the history is kept (`store.keep_history`).
    """

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        keep: float = 30 * 86400.0,
        keep_history: float = history_store.KEEP,
    ) -> None:
        self._client = client
        self._keys = keys
        self._keep = int(keep)
        self._history = history_store.HistoryStore(client, keys, keep_history)

    # --- putting in

    async def put(self, notifications: Sequence[Notification]) -> int:
        """Put notifications in, each at most once for ever. Return how many were new."""
        if not notifications:
            return 0
        names, args = [self._keys("outbox")], list[Any]()
        for item, due in _in_order(notifications):
            names += [self._queue(item.channel), self._note(item.id), self._receipt(item.id)]
            args += [item.channel, item.id, due, _dump(item.to_dict())]
        return int(await run_script(self._client, "outbox_put", names, args))

    def put_commands(self, notifications: Sequence[Notification]) -> list[Command]:
        """Return the commands that put `fresh` notifications in, for a hand-off's own step."""
        commands: list[Command] = []
        for item, due in _in_order(notifications):
            commands += [
                ["HSET", self._note(item.id), "json", _dump(item.to_dict())],
                *self._held(item),
                ["ZADD", self._queue(item.channel), due, item.id],
                ["SADD", self._keys("outbox"), item.channel],
            ]
        return commands

    async def look_again(self, channel: str, held_for: Collection[str], due: float) -> None:
        """Make due by then what is held for these reasons: the gate decides anew."""
        ids = await self._client.zrange(self._queue(channel), 0, -1)
        marks = await self._marks(ids, "held_for")
        held = {
            item: due
            for item, (why,) in zip(ids, marks, strict=True)
            if (why or b"").decode() in held_for
        }
        if held:
            pipe = self._client.pipeline(transaction=False)
            pipe.zadd(self._queue(channel), held, xx=True, lt=True)
            await pipe.execute()

    # --- looking

    async def channels(self) -> set[str]:
        """Return the channels for which something waits, or ever did."""
        return {name.decode() for name in await self._client.smembers(self._keys("outbox"))}

    async def first_due(self, channels: Sequence[str]) -> dict[str, float]:
        """Return the earliest due time of each channel that has one, in one round trip."""
        pipe = self._client.pipeline(transaction=False)
        for channel in channels:
            pipe.zrange(self._queue(channel), 0, 0, withscores=True)
        found = await pipe.execute() if channels else []
        return {name: rows[0][1] for name, rows in zip(channels, found, strict=True) if rows}

    async def waiting(self, channel: str) -> int:
        """Return how many notifications wait for `channel`, due or not."""
        return int(await self._client.zcard(self._queue(channel)))

    async def read(self, channel: str, now: float, limit: int) -> list[Due]:
        """Return up to `limit` notifications that are due, earliest first, with their marks."""
        ids = await self._client.zrangebyscore(
            self._queue(channel), "-inf", now, start=0, num=limit, withscores=True
        )
        pipe = self._client.pipeline(transaction=False)
        for item, _ in ids:
            pipe.hgetall(self._note(item.decode()))
        rows = await pipe.execute() if ids else []
        return [Due.of(row, score) for (_, score), row in zip(ids, rows, strict=True) if row]

    async def is_waiting(self, notification_id: str) -> bool:
        """Whether a notification, or the message it went into, has not been told yet."""
        if await self._client.exists(self._note(notification_id)):
            return True
        receipt = await self.receipt(notification_id)
        inside = receipt.note.removeprefix("waits in ") if receipt else ""
        if receipt is None or receipt.state != "folded" or inside in (receipt.note, ""):
            return False
        return await self.is_waiting(inside)

    async def pending(self, notification_id: str) -> Due | None:
        """Return a notification that has not been told yet, with its marks, or None."""
        row = await self._client.hgetall(self._note(notification_id))
        if not row:
            return None
        channel = json.loads(row[b"json"])["channel"]
        due = await self._client.zscore(self._queue(channel), notification_id)
        return Due.of(row, float(due or 0.0))

    async def receipt(self, notification_id: str) -> Receipt | None:
        """Return the proof of delivery, or None."""
        text = await self._client.hget(self._receipt(notification_id), "json")
        return Receipt(**json.loads(text)) if text else None

    async def thread_of(self, notification: Notification) -> Thread | None:
        """Return the message that a notification goes under, or None."""
        if notification.follows:
            receipt = await self.receipt(notification.follows)
            return Thread(receipt.ref, digest=True) if receipt and receipt.ref else None
        if notification.kind == "update" and notification.alert is not None:
            return await self.thread(notification.channel, notification.alert.parent)
        return None

    async def thread(self, channel: str, parent: str) -> Thread | None:
        """Return the message that updates of alert `parent` go under, or None."""
        text = await self._client.hget(self._keys("thread", channel, parent), "json")
        if not text:
            return None
        data = json.loads(text)
        data["alert"] = Alert.from_dict(data["alert"]) if data["alert"] else None
        return Thread(**data)

    async def recent(self, channel: str, count: int = 20) -> list[dict[str, Any]]:
        """Return the latest deliveries of a channel, newest first."""
        rows = await self._client.lrange(self._keys("recent", channel), 0, count - 1)
        return [json.loads(row) for row in rows]

    async def state(self, channel: str) -> dict[str, str]:
        """Return what is known of a channel: state, reason, detail, since, paused_until, …"""
        rows = await self._client.hgetall(self._keys("channel", channel))
        return {name.decode(): value.decode() for name, value in rows.items()}

    async def note_broken(
        self, channel: str, reason: DeliveryReason, detail: str, now: float
    ) -> None:
        """Note that a channel cannot be used at all, and why."""
        state = {
            "state": f"broken:{reason}",
            "reason": reason.value,
            "detail": detail,
            "since": now,
        }
        await self._client.hset(self._keys("channel", channel), mapping=state)

    async def forget_state(self, channel: str) -> None:
        """Forget how a channel is that exists no more."""
        await self._client.delete(self._keys("channel", channel))

    async def ceilings(self, channel: str, topics: Sequence[str]) -> dict[str, tuple[int, float]]:
        """Return for each topic how many messages went in its hour, and seconds until it ends."""
        pipe = self._client.pipeline(transaction=False)
        for topic in topics:
            pipe.get(self._keys("ceiling", channel, topic))
            pipe.pttl(self._keys("ceiling", channel, topic))
        flat = await pipe.execute() if topics else []
        pairs = zip(topics, flat[::2], flat[1::2], strict=True)
        return {topic: (int(count or 0), max(0, left) / 1000.0) for topic, count, left in pairs}

    async def last_digest(self, channel: str) -> float:
        """Return when a scheduled digest last had something to say, or 0."""
        return float(await self._client.get(self._keys("digest", channel)) or 0.0)

    # --- steps of the holder of a channel's lease

    def lease(self, channel: str) -> Lease:
        """Return a lease on sending to `channel`, not yet taken."""
        return Lease(self._client, self._keys("lease", "channel", channel), LEASE_SECONDS)

    async def begin(self, lease: Lease, notification: Notification, now: float) -> None:
        """Mark a send as begun. Found marked later, the outcome of that send is unknown.

        Raises:
            LeaseLost: another notifier has the channel; nothing was marked.
        """
        note = self._note(notification.id)
        await lease.write(
            [
                ["HSET", note, "in_flight", now],
                ["HINCRBY", note, "attempts", 1],
                ["HINCRBY", note, "unknown", 1],  # until its result is recorded
            ]
        )

    async def done(
        self,
        lease: Lease,
        notification: Notification,
        receipt: Receipt,
        threads: Mapping[str, Thread],
        count: str,
        state: Mapping[str, Any],
        ceilings: Iterable[str] = (),
    ) -> None:
        """Record a receipt and take the notification out of the outbox.

        Also used for what was dropped on purpose: its receipt says why in `note`. The alerts of a
        digest get receipts of their own. `threads` are by parent alert id. `count` is the named
        reason to count, `state` what to note about the channel, `ceilings` the topics whose hourly
        ceilings this counts against.
        """
        channel = notification.channel
        commands = self._out(notification)
        commands += self._log(notification.id, receipt)
        if notification.alert is not None:
            commands += self._history.sent_commands(notification.alert, receipt)
        for alert in notification.alerts:
            item, note = f"{alert.id}@{channel}", f"in {notification.id}"
            commands += self._log(item, replace(receipt, notification=item, note=note))
            told = replace(receipt, note=receipt.note or "in a digest")
            commands += self._history.sent_commands(alert, told)
        for parent, thread in threads.items():
            key = self._keys("thread", channel, parent)
            data = asdict(replace(thread, alert=None))
            data["alert"] = thread.alert.to_dict() if thread.alert else None
            commands += [["HSET", key, "json", _dump(data)], ["EXPIRE", key, self._keep]]
        recent = self._keys("recent", channel)
        first = notification.alert or next(iter(notification.alerts), None)
        entry = {
            **asdict(receipt),
            "kind": notification.kind,
            "reason": count,
            "alert": first.id if first and notification.alert else "",
            "topic": first.topic_name if first and notification.alert else "",
            "title": first.story.title if first and notification.alert else notification.notice,
        }
        commands += [
            ["LPUSH", recent, _dump(entry)],
            ["LTRIM", recent, 0, RECENT - 1],
            *self._count(channel, count),
            *self._state(channel, state),
        ]
        for topic in ceilings:
            key = self._keys("ceiling", channel, topic)
            commands += [["INCR", key], ["EXPIRE", key, 3600, "NX"]]
        await lease.write(commands)

    async def later(
        self,
        lease: Lease,
        notification: Notification,
        due: float,
        reason: str,
        marks: Mapping[str, Any],
        state: Mapping[str, Any],
        now: float,
    ) -> None:
        """Put a notification off until `due`: a retry, a hold, a rate limit.

        `reason` is counted unless it is "". `marks` are fields of the notification to change,
        `state` what to note of the channel.
        """
        commands = self._put_off(notification, due, reason, marks, now)
        await lease.write(commands + self._state(notification.channel, state))

    async def hold(
        self, lease: Lease, holds: Sequence[tuple[Notification, float, str]], now: float
    ) -> None:
        """Hold many notifications at once: each with its time and the reason it is held for."""
        for start in range(0, len(holds), 200):
            commands: list[Command] = []
            for notification, due, reason in holds[start : start + 200]:
                digested = reason == DeliveryReason.DIGESTED  # counted as such once it is folded
                counted = DeliveryReason.HELD.value if digested else reason
                commands += self._put_off(notification, due, counted, {"held_for": reason}, now)
            await lease.write(commands)

    async def put_right(self, lease: Lease, channel: str, now: float) -> int:
        """Make due at once what a clock ahead of `now` put in or put off; return how many.

        Whatever else speaks against sending them is decided again.
        """
        queue = self._queue(channel)
        late = await self._client.zrangebyscore(queue, now, "+inf")
        wrong = [
            item
            for item, (at, text) in zip(
                late, await self._marks(late, "put_off_at", "json"), strict=True
            )
            if text and float(at or json.loads(text)["due"]) > now + CLOCK_ERROR
        ]
        for start in range(0, len(wrong), 500):
            part = wrong[start : start + 500]
            await lease.write([["ZADD", queue, "XX", now, item] for item in part])
        return len(wrong)

    async def fold(
        self,
        lease: Lease,
        members: Sequence[Notification],
        digests: Sequence[Notification],
        reason: str,
        now: float,
    ) -> None:
        """Put messages (`digests`) in the place of `members`, whose receipts name them until told.

        What a digest only counts has the first of them in its receipt.
        """
        channel = members[0].channel
        where = {a.id: digest.id for digest in digests for a in digest.alerts}
        alone = {f"{item.alert.id}@{channel}" for item in digests if item.alert}
        commands: list[Command] = []
        for member in members:
            commands += self._out(member)
            names = [member.id, *(f"{alert.id}@{channel}" for alert in member.alerts)]
            for name in names:
                told_in = where.get(name.removesuffix(f"@{channel}"), digests[0].id)
                receipt = Receipt(name, channel, now, note=f"waits in {told_in}", state="folded")
                commands += self._log(name, receipt)
            commands += self._count(channel, reason)
        commands += [["DEL", self._receipt(name)] for name in sorted(alone)]
        commands += self.put_commands(digests)
        if any(item.kind == "digest" for item in digests):
            commands.append(["SET", self._keys("digest", channel), now, "EX", 7 * 86400])
        await lease.write(commands)

    async def dead_letter(
        self, lease: Lease, notification: Notification, reason: str, detail: str, now: float
    ) -> None:
        """Set a notification aside as a dead letter, whole and with its reason."""
        record = {
            "stage": "notifier",
            "reason": DeadLetterReason.UNDELIVERABLE.value,
            "why": reason,
            "detail": detail[:500],
            "deliveries": notification.attempts,
            "at": now,
            "notification": notification.to_dict(),
        }
        receipt = Receipt(
            notification.id, notification.channel, now, note=f"dead letter: {reason}",
            attempts=notification.attempts, state="dead",
        )  # fmt: skip
        alerts = (notification.alert, *notification.alerts)
        kept = [self._history.sent_commands(alert, receipt) for alert in alerts if alert]
        inside = [f"{alert.id}@{notification.channel}" for alert in notification.alerts]
        kept += [self._log(name, replace(receipt, notification=name)) for name in inside]
        await lease.write(
            self._out(notification)
            + [command for commands in kept for command in commands]
            + self._log(notification.id, receipt)
            + dead_letter_commands(self._keys, f"notifier:{notification.id}", _dump(record))
            + self._count(notification.channel, reason)
        )

    # --- parts

    async def _marks(self, ids: Sequence[bytes], *fields: str) -> list[list[bytes | None]]:
        """Return fields of what waits, in one round trip."""
        pipe = self._client.pipeline(transaction=False)
        for item in ids:
            pipe.hmget(self._note(item.decode()), *fields)
        return await pipe.execute() if ids else []

    def _put_off(
        self, item: Notification, due: float, reason: str, marks: Mapping[str, Any], now: float
    ) -> list[Command]:
        commands: list[Command] = [["ZADD", self._queue(item.channel), "XX", due, item.id]]
        flat = [part for pair in marks.items() for part in pair]
        commands.append(["HSET", self._note(item.id), *flat, "put_off_at", now])
        return commands + self._count(item.channel, reason)

    def _held(self, item: Notification) -> list[Command]:
        return [["HSET", self._note(item.id), "held_for", item.held_for]] if item.held_for else []

    def _out(self, item: Notification) -> list[Command]:
        return [["ZREM", self._queue(item.channel), item.id], ["DEL", self._note(item.id)]]

    def _log(self, notification_id: str, receipt: Receipt) -> list[Command]:
        key = self._receipt(notification_id)
        return [["HSET", key, "json", _dump(asdict(receipt))], ["EXPIRE", key, self._keep]]

    def _count(self, channel: str, reason: str) -> list[Command]:
        field = f"delivery:{channel}:{reason}"
        return [["HINCRBY", self._keys("count"), field, 1]] if reason else []

    def _state(self, channel: str, state: Mapping[str, Any]) -> list[Command]:
        flat = [part for pair in state.items() for part in pair]
        return [["HSET", self._keys("channel", channel), *flat]] if flat else []

    def _queue(self, channel: str) -> str:
        return self._keys("outbox", channel)

    def _note(self, notification_id: str) -> str:
        return self._keys("notification", notification_id)

    def _receipt(self, notification_id: str) -> str:
        return self._keys("receipt", notification_id)


def _in_order(items: Sequence[Notification]) -> Iterator[tuple[Notification, float]]:
    """Yield each with its due time, a microsecond apart: what is due at once keeps its order."""
    for place, item in enumerate(items):
        yield item, item.due - (len(items) - place) * 1e-6


def _dump(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
