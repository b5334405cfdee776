"""How the service stands, gathered from the store: for `wirewatch status` and Slack's `status`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from monitor.alerting.silence_store import SilenceStore
from monitor.alerting.silences import Silence
from monitor.alerting.subscriptions import recipients
from monitor.analysis.archive import AnalysisStore
from monitor.config.schema import Config
from monitor.delivery.dead_letter_review import DeadLetters
from monitor.delivery.formatting import day_clock
from monitor.delivery.outbox import OutboxStore
from monitor.health.canary_channel import CHANNEL as CANARY
from monitor.health.canary_store import CanaryStore
from monitor.health.config_store import ConfigStore
from monitor.health.heartbeat_store import Beat, HeartbeatStore
from monitor.health.notices import still_open
from monitor.health.rules import Kind, feed_health, feeds_unscheduled
from monitor.health.watch_store import WatchStore
from monitor.model import FeedState
from monitor.polling.feed_store import FeedStore
from monitor.queue.hand_overs import Streams
from monitor.reasons import DeliveryReason
from monitor.stages import PIPELINE
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.text import one_line
from workers.terminal_report import no_network

SHOWN = 8
# The watchdog speaks of these; here they are looked at afresh.
_SEEN_ANYWAY = (
    Kind.STAGE_MISSING,
    Kind.CHANNEL_FAILING,
    Kind.DEAD_LETTERS,
    Kind.FEED_FAILING,
    Kind.CONFIG_REFUSED,
    Kind.FEEDS_UNSCHEDULED,
)


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One channel: what waits for it and what is wrong with it ("" if nothing)."""

    name: str
    waiting: int
    trouble: str
    last_sent: float


@dataclass(slots=True)
class Overview:
    """The whole service at one instant. `troubles` are sentences, worst first."""

    at: float
    stages: dict[str, list[Beat]] = field(default_factory=dict)
    feeds: Counter[str] = field(default_factory=Counter)
    bad_feeds: list[FeedState] = field(default_factory=list)
    topics: int = 0
    queues: dict[str, int] = field(default_factory=dict)
    channels: list[ChannelView] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    dead: Counter[str] = field(default_factory=Counter)
    recent: list[dict[str, Any]] = field(default_factory=list)
    config_problems: list[str] = field(default_factory=list)
    waiting_for_sources: int = 0
    notices: list[str] = field(default_factory=list)
    canary: dict[str, str] = field(default_factory=dict)
    silences: list[Silence] = field(default_factory=list)
    unscheduled: str = ""

    @property
    def needs_restart(self) -> dict[str, list[str]]:
        """Settings that a stage does not have in force before it is started again, by stage."""
        held = {
            stage: sorted({name for beat in found for name in beat.pending_restart})
            for stage, found in self.stages.items()
        }
        return {stage: names for stage, names in held.items() if names}

    @property
    def troubles(self) -> list[str]:
        """What an operator should look at."""
        found = [f"no {stage} is running" for stage in PIPELINE if not self.stages.get(stage)]
        found += [self.unscheduled] if self.unscheduled else []
        found += [f"configuration: {problem}" for problem in self.config_problems]
        by_settings: dict[str, list[str]] = {}
        for stage, names in self.needs_restart.items():
            by_settings.setdefault(", ".join(names), []).append(stage)
        found += [
            f"restart {', '.join(stages)} to have in force: {names}"
            for names, stages in by_settings.items()
        ]
        found += [
            f"channel {channel.name}: {channel.trouble}"
            for channel in self.channels
            if channel.trouble
        ]
        if sum(self.dead.values()):
            found.append(f"{sum(self.dead.values())} dead letters; see `wirewatch dead list`")
        found += self._feed_troubles()
        found += self.notices
        return [one_line(text) for text in found]

    def _feed_troubles(self) -> list[str]:
        """One sentence if it is the network; else a line a feed, and one for the rest."""
        bad = self.bad_feeds
        if len(bad) > 1 and len(bad) == sum(self.feeds.values()) and no_network(bad):
            return [f"none of {len(bad)} feeds answers; is there a network?"]
        found = [
            f"feed {state.feed_id}: {state.last_reason}"
            + (f", {state.last_error}" if state.last_error else "")
            for state in bad[:SHOWN]
        ]
        if (more := len(bad) - SHOWN) > 0:
            verb = "feed fails" if more == 1 else "feeds fail"
            found.append(f"{more} more {verb}; see `wirewatch feeds list --failing`")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "at": self.at,
            "workers": {stage: len(found) for stage, found in self.stages.items()},
            "feeds": dict(self.feeds),
            "failing_feeds": [
                {"id": s.feed_id, "reason": s.last_reason, "error": s.last_error}
                for s in self.bad_feeds
            ],
            "topics": self.topics,
            "queues": self.queues,
            "channels": [
                {"name": c.name, "waiting": c.waiting, "trouble": c.trouble, "last": c.last_sent}
                for c in self.channels
            ],
            "counts": self.counts,
            "dead_letters": dict(self.dead),
            "waiting_for_sources": self.waiting_for_sources,
            "recent": self.recent,
            "silences": [json.loads(silence.to_json()) for silence in self.silences],
            "canary": self.canary,
            "notices": self.notices,
            "config_problems": self.config_problems,
            "needs_restart": self.needs_restart,
            "troubles": self.troubles,
        }


