"""`wirewatch feedback`: an editor's word on a story, as the buttons in Slack give it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import config_option, fail, load_or_exit, open_store, run_async, say

if TYPE_CHECKING:
    from monitor.config.schema import Config


@click.command()
@click.argument("story")
@config_option
@click.option("--topic", "topic_id", required=True, help="The topic the word is about.")
@click.option("--good/--bad", default=None, help="It belongs to the topic, or it does not.")
@click.option("--undo", is_flag=True, help="Take the answer on this story back.")
def feedback(story: str, config_dir: Path, topic_id: str, good: bool | None, undo: bool) -> None:
    """Say whether STORY (a URL or a story's id) belongs to a topic.

    It counts at once: the topic's threshold moves for stories like it while the story is kept.
    `wirewatch topics answers` lists all answers; `wirewatch topics tune TOPIC` proposes how to
    write them into the topic.
    """
    if undo is (good is not None):
        fail("say one of --good, --bad and --undo")
    config = load_or_exit(config_dir)
    if config.topic(topic_id) is None:
        known = ", ".join(topic.id for topic in config.topics[:12])
        fail(f"there is no topic {topic_id!r}; there are: {known}")
    days = f"{config.store.keep_stories / 86400:.0f} days"
    if good is None:
        if not run_async(_undo(config, story, topic_id)):
            fail(f"nobody has answered on {story} for {topic_id}", code=1)
        say(f"Taken back: the threshold of {topic_id} no longer moves for stories like it.")
        return
    title = run_async(_note(config, story, topic_id, good))
    if title is None:
        fail(f"{story}: no such story among those of the last {days}", code=1)
    said = "belongs" if good else "does not belong"
    effect = "more easily" if good else "only where they are surer"
    say(
        f"Noted: “{title}” {said} to {topic_id}. For {days} stories like it match {effect}; "
        f"`wirewatch topics tune {topic_id}` makes it last."
    )


async def _undo(config: Config, wanted: str, topic: str) -> bool:
    from monitor.alerting.feedback_store import FeedbackStore
    from monitor.analysis.archive import AnalysisStore

    async with open_store(config) as (client, keys):
        found = await AnalysisStore.of(client, config).find(wanted)
        story = found[0].story.id if found else wanted
        return await FeedbackStore(client, keys).undo(topic, story)


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
        verdict = Verdict(item.id, good, getpass.getuser(), SystemClock().now(), item.title)
        await FeedbackStore(client, keys).add(topic, verdict)
        return item.title
