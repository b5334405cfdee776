"""`wirewatch explain`: the whole way of one story, from the feed to the receipts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.setup import config_option, console, fail, load_or_exit, open_store, run_async

if TYPE_CHECKING:
    from monitor.analysis.archive import AnalysisStore
    from monitor.config.schema import Config
    from monitor.model import EmbeddedStory
    from monitor.store.client import Redis
    from monitor.store.keys import Keys


@click.command()
@click.argument("story")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def explain(story: str, config_dir: Path, as_json: bool) -> None:
    """Show why STORY (a URL or a story's id) was told, or was not.

    Its feed and times, whether it is a copy, its event, every topic's score against its line with
    the gates, each alert or the reason for none, and what became of the notifications.
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
        _show(told)


async def _explain(config: Config, wanted: str) -> dict[str, Any] | None:
    from monitor.analysis.archive import AnalysisStore
    from monitor.identity import canonical_url

    async with open_store(config) as (client, keys):
        archive = AnalysisStore(client, keys, config.store.keep_stories, config.events.window)
        found = await archive.story(wanted)
        if found is None and (by_url := await archive.find(canonical_url(wanted))):
            found = await archive.story(by_url)
        if found is None:
            return None
        item, record = found
        story = item.story.to_dict()
        story.pop("body", None)
        return {
            "story": story,
            "passages": len(item.passages),
            "decision": {key: value for key, value in record.items() if key != "matches"},
            "event_stories": await _event_stories(archive, str(record.get("event", ""))),
            "topics": await _topics(client, keys, config, item, record),
            "notifications": await _notifications(client, keys, config, record),
        }


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


async def _notifications(
    client: Redis, keys: Keys, config: Config, record: dict[str, Any]
) -> list[dict[str, Any]]:
    from monitor.delivery.outbox import OutboxStore

    outbox = OutboxStore(client, keys)
    rows: list[dict[str, Any]] = []
    for alert in record.get("alerts", ()):
        for channel in sorted({*config.channels, "terminal", *(await outbox.channels())}):
            name = f"{alert['id']}@{channel}"
            receipt = await outbox.receipt(name)
            if receipt is not None:
                rows.append(
                    {
                        "id": name,
                        "channel": channel,
                        "state": "sent",
                        "at": receipt.at,
                        "ref": receipt.ref,
                        "attempts": receipt.attempts,
                    }
                )
            elif await outbox.is_waiting(name):
                rows.append({"id": name, "channel": channel, "state": "waiting"})
    return rows


def _show(told: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from monitor.cli.words import moment

    out, story, decision = console(), told["story"], told["decision"]
    out.print(Text(story["title"], style="bold"))
    out.print(Text(f"{story.get('source', '')}  {story.get('url', '')}", style="dim"))
    rows = Table.grid(padding=(0, 2))
    rows.add_row("story", f"{story['id']}, {told['passages']} passages")
    rows.add_row("feed", story.get("feed_id", "-"))
    rows.add_row("published", moment(story.get("published", 0)))
    rows.add_row("seen", moment(story.get("seen_at", 0)))
    rows.add_row("decided", moment(decision.get("at", 0)))
    if story.get("baseline"):
        rows.add_row("baseline", "it was there before this feed was first read")
    if decision.get("copy_of"):
        rows.add_row("copy", f"{decision['copy_kind']} of {decision['copy_of']}")
    rows.add_row("event", Text(f"{decision.get('event')}: {decision.get('why', '')}"))
    if decision.get("novelty"):
        rows.add_row("what is new", Text(decision["novelty"]))
    rows.add_row("sources", Text(", ".join(decision.get("sources", ())) or "-"))
    out.print(rows)
    table = Table(title="topics")
    for name, justify in (("topic", "left"), ("score", "right"), ("line", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("verdict")
    table.add_column("evidence", max_width=60, overflow="fold")
    for row in told["topics"]:
        table.add_row(
            row["topic"],
            f"{row['score']:.2f}",
            f"{row['line']:.2f}",
            row["verdict"],
            Text(row["evidence"][:240]),
        )
    out.print(table)
    for held in decision.get("suppressions", ()):
        if held.get("detail"):
            out.print(Text(f"{held['topic']}: {held['reason']}, {held['detail']}"))
    for row in told["notifications"]:
        when = f" at {moment(row['at'])} ({row['ref']})" if row["state"] == "sent" else ""
        out.print(Text(f"{row['channel']}: {row['state']}{when}"))
    if len(told["event_stories"]) > 1:
        out.print(Text("\nstories of this event", style="bold"))
        for row in told["event_stories"]:
            mark = " (copy)" if row["copy_of"] else ""
            out.print(Text(f"  {moment(row['seen_at'])}  {row['source']}: {row['title']}{mark}"))
