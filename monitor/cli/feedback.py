"""`wirewatch feedback`: an editor's word on a story, as the buttons in Slack give it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import config_option, fail, load_or_exit, open_store, run_async

if TYPE_CHECKING:
    from monitor.config.schema import Config


@click.command()
@click.argument("story")
@config_option
@click.option("--topic", "topic_id", required=True, help="The topic the word is about.")
@click.option("--good/--bad", required=True, help="It belongs to the topic, or it does not.")
def feedback(story: str, config_dir: Path, topic_id: str, good: bool) -> None:
    """Say whether STORY (a URL or a story's id) belongs to a topic.

    Nothing changes by itself: `wirewatch topics tune TOPIC` makes a proposal of the answers.
    """
    config = load_or_exit(config_dir)
    if config.topic(topic_id) is None:
        known = ", ".join(topic.id for topic in config.topics[:12])
        fail(f"there is no topic {topic_id!r}; there are: {known}")
    title = run_async(_note(config, story, topic_id, good))
    if title is None:
        days = config.store.keep_stories / 86400
        fail(f"{story}: no such story among those of the last {days:.0f} days", code=1)
    said = "belongs" if good else "does not belong"
    click.echo(f"Noted: “{title}” {said} to {topic_id}.")


async def _note(config: Config, wanted: str, topic: str, good: bool) -> str | None:
    from monitor.alerting.feedback_store import FeedbackStore, Verdict
    from monitor.analysis.archive import AnalysisStore
    from monitor.clock import SystemClock

    async with open_store(config) as (client, keys):
        archive = AnalysisStore.of(client, config)
        found = await archive.find(wanted)
        if found is None:
            return None
        item = found[0].story
        verdict = Verdict(item.id, good, getpass.getuser(), SystemClock().now())
        await FeedbackStore(client, keys).add(topic, verdict)
        return item.title
