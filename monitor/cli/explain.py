"""`wirewatch explain`: the whole way of one story, from the feed to the receipts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.setup import config_option, console, fail, load_or_exit, open_store, run_async
from monitor.reasons import SuppressionReason

if TYPE_CHECKING:
    from monitor.analysis.archive import AnalysisStore
    from monitor.config.schema import Config
    from monitor.delivery.outbox import OutboxStore
    from monitor.model import EmbeddedStory
    from monitor.store.client import Redis
    from monitor.store.keys import Keys


# Who decided a score (`Match.judged`); what earlier releases decided does not say.
BY = {"judge": "", "encoder": ", by the encoder alone: no judge answered", "screened": ""}
FAR = 5  # topics below their line that are listed unless --all asks for the rest


@click.command()
@click.argument("story")
@config_option
@click.option("--all", "every", is_flag=True, help="List every topic, however far from its line.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def explain(story: str, config_dir: Path, every: bool, as_json: bool) -> None:
    """Show why STORY (an address or a story's id) was told, or was not.

    First the verdict and what became of each notification: sent, silenced by whom, held until
    when. Then why: its feed and times, whether it is a copy, its event, and every topic's score.
    """
    config = load_or_exit(config_dir)
    told = run_async(_explain(config, story))
    if told is None:
        days = config.store.keep_stories / 86400
        fail(
            f"{story}: no such story among those of the last {days:.0f} days. Either no feed has "
            "brought it, or it is still on its way; `wirewatch feeds list` says how the feeds are.",
            code=1,
        )
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(told, every)


async def _explain(config: Config, wanted: str) -> dict[str, Any] | None:
    from monitor.analysis.archive import AnalysisStore
    from monitor.delivery.outbox import OutboxStore

    async with open_store(config) as (client, keys):
        archive = AnalysisStore(client, keys, config.store.keep_stories, config.events.window)
        found = await archive.find(wanted)
        if found is None:
            return None
        item, record = found
        story = item.story.to_dict()
        story.pop("body", None)
        waits = await _waits(archive, config, record)
        alerts = [row["id"] for row in record.get("alerts", ())]
        alerts += [row["told_as"] for row in waits if row["told_as"]]
        sent = await _notifications(OutboxStore(client, keys), config, alerts)
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


async def _waits(
    archive: AnalysisStore, config: Config, record: dict[str, Any]
) -> list[dict[str, Any]]:
    """What became of each topic's wait for further sources: it waits, was told, or expired."""
    held = [
        row["topic"]
        for row in record.get("suppressions", ())
        if row["reason"] == SuppressionReason.AWAITING_SOURCES
    ]
    states = await archive.told([str(record.get("event", ""))]) if held else {}
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
    outbox: OutboxStore, config: Config, alerts: list[str]
) -> list[dict[str, Any]]:
    """Where each notification of these alerts stands, on every channel."""
    from monitor.cli.words import moment
    from monitor.delivery.delivery_status import delivery_status, sentence

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
    for story_id in (await archive.members(event))[:50]:
        found = await archive.story(story_id)
        if found is not None:
            story, record = found[0].story, found[1]
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
    from monitor.analysis.decision_record import match_record
    from monitor.analysis.text_archive import TextVectors
    from monitor.matching import Background, TopicMatcher, texts

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


def _show(told: dict[str, Any], every: bool) -> None:
    from rich.text import Text

    from monitor.cli.words import moment
    from monitor.text import strip_invisible

    out, story, decision = console(), told["story"], told["decision"]

    def line(text: str, style: str = "") -> None:
        out.print(Text(strip_invisible(text).replace("\n", " "), style=style))

    line(story["title"], "bold")
    line(f"{story.get('source', '')}  {story.get('url', '')}", "dim")
    line(told["verdict"], "bold green" if told["verdict"].startswith("Told") else "bold yellow")
    for row in told["notifications"]:
        line(f"  {row['channel']}: {row['text']}")
    for row in told["waits"]:
        until = f", until {moment(row['until'])}" if row["until"] else ""
        line(f"  {row['topic']}: {row['state'] or 'its event joined another'}{until}")
    line("")
    line(f"story      {story['id']}, {_count(told['passages'], 'passage')}")
    line(f"feed       {story.get('feed_id', '-')}")
    line(f"published  {moment(story.get('published', 0))}")
    line(f"seen       {moment(story.get('seen_at', 0))}")
    line(f"decided    {moment(decision.get('at', 0))}")
    if story.get("baseline"):
        line("baseline   it was there before this feed was first read")
    if decision.get("copy_of"):
        line(f"copy       {decision['copy_kind']} of {decision['copy_of']}")
    line(f"event      {decision.get('event')}: {decision.get('why', '')}")
    if decision.get("novelty"):
        line(f"new in it  {decision['novelty']}")
    line(f"sources    {', '.join(decision.get('sources', ())) or '-'}")
    _show_topics(told, every, line)
    if len(told["event_stories"]) > 1:
        line("")
        line("stories of this event", "bold")
        for row in told["event_stories"]:
            mark = " (copy)" if row["copy_of"] else ""
            line(f"  {moment(row['seen_at'])}  {row['source']}: {row['title']}{mark}")


def _show_topics(told: dict[str, Any], every: bool, line: Callable[..., None]) -> None:
    """List topics that fired or were held by something, then the nearest; the rest is counted."""
    details = {
        row["topic"]: row["detail"]
        for row in told["decision"].get("suppressions", ())
        if row.get("detail")
    }
    near = [row for row in told["topics"] if row["verdict"] != SuppressionReason.BELOW_THRESHOLD]
    far = [row for row in told["topics"] if row["verdict"] == SuppressionReason.BELOW_THRESHOLD]
    shown = near + (far if every else far[:FAR])
    line("")
    line("topics: score, what it needs, verdict", "bold")
    for row in shown:
        by = BY.get(row.get("by", ""), "")
        line(f"  {row['topic']}  {row['score']:.2f} of {row['line']:.2f}  {row['verdict']}{by}")
        if row["topic"] in details:
            line(f"      {details[row['topic']]}", "dim")
        if row in near and row.get("evidence"):
            line(f"      “{row['evidence'][:240]}”", "dim")
    if len(told["topics"]) > len(shown):
        rest = len(told["topics"]) - len(shown)
        line(f"  and {_count(rest, 'topic')} further below; --all lists them", "dim")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
