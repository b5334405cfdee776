"""Which findings to speak of now: each trouble once, again only after a while, and when it ends.

Pure: (what is open, what was found, now) → (what is open then, what to say).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from monitor.ops.findings import Finding, Kind

# A trouble must last so long before it is worth a word: restarts and roll-outs pass by themselves.
_PATIENCE = {
    Kind.STAGE_MISSING: 60.0,
    Kind.STAGE_STUCK: 30.0,
    Kind.MODEL_MISSING: 90.0,
    Kind.CHANNEL_FAILING: 30.0,
    Kind.FEEDS_OVERDUE: 60.0,
    Kind.CONFIG_REFUSED: 10.0,
}
_LINES = 10
_FORGET = 86400.0

_HEADINGS = {
    Kind.FEED_SILENT: "Feeds gone silent",
    Kind.FEED_FAILING: "Feeds failing",
    Kind.FEEDS_OVERDUE: "Polling is behind",
    Kind.TOPIC_HUSH: "Topics unusually quiet",
    Kind.TOPIC_BURST: "Topics unusually busy",
    Kind.STAGE_STUCK: "Work is piling up",
    Kind.STAGE_MISSING: "A part of Wirewatch is not running",
    Kind.MODEL_MISSING: "The embedding model is missing",
    Kind.CHANNEL_FAILING: "Alerts do not get through",
    Kind.DEAD_LETTERS: "Dead letters",
    Kind.CONFIG_REFUSED: "Configuration refused",
    Kind.STORE_TROUBLED: "The store is in trouble",
    Kind.CANARY_LOST: "The canary did not arrive",
}


@dataclass(frozen=True, slots=True)
class Open:
    """A trouble that is known: since when, when it was last spoken of, when it was last seen.

    `told` is 0 until it was spoken of; `ended` is 0 while it lasts.
    """

    since: float
    told: float = 0.0
    ended: float = 0.0
    text: str = ""

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
    known: Mapping[str, Open], found: Iterable[Finding], now: float, every: float
) -> tuple[dict[str, Open], list[Notice]]:
    """Return what is open after this look, and the notices to send.

    A trouble is spoken of once it has lasted its patience, and again only every `every` seconds.
    The end of one that was spoken of is said as well. One that comes and goes stays rate-limited:
    it is remembered for a day.
    """
    current = {finding.key: finding for finding in found}
    after: dict[str, Open] = {}
    speak: dict[Kind, list[Finding]] = defaultdict(list)
    ended: dict[Kind, list[str]] = defaultdict(list)
    for key, finding in current.items():
        before = known.get(key)
        if before is None or (before.ended and not before.told):
            state = Open(now, text=finding.text)
        elif before.ended:
            state = Open(now, before.told, text=finding.text)
        else:
            state = replace(before, text=finding.text)
        lasted = now - state.since >= _PATIENCE.get(finding.kind, 0.0)
        if lasted and (not state.told or now - state.told >= every):
            speak[finding.kind].append(finding)
            state = replace(state, told=now)
        after[key] = state
    for key, before in known.items():
        if key in current:
            continue
        if not before.ended:
            if before.told >= before.since:
                kind, _, subject = key.partition(":")
                ended[Kind(kind)].append(subject)
            after[key] = replace(before, ended=now)
        elif now - max(before.ended, before.told) < max(_FORGET, every):
            after[key] = before
    notices = [_notice(kind, findings) for kind, findings in speak.items()]
    notices += [
        Notice(kind, f"Well again ({_HEADINGS[kind].lower()}): {_some(names)}", tuple(names), True)
        for kind, names in ended.items()
        if kind not in (Kind.TOPIC_BURST, Kind.DEAD_LETTERS)
    ]
    return after, notices


def still_open(known: Mapping[str, Open]) -> dict[str, Open]:
    """Return the troubles that last and were spoken of, for `wirewatch status`."""
    return {key: state for key, state in known.items() if not state.ended and state.told}


def _notice(kind: Kind, findings: list[Finding]) -> Notice:
    lines = [finding.text for finding in findings[:_LINES]]
    if len(findings) > _LINES:
        lines.append(f"and {len(findings) - _LINES} more; `wirewatch status` lists them")
    text = f"{_HEADINGS[kind]}: " + (lines[0] if len(lines) == 1 else "\n" + "\n".join(lines))
    return Notice(kind, text, tuple(finding.subject for finding in findings))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LINES} more" if len(names) > _LINES else ""
    return ", ".join(names[:_LINES]) + more