async def overview(client: Redis, keys: Keys, config: Config, now: float) -> Overview:
    """Gather the overview; `now` is Unix seconds."""
    view = Overview(now, topics=len(config.topics))
    for beat in await HeartbeatStore(client, keys).beats():
        view.stages.setdefault(beat.stage, []).append(beat)
    ids = [feed.id for feed in config.feeds if feed.enabled]
    feeds = FeedStore(client, keys)
    idle = feeds_unscheduled(len(ids), await feeds.scheduled())
    view.unscheduled = idle.text if idle else ""
    for state in await feeds.load_states(ids):
        health = feed_health(state)
        view.feeds[health] += 1
        if health in ("failing", "ended"):
            view.bad_feeds.append(state)
    view.queues = await Streams(client, keys).depths()
    archive = AnalysisStore.of(client, config)
    view.counts = await archive.counts()
    view.waiting_for_sources = len(await archive.pending())
    view.dead.update(letter.reason for letter in await DeadLetters(client, keys).list())
    view.config_problems = await ConfigStore(client, keys).errors()
    troubles = await WatchStore(client, keys).troubles()
    view.notices = [
        trouble.text
        for key, trouble in sorted(still_open(troubles).items())
        if key.partition(":")[0] not in _SEEN_ANYWAY
    ]
    view.canary = await CanaryStore(client, keys).last()
    view.silences = await SilenceStore(client, keys).active(now)
    await _channels(view, OutboxStore(client, keys), config)
    return view


async def _channels(view: Overview, outbox: OutboxStore, config: Config) -> None:
    names = set(recipients(config)) | (await outbox.channels() - {CANARY})
    for name in sorted(names or {"terminal"}):
        state = await outbox.state(name)
        well = state.get("state", "ok") in ("ok", "")
        trouble = (
            "" if well else f"{state.get('state')}: {state.get('detail') or state.get('reason')}"
        )
        recent = await outbox.recent(name, 5)
        last = max((float(row.get("at", 0)) for row in recent), default=0.0)
        view.channels.append(ChannelView(name, await outbox.waiting(name), trouble, last))
        view.recent += [{"channel": name, **row} for row in recent if _told(row)]
    view.recent = _by_alert(sorted(view.recent, key=lambda row: -float(row.get("at", 0))))[:SHOWN]


def _told(row: dict[str, Any]) -> bool:
    """Whether a row of the notification log is one that people have seen."""
    return row.get("reason") in (
        DeliveryReason.SENT,
        DeliveryReason.RESENT,
        DeliveryReason.ALREADY_SENT,
    )


def _by_alert(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each message, with all the channels that took it."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = str(row.get("notification", "")).rpartition("@")[0]
        told = found.setdefault(name, {**row, "channels": []})
        told["channels"].append(row["channel"])
    return list(found.values())


def lines(view: Overview) -> list[str]:
    """Return the overview in a few lines of plain text, for a chat."""
    feeds = ", ".join(f"{count} {health}" for health, count in sorted(view.feeds.items()))
    said = [f"feeds: {feeds or 'none configured'}"]
    for channel in view.channels:
        state = channel.trouble or ("ok" if channel.last_sent else "nothing sent yet")
        waits = f", {channel.waiting} waiting" if channel.waiting else ""
        said.append(f"channel {channel.name}: {state}{waits}")
    dead = sum(view.dead.values())
    said.append(f"{dead} dead letters" if dead else "no dead letters")
    for silence in view.silences:
        said.append(
            f"silenced: {silence.what} until {day_clock(silence.ends)} by {silence.author} "
            f"({silence.id})"
        )
    return said + [f"needs a look: {trouble}" for trouble in view.troubles]
