"""The whole way of one story, from the feed to the receipts: what `explain` and the desk show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from monitor.analysis.archive import AnalysisStore
from monitor.analysis.decision_record import match_record
from monitor.analysis.text_archive import TextVectors
from monitor.config.schema import Config
from monitor.delivery.delivery_status import delivery_status, sentence
from monitor.delivery.outbox import OutboxStore
from monitor.folding import fold
from monitor.matching import Background, TopicMatcher, texts
from monitor.model import EmbeddedStory
from monitor.reasons import SuppressionReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys

Moment = Callable[[float], str]  # how an instant is written for the reader

EVENT_STORIES = 50
_LOOKED_AT = 20_000  # stories that a search for words reads the headlines of


async def explain(
    client: Redis, keys: Keys, config: Config, wanted: str, moment: Moment
) -> dict[str, Any] | None:
    """Return everything known of a story (an address or an id) as JSON-ready data, or None.

    The verdict in one sentence, what became of each notification, its feed and times, the
    decision, the event's stories, and every topic's score against its threshold.
    """
    archive = AnalysisStore.of(client, config)
    found = await archive.find(wanted)
    if found is None:
        return None
    item, record = found
    story = item.story.to_dict()
    story.pop("body", None)
    waits = await _waits(archive, config, record)
    alerts = [row["id"] for row in record.get("alerts", ())]
    alerts += [row["told_as"] for row in waits if row["told_as"]]
    sent = await _notifications(OutboxStore(client, keys), config, alerts, moment)
    topics = await _topics(client, keys, config, item, record)
    return {
        "verdict": _verdict(record, topics, waits, sent),
        "notifications": sent,
        "waits": waits,
        "story": story,
        "passages": len(item.passages),
        "decision": {key: value for key, value in record.items() if key != "matches"},
        "event_stories": await _event_stories(archive, str(record.get("event", ""))),
        "topics": topics,
    }


async def find_stories(
    archive: AnalysisStore, words: str, since: float, until: float, limit: int
) -> list[dict[str, Any]]:
    """Return the newest stories in whose headline or outlet every word stands.

    Each as id, title, source, seen_at and `verdict`: what was decided, in a word or two.
    """
    wanted = fold(words).split()[:20]
    days = [ids async for ids in archive.between(since, until)]
    newest = [story_id for ids in reversed(days) for story_id in reversed(ids)][:_LOOKED_AT]
    rows: list[dict[str, Any]] = []
    async for story, record in archive.headlines(newest):
        text = fold(f"{story.title}\n{story.source}")
        if all(word in text for word in wanted):
            rows.append(
                {
                    "id": story.id,
                    "title": story.title,
                    "source": story.source,
                    "seen_at": story.seen_at,
                    "verdict": verdict_of(record),
                }
            )
            if len(rows) == limit:
                break
    return rows


def verdict_of(record: dict[str, Any]) -> str:
    """Return what was decided about a story in a word or two: "told: first", "copy", "no topic"."""
    if record.get("alerts"):
        reasons = dict.fromkeys(str(row["reason"]) for row in record["alerts"])
        return f"told: {', '.join(reasons)}"
    held = dict.fromkeys(str(row["reason"]) for row in record.get("suppressions", ()))
    return ", ".join(held).replace("_", " ") or "near no topic"


async def _waits(
    archive: AnalysisStore, config: Config, record: dict[str, Any]
) -> list[dict[str, Any]]:
    """What became of each topic's wait for further sources: it waits, was told, or expired."""
    held = [
        row["topic"]
        for row in record.get("suppressions", ())
        if row["reason"] == SuppressionReason.AWAITING_SOURCES
    ]
    states = await archive.alert_states([str(record.get("event", ""))]) if held else {}
    rows = []
    for topic in held:
        text = states.get((topic, str(record.get("event", ""))))
        state = json.loads(text) if text else {}
        settings = config.topic(topic)
        wait = settings.alert.wait_at_most if settings else 0.0
        rows.append(
            {
                "topic": topic,
                "state": {"lapsed": "expired"}.get(state.get("state", ""), state.get("state", "")),
                "until": state["since"] + wait if state and wait else 0.0,
                "told_as": state.get("first", ""),
            }
        )
    return rows


