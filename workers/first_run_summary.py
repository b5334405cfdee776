"""The first answer: what was already out there when the service first looked, in the terminal.

What a first poll finds is a silent baseline and never goes to Slack or mail. But someone who has
just started the service wants to see that it works, so the terminal gets one summary of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError
from rich.console import RenderableType

from monitor.analysis.archive import AnalysisStore
from monitor.delivery.channels.terminal_text import render_terminal_summary
from monitor.health.config_store import ConfigStore
from monitor.model import Alert, FeedState, Story
from monitor.observability.logs import get_logger
from monitor.polling.feed_store import FeedStore
from monitor.queue.hand_overs import Streams
from monitor.reasons import AlertReason
from workers.runtime import Runtime

log = get_logger(__name__)

LOOK_EVERY = 0.5
PATIENCE = 90.0  # seconds for the slowest feeds; the summary does not wait for them longer
SHOWN = 12


class FirstRunSummary:
    """Prints the summary once every feed has been read (or given up on) and triage is through.

    Args:
        runtime: what the process stands on.
        show: prints a rich renderable.
    """

    name = "first_run_summary"

    def __init__(self, runtime: Runtime, show: Callable[[RenderableType], None]) -> None:
        self._runtime = runtime
        self._show = show
        self._config = ConfigStore(runtime.store, runtime.keys)
        self._feeds = FeedStore(runtime.store, runtime.keys)
        self._streams = Streams(runtime.store, runtime.keys)
        self._archive = AnalysisStore.of(runtime.store, runtime.config)

    async def run(self) -> None:
        """Wait for the first round, print, and be done until the runtime stops."""
        try:
            if not await self._config.first_run_summed_up():
                if await self._first_round():
                    return
                await self._say()
                await self._config.sum_up_first_run()
        except (RedisError, OSError) as error:
            log.warning("store_unreachable", worker=self.name, error=str(error))
        await self._runtime.stopping.wait()

    async def _first_round(self) -> bool:
        """Wait until everything was read once. Return True if the service stops before.

        Without a network there is nothing to sum up: then it waits until some feed has answered.
        """
        deadline = self._runtime.clock.now() + PATIENCE
        while True:
            states = await self._states()
            answered = not states or any(state.last_success for state in states)
            read = all(state.last_poll for state in states) and await self._nothing_waiting()
            if answered and (read or self._runtime.clock.now() >= deadline):
                return False
            if await self._runtime.wait_or_stop(LOOK_EVERY):
                return True

    async def _states(self) -> list[FeedState]:
        ids = [feed.id for feed in self._runtime.config.feeds if feed.enabled]
        return await self._feeds.load_states(ids)

    async def _nothing_waiting(self) -> bool:
        return not any((await self._streams.depths()).values())

    async def _say(self) -> None:
        now = self._runtime.clock.now()
        stories, found = 0, list[Alert]()
        async for ids in self._archive.between(now - 3 * 86400, now + 1):
            for story_id in ids:
                archived = await self._archive.story(story_id)
                if archived is None:
                    continue
                stories += 1
                item, record = archived
                for match in record.get("matches", ()):
                    if match["fired"] and not record.get("copy_of"):
                        found.append(self._as_alert(item.story, record, match))
        config = self._runtime.config
        latest = sorted(found, key=lambda alert: -alert.story.published)
        feeds = sum(feed.enabled for feed in config.feeds)
        self._show(render_terminal_summary(feeds, len(config.topics), stories, latest, now, SHOWN))

    def _as_alert(self, story: Story, record: dict[str, Any], match: dict[str, Any]) -> Alert:
        topic = self._runtime.config.topic(match["topic"])
        return Alert(
            id=f"{match['topic']}:{story.id}",
            topic=match["topic"],
            topic_name=topic.name if topic else match["topic"],
            event=str(record["event"]),
            reason=AlertReason.FIRST,
            story=story,
            score=match["score"],
            line=match["line"],
            evidence=match["evidence"],
        )
