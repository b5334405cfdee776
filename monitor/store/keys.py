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
    bound: str = ""  # how large it can get, where it does not go by itself


TABLE: tuple[KeyRule, ...] = (
    # polling
    KeyRule("due", "zset", "poller", "fixed", "a member a feed"),
    KeyRule("feed:*:state", "hash", "poller", "trimmed", "goes a while after its feed"),
    KeyRule("feed:*:seen", "hash", "poller", "trimmed", "entries of `store.keep_seen`"),
    KeyRule("host:*", "string", "poller", "ttl"),
    KeyRule("paused", "hash", "poller", "trimmed", "a field a paused feed"),
    KeyRule("outage", "string", "poller", "ttl"),
    KeyRule("line:*", "zset", "poller", "ttl"),
    KeyRule("websub:*", "hash", "poller", "ttl"),
    # queues
    KeyRule("lane:*", "list", "poller", "trimmed", "`polling.max_backlog`, until embedded"),
    KeyRule("lanes", "zset", "poller", "trimmed", "a member a feed with waiting stories"),
    KeyRule("lanes:state", "hash", "poller", "fixed", "a few fields"),
    KeyRule("stream:stories", "stream", "poller", "trimmed", "`polling.max_backlog`, both streams"),
    KeyRule(
        "stream:vectors", "stream", "embedder", "trimmed", "`polling.max_backlog`, both streams"
    ),
    KeyRule("dead", "hash", "queue", "trimmed", "letters of `store.keep_receipts`"),
    # embedding
    KeyRule("model", "hash", "embedder", "fixed", "a few fields"),
    KeyRule("wanted", "hash", "triage", "trimmed", "topics' texts, until embedded"),
    KeyRule("textvec:*", "hash", "embedder", "ttl"),
    KeyRule("pairs", "list", "triage", "ttl"),
    KeyRule("pairs:*", "list", "embedder", "ttl"),
    # analysis
    KeyRule("window:*", "hash", "triage", "ttl"),
    KeyRule("story:*", "hash", "triage", "ttl"),
    KeyRule("day:*", "zset", "triage", "ttl"),
    KeyRule("url:*", "string", "triage", "ttl"),
    KeyRule("event:*", "hash", "triage", "ttl"),
    KeyRule("told:*", "hash", "triage", "ttl"),
    KeyRule("pending", "hash", "triage", "trimmed", "a field an alert, for `wait_at_most`"),
    KeyRule("apart", "hash", "triage", "trimmed", "a field a story a person parted, 1,000"),
    KeyRule("feedback:*", "hash", "triage", "ttl"),
    KeyRule("spikes:*", "zset", "triage", "ttl"),
    KeyRule("missed", "string", "embedder", "fixed", "one instant"),
    KeyRule("missed:lists", "string", "poller", "ttl"),
    # services that may be asked
    KeyRule("asked:*", "string", "workers", "ttl"),
    KeyRule("spent:*", "hash", "workers", "ttl"),
    # delivery
    KeyRule("outbox", "set", "notifier", "trimmed", "a member a channel"),
    KeyRule("outbox:*", "zset", "notifier", "trimmed", "what waits; see `notification:*`"),
    KeyRule("notification:*", "hash", "notifier", "trimmed", "until told; see below"),
    KeyRule("receipt:*", "hash", "notifier", "ttl"),
    KeyRule("thread:*", "hash", "notifier", "ttl"),
    KeyRule("recent:*", "list", "notifier", "trimmed", "200 rows a channel"),
    KeyRule("ceiling:*", "string", "notifier", "ttl"),
    KeyRule("silence:*", "hash", "notifier", "ttl"),
    KeyRule("subscriptions", "hash", "notifier", "trimmed", "200 subscriptions"),
    KeyRule("channel:*", "hash", "notifier", "fixed", "a few fields, goes with its channel"),
    KeyRule("digest:*", "string", "notifier", "ttl"),
    # history
    KeyRule(
        "history:order", "zset", "triage", "trimmed", "a member an alert of `store.keep_history`"
    ),
    KeyRule("history:alerts:*", "hash", "triage", "ttl"),
    KeyRule("history:sent:*", "hash", "notifier", "ttl"),
    KeyRule("history:event:*", "hash", "triage", "ttl"),
    KeyRule("stream:desk", "stream", "triage", "trimmed", "the last 2,000 things that happened"),
    # desk
    KeyRule("desk:link:*", "string", "desk", "ttl"),
    KeyRule("desk:session:*", "string", "desk", "ttl"),
    KeyRule("desk:tokens", "hash", "desk", "fixed", "200 tokens"),
    # running
    KeyRule("lease:*", "string", "workers", "ttl"),
    KeyRule("workers", "zset", "workers", "trimmed", "a member a live process"),
    KeyRule("worker:*", "hash", "workers", "ttl"),
    KeyRule("fault:*", "string", "workers", "ttl"),
    KeyRule("config", "hash", "workers", "fixed", "a few fields"),
    KeyRule("count", "hash", "workers", "fixed", "a field a topic, channel and reason"),
    KeyRule("installation", "string", "workers", "fixed", "one mark"),
    KeyRule("watch:*", "hash", "watchdog", "trimmed", "a field a topic and a trouble"),
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds key names under one prefix."""

    prefix: str = "ww"

    def __call__(self, *parts: str) -> str:
        """Return the full name: `keys("feed", "bbc", "state")` → `{ww}:feed:bbc:state`."""
        return "{" + self.prefix + "}:" + ":".join(parts)
