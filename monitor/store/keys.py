"""Every key Wirewatch writes: its name, its owner, and when it goes.

All names share one hash tag, `{prefix}`, so that on a Redis Cluster every atomic step finds its
keys in one slot. `TABLE` is what the retention test reads: a key that matches no row is a leak.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyRule:
    """One kind of key. `pattern` is a glob without the prefix; `goes` says when it disappears."""

    pattern: str
    kind: str
    owner: str
    goes: str  # "ttl", "trimmed" (bounded by its owner) or "fixed" (a handful, for ever)


TABLE: tuple[KeyRule, ...] = (
    # polling
    KeyRule("due", "zset", "poller", "fixed"),
    KeyRule("feed:*:state", "hash", "poller", "trimmed"),
    KeyRule("feed:*:seen", "hash", "poller", "trimmed"),
    KeyRule("host:*", "string", "poller", "ttl"),
    KeyRule("line:*", "zset", "poller", "ttl"),
    KeyRule("websub:*", "hash", "poller", "trimmed"),
    # queues
    KeyRule("stream:stories", "stream", "poller", "trimmed"),
    KeyRule("stream:vectors", "stream", "embedder", "trimmed"),
    KeyRule("dead", "hash", "queue", "trimmed"),
    # embedding
    KeyRule("model", "hash", "embedder", "fixed"),
    KeyRule("wanted", "hash", "triage", "trimmed"),
    KeyRule("textvec:*", "hash", "embedder", "ttl"),
    # analysis
    KeyRule("window:*", "hash", "triage", "ttl"),
    KeyRule("story:*", "hash", "triage", "ttl"),
    KeyRule("day:*", "zset", "triage", "ttl"),
    KeyRule("url:*", "string", "triage", "ttl"),
    KeyRule("event:*", "hash", "triage", "ttl"),
    KeyRule("told:*", "hash", "triage", "ttl"),
    KeyRule("pending", "hash", "triage", "trimmed"),
    KeyRule("feedback:*", "hash", "triage", "fixed"),
    # delivery
    KeyRule("outbox", "set", "notifier", "trimmed"),
    KeyRule("outbox:*", "zset", "notifier", "trimmed"),
    KeyRule("notification:*", "hash", "notifier", "trimmed"),
    KeyRule("receipt:*", "hash", "notifier", "ttl"),
    KeyRule("thread:*", "hash", "notifier", "ttl"),
    KeyRule("recent:*", "list", "notifier", "trimmed"),
    KeyRule("ceiling:*", "string", "notifier", "ttl"),
    KeyRule("silence:*", "hash", "notifier", "ttl"),
    KeyRule("channel:*", "hash", "notifier", "fixed"),
    KeyRule("digest:*", "string", "notifier", "ttl"),
    # running
    KeyRule("lease:*", "string", "workers", "ttl"),
    KeyRule("workers", "zset", "workers", "trimmed"),
    KeyRule("worker:*", "hash", "workers", "ttl"),
    KeyRule("config", "hash", "workers", "fixed"),
    KeyRule("count", "hash", "workers", "fixed"),
    KeyRule("watch:*", "hash", "watchdog", "trimmed"),
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds key names under one prefix."""

    prefix: str = "ww"

    def __call__(self, *parts: str) -> str:
        """Return the full name: `keys("feed", "bbc", "state")` → `{ww}:feed:bbc:state`."""
        return "{" + self.prefix + "}:" + ":".join(parts)
