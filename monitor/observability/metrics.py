"""Every metric of the service, in one place: name, help, labels.

`metrics.FETCHES.labels(reason=FetchReason.OK).inc()`. Reasons come from `monitor.reasons`, and
each is present from the start at 0, so that rates and alerts work before the first occurrence.
docs/reference/metrics.md is generated from this module; the Prometheus rules and the Grafana
dashboard in deploy/monitoring are tested against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from monitor.reasons import (
    AlertReason,
    DeadLetterReason,
    EntryReason,
    FetchReason,
    SuppressionReason,
)
from monitor.stages import STREAMS

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_LONG_SECONDS = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"wirewatch_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"wirewatch_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
    return Histogram(f"wirewatch_{name}", text, labels, registry=REGISTRY, buckets=tuple(buckets))


# --- polling
FETCHES = _counter("fetches", "Polls of feeds, by how they ended.", "reason")
FETCH_SECONDS = _histogram("fetch_seconds", "Duration of one fetch.", _SECONDS)
FETCH_BYTES = _counter("fetch_bytes", "Bytes received on the wire from feeds.")
PARSE_SECONDS = _histogram("parse_seconds", "Duration of parsing one document.", _SECONDS)
ENTRIES = _counter("entries", "Entries of feeds, by what became of them.", "reason")
POLL_LATENESS = _histogram(
    "poll_lateness_seconds", "How long after its due time a feed was polled.", _SECONDS
)
FEEDS = _gauge("feeds", "Feeds in the configuration, by health.", "health")
FEEDS_DUE = _gauge("feeds_due", "Feeds whose due time has passed.")
STORIES = _counter("stories", "Stories handed over by the poller.")

# --- queues
QUEUE_DEPTH = _gauge("queue_depth", "Messages in a queue, delivered or not.", "queue")
QUEUE_LAG = _gauge("queue_lag", "Messages in a queue that no worker has taken yet.", "queue")
QUEUE_PENDING = _gauge("queue_pending", "Messages a worker has taken and not acked.", "queue")
QUEUE_OLDEST = _gauge("queue_oldest_seconds", "Age of the oldest message in a queue.", "queue")
QUEUE_RECLAIMED = _counter(
    "queue_reclaimed", "Messages taken up again after a worker died or failed.", "queue"
)
DEAD_LETTERS = _counter("dead_letters", "Items set aside as dead letters.", "queue", "reason")
DEAD_LETTERS_WAITING = _gauge("dead_letters_waiting", "Dead letters waiting for a decision.")

# --- embedding
EMBED_BATCH = _histogram(
    "embed_batch_texts", "Texts in one batch of the model.", (1, 2, 4, 8, 16, 32, 64, 128, 256)
)
EMBED_SECONDS = _histogram("embed_batch_seconds", "Duration of one batch of the model.", _SECONDS)
EMBED_TEXTS = _counter("embed_texts", "Texts embedded.")
PAIRS = _counter("judge_pairs", "Pairs of reports that the pair judge was asked about.", "answered")
EMBED_RATE = _gauge("embed_texts_per_second", "Texts per second of the last batch.")
MODEL_READY = _gauge("model_ready", "1 when the embedding model is loaded.")
MODEL = Info("wirewatch_model", "The embedding model in use.", registry=REGISTRY)

# --- analysis
ANALYSED = _counter("stories_analysed", "Stories that went through triage.")
COPIES = _counter("copies", "Stories recognised as copies, by kind.", "kind")
EVENTS = _counter("events", "Events opened.")
MERGES = _counter("event_merges", "Events that turned out to be one.")
MATCHES = _counter("matches", "Stories that fired a topic.", "topic")
ALERTS = _counter("alerts", "Alerts decided, by reason.", "reason")
SUPPRESSIONS = _counter("suppressions", "Alerts not sent, or not yet, by reason.", "reason")
MISSED = _counter(
    "missed_happenings", "Happenings of the daily outside list, by what became of them.", "outcome"
)
ANALYSE_SECONDS = _histogram("analyse_seconds", "Duration of triage for one batch.", _SECONDS)
LEASE_HELD = _gauge("lease_held", "1 while this process holds a single-writer lease.", "lease")
LEASE_CHANGES = _counter("lease_changes", "Times a lease was taken over.", "lease")

# --- delivery
NOTIFICATIONS = _counter(
    "notifications", "Attempts to notify, by channel and outcome.", "channel", "outcome"
)
SEND_SECONDS = _histogram("send_seconds", "Duration of one send.", _SECONDS, "channel")
OUTBOX_WAITING = _gauge("outbox_waiting", "Notifications waiting to be sent.", "channel")
OUTBOX_OLDEST = _gauge("outbox_oldest_seconds", "Age of the oldest notification.", "channel")

# --- end to end: each stage counts from the one before; the last from publication
SEEN_AFTER = _histogram(
    "published_to_seen_seconds", "From the publisher's own time to the poll.", _LONG_SECONDS
)
ALERTED_AFTER = _histogram("seen_to_alerted_seconds", "From the poll to the decision.", _SECONDS)
DELIVERED_AFTER = _histogram(
    "alerted_to_delivered_seconds", "From the decision to the receipt.", _SECONDS
)
END_TO_END = _histogram(
    "published_to_delivered_seconds", "From publication to the receipt.", _LONG_SECONDS
)

# --- running
CONFIG_OK = _gauge("config_ok", "0 while the configuration on disk has a mistake.")
CONFIG_LOADED_AT = _gauge(
    "config_loaded_timestamp_seconds", "When a configuration was last taken over."
)
RELOADS = _counter("config_reloads", "Reloads of the configuration, by outcome.", "outcome")
TOPICS = _gauge("topics", "Topics in force.")
WORKER_UP = _gauge("worker_up", "1 while a worker of this process runs.", "worker")
WORKER_RESTARTS = _counter("worker_restarts", "Times a worker failed and was restarted.", "worker")
WORKERS_SEEN = _gauge("workers_seen", "Processes with a fresh heartbeat, by stage.", "worker")
STORE_UP = _gauge("store_up", "1 when the store answers.")
STORE_RESTARTS = _counter("store_restarts", "Times the embedded store was restarted.")
NOTICES = _counter("notices", "Notices of the watchdog, by kind.", "kind")
CANARY_OK = _gauge("canary_ok", "1 when the last canary walked the whole path in time.")
CANARY_SECONDS = _gauge("canary_seconds", "How long the last canary took.")
CANARY_LOST = _counter("canary_lost", "Canaries that did not arrive in time.")
BUILD = Info("wirewatch_build", "Version of the running service.", registry=REGISTRY)

for _reason in FetchReason:
    FETCHES.labels(reason=_reason)
for _entry in EntryReason:
    ENTRIES.labels(reason=_entry)
for _alert in AlertReason:
    ALERTS.labels(reason=_alert)
for _held in SuppressionReason:
    SUPPRESSIONS.labels(reason=_held)
for _queue in STREAMS:
    QUEUE_RECLAIMED.labels(queue=_queue)
    for _dead in DeadLetterReason:
        DEAD_LETTERS.labels(queue=_queue, reason=_dead)
DEAD_LETTERS.labels(queue="notifier", reason=DeadLetterReason.UNDELIVERABLE)
LEASE_HELD.labels(lease="triage")


def show(gauge: Gauge, figures: Mapping[str, float]) -> None:
    """Make `figures`, by the value of the gauge's one label, all that `gauge` shows.

    What is gone (a channel taken out of the configuration) must not keep its last figure.
    """
    gauge.clear()
    for label, figure in figures.items():
        gauge.labels(label).set(figure)


def exposition() -> tuple[bytes, str]:
    """Return the page for `/metrics` in Prometheus text format, and its content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
