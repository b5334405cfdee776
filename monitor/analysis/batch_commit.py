"""From decisions to one write: window, archive, what was told, outbox and counters of a batch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from monitor.alerting.alert_state import AlertState
from monitor.alerting.routing import notifications_for
from monitor.analysis.archive import AnalysisStore
from monitor.analysis.decision_record import decision_record
from monitor.analysis.story_analysis import AlertKey, DecidedBatch, StoryDecision
from monitor.config.schema import Config
from monitor.delivery.outbox import OutboxStore
from monitor.events.index import EventIndex
from monitor.history.history_store import HistoryStore
from monitor.history.records import StoryRecord
from monitor.model import Alert, Assignment, Notification
from monitor.observability import metrics, traces
from monitor.observability.logs import get_logger
from monitor.store.transaction import Command

log = get_logger(__name__)


class BatchCommit:
    """Builds the commands that make a batch's decisions stand, for triage's atomic step.

    Args:
        archive: names the keys of triage's own state.
        outbox: names the keys of the outbox.
        history: names the keys of the history.
    """

    def __init__(self, archive: AnalysisStore, outbox: OutboxStore, history: HistoryStore) -> None:
        self._archive = archive
        self._outbox = outbox
        self._history = history

    def commands_for(
        self, decided: DecidedBatch, index: EventIndex, model: str, config: Config, now: float
    ) -> list[Command]:
        """Return the commands for everything that `concluded` decided and `index` changed.

        `model` is the fingerprint behind the window's vectors: each model has a window of its own.
        """
        commands: list[Command] = []
        for outcome in decided.outcomes:
            decision = json.dumps(decision_record(outcome, now), ensure_ascii=False)
            commands += self._archive.story_commands(outcome.item, decision)
        for gone in decided.absorbed:
            commands += self._archive.forget_event_commands(gone)
        for outcome in decided.outcomes:
            for story_id, parted_from, _ in outcome.assignment.moved:
                commands += self._archive.leave_commands(parted_from, story_id)
        for story_id in sorted(index.changed()):
            seen_at = index.time_of(story_id)
            record = index.pack(story_id)
            commands += self._archive.window_commands(story_id, seen_at, record, model)
            commands += self._archive.member_commands(index.event_of(story_id), story_id, seen_at)
        commands += self.alert_state_commands(decided.told, config)
        alerts = [alert for outcome in decided.outcomes for alert in outcome.alerts]
        commands += self.alerts(alerts, config, now)
        commands += self._kept(decided, alerts, now)
        return commands + self._archive.count_commands(_counts(decided.outcomes))

    def parted(self, assignment: Assignment) -> list[Command]:
        """Return the commands that take a parted story, and its copies, out of the old history."""
        return [
            command
            for story_id, parted_from, _ in assignment.moved
            for command in self._history.leave_commands(parted_from, story_id)
        ]

    def alert_state_commands(
        self, told: dict[AlertKey, AlertState], config: Config
    ) -> list[Command]:
        """Return the commands that remember what was told, and what waits for sources."""
        commands: list[Command] = []
        for (topic, event), state in told.items():
            text = json.dumps(state.to_dict(), ensure_ascii=False)
            commands += self._archive.alert_state_commands(topic, event, text)
            settings = config.topic(topic)
            waits = state.state == "waiting" and settings is not None
            until = state.since + settings.alert.wait_at_most if waits and settings else None
            commands += self._archive.pending_commands(topic, event, until)
        return commands

    def alerts(self, alerts: Iterable[Alert], config: Config, now: float) -> list[Command]:
        """Return the commands that put alerts into the outbox of every channel they go to."""
        notifications: list[Notification] = []
        for alert in alerts:
            notifications += notifications_for(config, alert, now)
        return self._outbox.put_commands(notifications)

    def _kept(self, decided: DecidedBatch, alerts: list[Alert], now: float) -> list[Command]:
        """Return the commands of the history: stories that a topic matched, merges, alerts."""
        commands: list[Command] = []
        for outcome in decided.outcomes:
            story, event = outcome.item.story, outcome.assignment.event
            matched = outcome.alerts or any(match.fired for match in outcome.matches)
            if matched and not story.baseline:
                record = StoryRecord.of(story, outcome.assignment, _reasons(outcome))
                commands += self._history.story_commands(decided.absorbed.get(event, event), record)
        for gone, into in decided.absorbed.items():
            commands += self._history.merge_commands(gone, into, now)
        return commands + self._history.alert_commands(alerts, now)


def _reasons(outcome: StoryDecision) -> tuple[tuple[str, str], ...]:
    told = [(alert.topic, alert.reason.value) for alert in outcome.alerts]
    return (*told, *((held.topic, held.reason.value) for held in outcome.suppressions))


def count(outcomes: Iterable[StoryDecision], now: float) -> None:
    """Add a committed batch to the metrics, the traces and the log."""
    for outcome in outcomes:
        story = outcome.item.story
        metrics.ANALYSED.inc()
        fired = sum(match.fired for match in outcome.matches)
        alerted = len(outcome.alerts)
        traces.record("triage", story.trace, now, now, story=story.id, fired=fired, alerts=alerted)
        say = log.info if alerted else log.debug
        say("decided", story=story.id, fired=fired, alerts=alerted, trace=story.trace)
        if outcome.assignment.copy_of:
            metrics.COPIES.labels(kind=outcome.assignment.copy_kind).inc()
        if outcome.assignment.new_event:
            metrics.EVENTS.inc()
        metrics.MERGES.inc(len(outcome.assignment.merged))
        for alert in outcome.alerts:
            metrics.ALERTS.labels(reason=alert.reason).inc()
            metrics.ALERTED_AFTER.observe(max(0.0, now - story.seen_at))
        for held in outcome.suppressions:
            metrics.SUPPRESSIONS.labels(reason=held.reason).inc()
        for match in outcome.matches:
            if match.fired:
                metrics.MATCHES.labels(topic=match.topic).inc()


def _counts(outcomes: Iterable[StoryDecision]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        counts["stories"] += 1
        counts["copies"] += bool(outcome.assignment.copy_of)
        counts["events"] += outcome.assignment.new_event
        counts["alerts"] += len(outcome.alerts)
        counts["baseline"] += outcome.item.story.baseline
        for match in outcome.matches:  # how often a topic fires: the watchdog knows what is usual
            if match.fired and not outcome.item.story.baseline:
                counts[f"topic:{match.topic}"] += 1
        for held in outcome.suppressions:
            counts[f"suppressed:{held.reason.value}"] += 1
    return dict(counts)
