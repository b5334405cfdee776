"""Tell them, or not, and why: the decision for one story, one topic and the event it belongs to.

A pure function of (topic, story, match, assignment, what was told, now). In order:

    fed before?                    -> nothing changes                    already_told
    does not fire                  -> its match's reason                 below_threshold, …
        (an event already told vouches for a story just under the threshold: see `_vouched`)
    there before we first looked   ->                                    baseline
    old by its own date            ->                                    stale
    less grave than asked for      ->                                    below_severity
    repeats what was told, or old  -> unless it corrects                 copy
    first of its event             -> alert, or wait for sources         first, awaiting_sources
    waiting                        -> release, wait on, or lapse         first, sources_expired
    told before                    -> correction, outcome, development, corroborated, or nothing_new
        (an outcome is a message of its own; what follows goes under it)
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from monitor.alerting.alert_state import AlertState
from monitor.config.schema import Topic
from monitor.model import Alert, Assignment, EmbeddedStory, Match, Suppression
from monitor.reasons import AlertReason, Severity, SuppressionReason, Trust
from monitor.text import span

_NEAR = 0.75  # of the threshold: where an event already told vouches for a story


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do: at most one of `alert` and `suppression`, and the state to store from now on.

    `told` is None when there is nothing to remember; it is the old state, unchanged, when the
    decision changes nothing.
    """

    alert: Alert | None = None
    suppression: Suppression | None = None
    told: AlertState | None = None


def decide(
    topic: Topic,
    item: EmbeddedStory,
    match: Match,
    assignment: Assignment,
    told: AlertState | None,
    now: float,
    severity: str = "",
) -> Decision:
    """Decide what a topic's readers are told of one story.

    `now` is Unix seconds; `severity` is the story's level as a word of `Severity`, "" where it is
    not known: then no `min_severity` holds it back.
    """
    story = item.story

    def hold(
        reason: SuppressionReason, detail: str = "", state: AlertState | None = told
    ) -> Decision:
        return Decision(
            None, Suppression(topic.id, story.id, assignment.event, reason, detail), state
        )

    def tell(reason: AlertReason, state: AlertState) -> Decision:
        parent = "" if reason is AlertReason.OUTCOME else state.first
        alert = alert_of(topic, item, match, assignment, reason, now, parent, severity)
        if reason is AlertReason.DEVELOPMENT:
            alert = replace(alert, note=_rise(severity, state.severity))
        gravest = max(state.severity, severity, key=Severity.rank)
        alert = replace(alert, gravest=gravest)
        corroborated = state.corroborated or len(alert.sources) > 1
        return Decision(
            alert, None, replace(state.with_alert(alert, now), corroborated=corroborated)
        )

    if assignment.repeated or (told and story.id in told.stories):
        return hold(SuppressionReason.ALREADY_TOLD, "this story was decided before")
    if told and told.state == "waiting" and told.held:
        released = _release(topic, assignment, told, now)
        if released:
            return released
    if not match.fired and not _vouched(match, told):
        return hold(match.reason or SuppressionReason.BELOW_THRESHOLD)
    if story.baseline:
        return hold(SuppressionReason.BASELINE, "there before this feed was first read")
    age = now - story.published if story.published > 0 else 0.0
    if story.stale or age > topic.fresh_for:
        return hold(
            SuppressionReason.STALE, f"dated {span(age)} ago; fresh for {span(topic.fresh_for)}"
        )
    wanted = topic.alert.min_severity
    if severity and Severity.rank(severity) < Severity.rank(wanted):
        return hold(
            SuppressionReason.BELOW_SEVERITY, f"{severity}; the topic asks for {wanted} or more"
        )
    corrects = bool(told and set(assignment.corrects) & set(told.stories))
    if assignment.copy_of and not corrects:
        known = told is not None or assignment.copy_of_old
        if known:
            return hold(
                SuppressionReason.COPY, f"{assignment.copy_kind} copy of {assignment.copy_of}"
            )
    fresh = AlertState(topic.id, assignment.event, "waiting", now)
    if told is None:
        if not _too_few(topic, assignment):
            return tell(AlertReason.FIRST, fresh)
        alert = alert_of(topic, item, match, assignment, AlertReason.FIRST, now, "", severity)
        waiting = replace(fresh, held=_as_stored(alert), sources=assignment.sources)
        return hold(
            SuppressionReason.AWAITING_SOURCES, _waits(topic, assignment, waiting, now), waiting
        )
    if told.state == "waiting":
        ended = lapse(told, topic, now)
        if ended is None:
            detail = _waits(topic, assignment, told, now)
            return hold(SuppressionReason.AWAITING_SOURCES, detail)
        told = ended.told or told
    if told.state == "lapsed":
        if not _too_few(topic, assignment):
            return tell(AlertReason.FIRST, told)
        return hold(SuppressionReason.SOURCES_EXPIRED, _too_few(topic, assignment), told)
    if assignment.novelty_kind == "outcome":
        return tell(AlertReason.OUTCOME, told)
    if topic.alert.updates == "none":
        return hold(SuppressionReason.ALREADY_TOLD, "this topic wants no updates")
    if corrects:
        return tell(AlertReason.CORRECTION, told)
    if assignment.novelty or _rise(severity, told.severity):
        return tell(AlertReason.DEVELOPMENT, told)
    if len(set(assignment.sources)) > 1 and not told.corroborated:
        return tell(AlertReason.CORROBORATED, told)
    return hold(SuppressionReason.NOTHING_NEW, f"adds nothing to what {told.first} told")