async def _notifications(
    outbox: OutboxStore, config: Config, alerts: list[str], moment: Moment
) -> list[dict[str, Any]]:
    """Where each notification of these alerts stands, on every channel."""
    rows: list[dict[str, Any]] = []
    channels = sorted({*config.channels, "terminal", *(await outbox.channels())})
    for alert in dict.fromkeys(alerts):
        for channel in channels:
            status = await delivery_status(outbox, f"{alert}@{channel}")
            if status is not None:
                rows.append({**asdict(status), "text": sentence(status, moment)})
    return rows


def _verdict(
    record: dict[str, Any],
    topics: list[dict[str, Any]],
    waits: list[dict[str, Any]],
    sent: list[dict[str, Any]],
) -> str:
    """Return the answer in one sentence."""
    alerts = [f"{row['topic']} ({row['reason']})" for row in record.get("alerts", ())]
    alerts += [f"{row['topic']} (first, after a wait)" for row in waits if row["told_as"]]
    if alerts:
        for state, word in (
            ("sent", "Told"),
            ("held", "To be told later"),
            ("waiting", "To be told"),
            ("silenced", "Not told, it was silenced"),
            ("dead", "Not told, no channel took it"),
        ):
            if any(row["state"] == state for row in sent):
                return f"{word}: {', '.join(alerts)}"
        return f"Decided to tell, but no channel has a record of it: {', '.join(alerts)}"
    words = {"waiting": "waits", "expired": "waited in vain"}
    for row in waits:
        if row["state"] in words:
            return f"Not told: {row['topic']} {words[row['state']]} for further sources"
    if record.get("copy_of") and not any(row.get("fired") for row in topics):
        return f"Not told: a copy of {record['copy_of']}"
    held = [row for row in record.get("suppressions", ()) if row["reason"] != "below_threshold"]
    fired = {row["topic"] for row in topics if row.get("fired")}
    for row in sorted(held, key=lambda row: row["topic"] not in fired):
        return f"Not told: {row['topic']}, {row['reason'].replace('_', ' ')}" + (
            f" ({row['detail']})" if row.get("detail") else ""
        )
    if not topics:
        return "Not told: no topic was watched"
    best = topics[0]
    score = f"{best['score']:.2f} of the {best['line']:.2f} it needs"
    return f"Not told: no topic fired; the nearest is {best['topic']}, {score}"


async def _event_stories(archive: AnalysisStore, event: str) -> list[dict[str, Any]]:
    """The event's stories as they stand now, oldest first (the first 50)."""
    rows = []
    async for story, record in archive.headlines((await archive.members(event))[:EVENT_STORIES]):
        rows.append(
            {
                "id": story.id,
                "title": story.title,
                "source": story.source,
                "seen_at": story.seen_at,
                "copy_of": record.get("copy_of"),
            }
        )
    return rows


async def _topics(
    client: Redis, keys: Keys, config: Config, item: EmbeddedStory, record: dict[str, Any]
) -> list[dict[str, Any]]:
    """Every topic's score, from the stored vectors; what triage noted where it differs is kept."""
    noted = {row["topic"]: row for row in record.get("matches", ())}
    cache = TextVectors(client, keys)
    model = await cache.model()
    background = Background.shipped(item.model)
    if model is not None and model.fingerprint == item.model and background is not None:
        phrases = texts(config.topics)
        vectors = await cache.get(model, phrases)
        if len(vectors) == len(set(phrases)):
            matcher = TopicMatcher.build(config.topics, vectors, background)
            for match in matcher.score_batch([item])[0]:
                noted.setdefault(match.topic, match_record(match))
    verdicts = {row["topic"]: row["reason"] for row in record.get("suppressions", ())}
    verdicts |= {row["topic"]: row["reason"] for row in record.get("alerts", ())}
    for row in noted.values():
        row["verdict"] = verdicts.get(row["topic"], row["reason"])
    return sorted(noted.values(), key=lambda row: -float(row["score"]))
