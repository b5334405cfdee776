"""Which findings to speak of now: each trouble once, again only after a while, and when it ends.

Feeds and topics are many and fail one after another: what is found of them while a notice of the
kind is still fresh waits, and is said together in the next one.

Pure: (what is open, what was found, now) → (what is open then, what to say).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from monitor.health.rules import HealthFinding, Kind

# A trouble must last so long before it is worth a word: restarts and roll-outs pass by themselves.
_PATIENCE = {
    Kind.STAGE_MISSING: 60.0,
    Kind.STAGE_STUCK: 30.0,
    Kind.MODEL_MISSING: 90.0,
    Kind.CHANNEL_FAILING: 30.0,
    Kind.FEEDS_OVERDUE: 60.0,
    Kind.FEEDS_UNSCHEDULED: 30.0,
    Kind.CONFIG_REFUSED: 10.0,
}
# Of these there may be hundreds, and none is as urgent as a stage, a channel or the store.
_GATHERED = (Kind.FEED_SILENT, Kind.FEED_FAILING, Kind.TOPIC_QUIET, Kind.TOPIC_BURST)
_NO_END = (Kind.TOPIC_BURST, Kind.DEAD_LETTERS, Kind.STORE_LOST)
_TOLD_LATE = (Kind.TOPIC_BURST,)  # over within the hour, and worth a look all the same
_LINES = 10
_FORGET = 86400.0

_HEADINGS = {
    Kind.FEED_SILENT: "Feeds gone silent",
    Kind.FEED_FAILING: "Feeds failing",
    Kind.FEEDS_OVERDUE: "Polling is behind",
    Kind.FEEDS_UNSCHEDULED: "Feeds that nobody polls",
    Kind.NETWORK_OUT: "Our own network is out",
    Kind.TOPIC_QUIET: "Topics unusually quiet",
    Kind.TOPIC_BURST: "Topics unusually busy",
    Kind.STAGE_STUCK: "Work is piling up",
    Kind.STAGE_MISSING: "A part of Wirewatch is not running",
    Kind.MODEL_MISSING: "The embedding model is missing",
    Kind.CHANNEL_FAILING: "Alerts do not get through",
    Kind.DEAD_LETTERS: "Dead letters",
    Kind.CONFIG_REFUSED: "Configuration refused",
    Kind.STORE_TROUBLED: "The store is in trouble",
    Kind.STORE_LOST: "The store has lost data",
    Kind.CANARY_LOST: "The canary did not arrive",
}


@dataclass(frozen=True, slots=True)
class Open:
    """A trouble that is known: since when, when it was last spoken of, when it was last seen.

    `told` is 0 until it was spoken of; `ended` is 0 while it lasts, `end_told` until its end was
    spoken of.
    """

    since: float
    told: float = 0.0
    ended: float = 0.0
    text: str = ""
    end_told: float = 0.0

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Notice:
    """What to say: one message for all findings of a kind."""

    kind: Kind
    text: str
    subjects: tuple[str, ...]
    recovered: bool = False


def plan(
    known: Mapping[str, Open], found: Iterable[HealthFinding], now: float, every: float
) -> tuple[dict[str, Open], list[Notice]]:
    """Return what is open after this look, and the notices to send.

    A trouble is spoken of once it has lasted its patience, and again only every `every` seconds.
    The end of one that was spoken of is said as well. One that comes and goes stays rate-limited:
    it is remembered for a day. Of feeds and topics, a kind is spoken of only every `every` seconds;
    a burst that passed while it waited for that is spoken of nevertheless.
    """
    current = {finding.key: finding for finding in found}
    fresh, fresh_ends = _fresh(known, now - every)
    after: dict[str, Open] = {}
    speak: dict[Kind, list[HealthFinding]] = defaultdict(list)
    ended: dict[Kind, list[str]] = defaultdict(list)
    for key, finding in current.items():
        before = known.get(key)
        if before is None or (before.ended and not before.told):
            state = Open(now, text=finding.text)
        elif before.ended:
            state = Open(now, before.told, text=finding.text, end_told=before.end_told)
        else:
            state = replace(before, text=finding.text)
        lasted = now - state.since >= _PATIENCE.get(finding.kind, 0.0)
        due = not state.told or now - state.told >= every
        if lasted and due and finding.kind not in fresh:
            speak[finding.kind].append(finding)
            state = replace(state, told=now)
        after[key] = state
    for key, before in known.items():
        if key in current:
            continue
        state = before if before.ended else replace(before, ended=now)
        kind, _, subject = key.partition(":")
        if Kind(kind) in _TOLD_LATE and state.told < state.since and Kind(kind) not in fresh:
            speak[Kind(kind)].append(HealthFinding(Kind(kind), subject, state.text))
            state = replace(state, told=now)
        unsaid = state.told >= state.since > state.end_told and Kind(kind) not in _NO_END
        if unsaid and Kind(kind) not in fresh_ends:
            ended[Kind(kind)].append(subject)
            state = replace(state, end_told=now)
        if now - max(state.ended, state.told) < max(_FORGET, every):
            after[key] = state
    notices = [_notice(kind, findings) for kind, findings in speak.items()]
    notices += [
        Notice(kind, f"Well again ({_HEADINGS[kind].lower()}): {_some(names)}", tuple(names), True)
        for kind, names in ended.items()
    ]
    return after, notices


def _fresh(known: Mapping[str, Open], since: float) -> tuple[set[Kind], set[Kind]]:
    """Return the kinds that were spoken of after `since`, and must wait; and whose ends were."""
    told: set[Kind] = set()
    ends: set[Kind] = set()
    for key, state in known.items():
        kind = Kind(key.partition(":")[0])
        if kind in _GATHERED:
            told |= {kind} if state.told > since else set()
            ends |= {kind} if state.end_told > since else set()
    return told, ends


def still_open(known: Mapping[str, Open]) -> dict[str, Open]:
    """Return the troubles that last and were spoken of, for `wirewatch status`."""
    return {key: state for key, state in known.items() if not state.ended and state.told}


def _notice(kind: Kind, findings: list[HealthFinding]) -> Notice:
    lines = [finding.text for finding in findings[:_LINES]]
    if len(findings) > _LINES:
        lines.append(f"and {len(findings) - _LINES} more; `wirewatch status` lists them")
    text = f"{_HEADINGS[kind]}: " + (lines[0] if len(lines) == 1 else "\n" + "\n".join(lines))
    return Notice(kind, text, tuple(finding.subject for finding in findings))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LINES} more" if len(names) > _LINES else ""
    return ", ".join(names[:_LINES]) + more