def lapse(told: AlertState, topic: Topic, now: float) -> Decision | None:
    """Return the decision that a waiting alert has waited in vain, or None while it may wait."""
    if told.state != "waiting" or now - told.since <= topic.alert.wait_at_most:
        return None
    story = told.held["story"]["id"] if told.held else ""
    detail = f"no further source within {span(topic.alert.wait_at_most)}"
    reason = SuppressionReason.SOURCES_EXPIRED
    return Decision(
        None,
        Suppression(topic.id, story, told.event, reason, detail),
        replace(told, state="lapsed", held=None),
    )


def _release(topic: Topic, assignment: Assignment, told: AlertState, now: float) -> Decision | None:
    """Return the waiting alert, told, if the event now has its sources and the wait is not over."""
    if (
        _too_few(topic, assignment)
        or told.held is None
        or now - told.since > topic.alert.wait_at_most
    ):
        return None
    alert = replace(
        Alert.from_dict(told.held),
        event=assignment.event,
        sources=assignment.sources,
        outlets=assignment.outlets,
        trusts=assignment.trusts,
        story_count=assignment.size,
        decided_at=now,
    )
    alert = replace(alert, parent=alert.id)
    state = replace(told.with_alert(alert, now), corroborated=len(alert.sources) > 1)
    return Decision(alert, None, replace(state, stories=(*state.stories, assignment.story)))


def _vouched(match: Match, told: AlertState | None) -> bool:
    """Whether an event already told lets a story through that lies just under the threshold.

    Words that a topic requires or excludes, its languages and its feeds are never overruled.
    """
    close = match.reason in (None, SuppressionReason.BELOW_THRESHOLD)
    return bool(told and told.state == "told" and close and match.score >= _NEAR * match.line)


def alert_id(topic: str, event: str, story: str, reason: AlertReason) -> str:
    """Return the id of an alert: the same for the same grounds, on every machine."""
    grounds = "\n".join((topic, event, story, str(reason)))
    return hashlib.blake2b(grounds.encode(), digest_size=8).hexdigest()


def alert_of(
    topic: Topic,
    item: EmbeddedStory,
    match: Match,
    assignment: Assignment,
    reason: AlertReason,
    now: float,
    parent: str = "",
    severity: str = "",
) -> Alert:
    """Return the alert on a story: what it says of the topic, the match, and the event."""
    own = alert_id(topic.id, assignment.event, item.story.id, reason)
    return Alert(
        id=own,
        topic=topic.id,
        topic_name=topic.name,
        event=assignment.event,
        reason=reason,
        story=item.story,
        score=match.score,
        line=match.line,
        evidence=match.evidence,
        nearest=match.nearest,
        terms=match.terms,
        novelty="" if reason is AlertReason.FIRST else assignment.novelty,
        sources=assignment.sources,
        outlets=assignment.outlets,
        trusts=assignment.trusts,
        story_count=assignment.size,
        urgency=topic.alert.urgency,
        decided_at=now,
        parent=parent or own,
        updates=topic.alert.updates,
        topic_tags=topic.labels,
        severity=severity,
    )


def _rise(severity: str, told: str) -> str:
    """Return words for a level above what was told, from notable up; "" where it did not rise."""
    risen = Severity.rank(severity) > max(Severity.rank(told), Severity.rank(Severity.ROUTINE))
    return f"now {severity}, was {told}" if risen and told else ""


def _as_stored(alert: Alert) -> dict[str, Any]:
    """Return an alert's dict as JSON gives it back (lists for tuples), so that states compare."""
    stored: dict[str, Any] = json.loads(json.dumps(alert.to_dict()))
    return stored


def _waits(topic: Topic, assignment: Assignment, told: AlertState, now: float) -> str:
    left = told.since + topic.alert.wait_at_most - now
    return f"{_too_few(topic, assignment)}; waits {span(left)} more at most"


def _too_few(topic: Topic, assignment: Assignment) -> str:
    """Return which sources are missing ("1 of 2 independent sources"), or "" where none is."""
    wanted = topic.alert.min_sources
    known = [Trust(word) for word in assignment.trusts if word]
    counts = (
        (max(1, len(assignment.sources)), wanted.any, "independent sources"),
        (sum(trust.trusted for trust in known), wanted.trusted, "trusted sources"),
        (known.count(Trust.WIRE), wanted.wire, "wires"),
    )
    return ", ".join(f"{have} of {want} {what}" for have, want, what in counts if have < want)
