"""What did we miss? An outside list of happenings against what the service saw and told. Pure.

Each outside happening is laid beside the stories of its days. A story reports it if the pair judge
says so, or, with an encoder that has no judge, if the two vectors are near. The best that became of
any such story, or of the event it is in, is what became of the happening:

    told > held (by what) > below (which topic came nearest) > never seen (who could have had it)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from monitor.config.schema import FeedSource
from monitor.editors.outside_list import Outside
from monitor.identity import site
from monitor.model import Matrix, Story
from monitor.reasons import MissedReason, SuppressionReason

BEFORE, AFTER = 1.5 * 86400.0, 2.5 * 86400.0  # around the happening's instant
CANDIDATES = 3  # nearest stories that the judge reads
FLOOR = 0.75  # least cosine of a candidate that the judge reads
ALIKE = 0.6  # cosine from which two texts tell of one happening, where there is no judge
SURE = 3.0  # logit of the judge from which they do: set by reading 220 pairs of a month

Judge = Callable[[Sequence[str], Sequence[str]], Sequence[float]]

# Held, but not for want of a match: the event was told already, or the story repeats one.
_AS_ITS_EVENT = frozenset(
    {SuppressionReason.COPY, SuppressionReason.ALREADY_TOLD, SuppressionReason.NOTHING_NEW}
)
_CITED = re.compile(r"\(([^()]{2,60})\)\s*\.?$")


@dataclass(frozen=True, slots=True)
class SeenStory:
    """A story that the service saw, with its decision record (`decision_record`)."""

    story: Story
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """One outside happening and what became of it; `story` is the report that this rests on."""

    outside: Outside
    reason: MissedReason
    why: str
    topic: str = ""
    story: Story | None = None
    severity: str = ""  # of the happening, a word of `Severity`; "" where it is not known


def check(
    outside: Sequence[Outside],
    vectors: Matrix,
    seen: Sequence[SeenStory],
    held: Matrix,
    feeds: Sequence[FeedSource],
    judge: Judge | None = None,
) -> list[Checked]:
    """Return what became of each outside happening, in the order given.

    Args:
        outside: the list.
        vectors: one unit vector for each of it.
        seen: the service's stories of those days.
        held: one unit vector for each of them.
        feeds: those configured, to say which could have had what was never seen.
        judge: returns a logit of "one happening" for pairs of texts.
    """
    told = _told_events(seen)
    times = np.array([one.story.seen_at or one.story.published for one in seen])
    pairs = [
        (row, at)
        for row, one in enumerate(outside)
        for at in _near(vectors[row], held, times, one.at, ALIKE if judge is None else FLOOR)
    ]
    if judge is not None and pairs:
        logits = judge(
            [outside[row].text for row, _ in pairs], [_text(seen[at].story) for _, at in pairs]
        )
        pairs = [pair for pair, logit in zip(pairs, logits, strict=True) if logit >= SURE]
    reports: dict[int, list[int]] = {}
    for row, at in pairs:
        reports.setdefault(row, []).append(at)
    return [
        _best([_became(one, seen[at], told) for at in reports[row]])
        if row in reports
        else Checked(one, MissedReason.NEVER_SEEN, _could_have(one, feeds))
        for row, one in enumerate(outside)
    ]


def counts(checked: Sequence[Checked]) -> dict[str, Counter[str]]:
    """Return how many of each subject ended how: subject -> reason -> number; "" counts all."""
    table: dict[str, Counter[str]] = {"": Counter()}
    for one in checked:
        table[""][one.reason] += 1
        if one.outside.subject:
            table.setdefault(one.outside.subject, Counter())[one.reason] += 1
    return table


def suggestions(checked: Sequence[Checked], most: int = 5) -> list[str]:
    """Return what may be done about the misses: outlets to watch, stories to answer on."""
    wanted = Counter(
        one.why for one in checked if one.reason is MissedReason.NEVER_SEEN and one.why
    )
    lines = [f"{number} never seen: {why}" for why, number in wanted.most_common(most)]
    near = [one for one in checked if one.reason is MissedReason.BELOW and one.topic and one.story]
    return lines + [
        f"if it belongs: wirewatch feedback {one.story.id} --topic {one.topic} --good"
        for one in near[:most]
        if one.story
    ]


def _near(
    vector: np.ndarray[Any, Any], held: Matrix, times: np.ndarray[Any, Any], at: float, floor: float
) -> list[int]:
    inside = np.flatnonzero((times >= at - BEFORE) & (times <= at + AFTER))
    if not len(inside):
        return []
    likeness = held[inside] @ vector
    best = np.argsort(-likeness)[:CANDIDATES]
    return [int(inside[place]) for place in best if likeness[place] >= floor]


def _text(story: Story) -> str:
    return f"{story.title}. {story.summary[:230]}" if story.summary else story.title


def _told_events(seen: Sequence[SeenStory]) -> dict[str, str]:
    """Return event -> "topic: reason" of the first alert on it."""
    told: dict[str, str] = {}
    for one in seen:
        for alert in one.record.get("alerts", ()):
            told.setdefault(str(alert["event"]), f"{alert['topic']}: {alert['reason']}")
    return told


def _became(outside: Outside, seen: SeenStory, told: Mapping[str, str]) -> Checked:
    record, event = seen.record, str(seen.record.get("event", ""))
    if event in told:
        topic = told[event].partition(":")[0]
        return Checked(outside, MissedReason.TOLD, told[event], topic, seen.story)
    for held in record.get("suppressions", ()):
        if held["reason"] not in (*_AS_ITS_EVENT, SuppressionReason.BELOW_THRESHOLD):
            why = f"{held['topic']}: {held['reason'].replace('_', ' ')}"
            why += f" ({held['detail']})" if held.get("detail") else ""
            return Checked(outside, MissedReason.HELD, why, held["topic"], seen.story)
    best = max(record.get("matches", ()), key=lambda match: match["score"], default=None)
    if best is None:
        return Checked(outside, MissedReason.BELOW, "near no topic", "", seen.story)
    why = f"{best['topic']}: {best['score']:.2f} of the {best['line']:.2f} it needs"
    return Checked(outside, MissedReason.BELOW, why, best["topic"], seen.story)


def _best(found: Sequence[Checked]) -> Checked:
    order = [MissedReason.TOLD, MissedReason.HELD, MissedReason.BELOW]
    return min(found, key=lambda one: order.index(one.reason))


def _could_have(outside: Outside, feeds: Sequence[FeedSource]) -> str:
    """Say whether a feed of the outlet that the list cites is watched; "" where it cites none."""
    host = site(urlsplit(outside.link).hostname or "") if outside.link else ""
    cited = _CITED.search(outside.text)
    name = cited.group(1) if cited else host
    if not name:
        return ""
    key = _key(name)
    for feed in feeds:
        own = site(urlsplit(feed.url).hostname or "")
        if (host and host == own) or key in (_key(feed.name), _key(feed.owner)):
            return f"{name} had it, but not {feed.id}, the feed of it that is watched"
    return f"{name} had it, and no feed of it is watched"


def _key(name: str) -> str:
    return name.casefold().removeprefix("the ").removesuffix(" news").strip() or "-"
