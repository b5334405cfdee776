"""`wirewatch topics answers`: what editors answered, and whether it still moves lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.setup import (
    config_option,
    console,
    fail,
    load_or_exit,
    open_store,
    run_async,
    say_json,
)

if TYPE_CHECKING:
    from monitor.config.schema import Config


@click.command()
@click.argument("topic_id", metavar="[TOPIC]", required=False)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def answers(topic_id: str | None, config_dir: Path, as_json: bool) -> None:
    """List editors' answers, on all topics or on TOPIC, newest first.

    An answer moves its topic's threshold for stories like the one answered while that is kept;
    `wirewatch feedback STORY --topic TOPIC --undo` takes it back.
    """
    config = load_or_exit(config_dir)
    if topic_id and config.topic(topic_id) is None:
        fail(f"there is no topic {topic_id!r}; `wirewatch topics list` has them all")
    rows = run_async(_answers(config, topic_id))
    if as_json:
        say_json(rows)
        return
    from rich.text import Text

    from monitor.cli.words import moment
    from monitor.text import counted, one_line

    out = console()
    if not rows:
        out.print(
            "Nobody has answered yet: press the buttons in Slack, "
            "or use `wirewatch feedback STORY --topic TOPIC --bad`."
        )
        return
    out.print(Text(counted(len(rows), "answer"), style="bold"))
    for row in rows:
        said = "relevant" if row["good"] else "not relevant"
        out.print(Text(f"{row['topic']}: {said}, by {one_line(row['by'], 60)}, "
                       f"{moment(row['at'])}"))  # fmt: skip
        out.print(Text(f"  “{one_line(row['title'] or '?', 160)}”  {row['story']}", style="dim"))
        if not row["moves"]:
            out.print(Text("  moves no line: its story is no longer kept; tune still has it",
                           style="dim"))  # fmt: skip


async def _answers(config: Config, wanted: str | None) -> list[dict[str, Any]]:
    from monitor.alerting.feedback_store import FeedbackStore
    from monitor.analysis.archive import AnalysisStore

    rows: list[dict[str, Any]] = []
    async with open_store(config) as (client, keys):
        store, archive = FeedbackStore(client, keys), AnalysisStore.of(client, config)
        for topic in config.topics:
            if wanted not in (None, topic.id):
                continue
            verdicts = await store.all(topic.id)
            kept = {
                story.id: story.title
                async for story, _ in archive.headlines([one.story for one in verdicts])
            }
            rows += [
                {
                    "topic": topic.id,
                    "story": one.story,
                    "title": kept.get(one.story, one.title),
                    "good": one.good,
                    "by": one.by,
                    "at": one.at,
                    "moves": one.story in kept,
                }
                for one in verdicts
            ]
    return sorted(rows, key=lambda row: -row["at"])
