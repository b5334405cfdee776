"""What follows from one poll: pure, so that it can be replayed and proved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from monitor.config.schema import FeedSource, PollingSettings
from monitor.editors.source_trust import trust_of
from monitor.identity import digest
from monitor.model import FeedState, Story
from monitor.net.response_headers import Hints
from monitor.observability.redact import redact
from monitor.parsing.document import ParsedFeed
from monitor.polling.entry_diff import DAY, EntryDiff, diff_entries
from monitor.polling.fetch_result import FetchResult
from monitor.polling.outage import CHRONIC
from monitor.polling.recent_polls import with_poll
from monitor.polling.schedule import next_due, record_burst, record_items
from monitor.polling.seen_entries import Seen, SeenEntry
from monitor.reasons import EntryReason, FetchReason

ADOPT_AFTER = 7 * DAY
_HOLDING = frozenset({FetchReason.RATE_LIMITED, FetchReason.UNAVAILABLE})
_LOST = frozenset(
    {
        FetchReason.GONE,
        FetchReason.CLIENT_ERROR,
        FetchReason.UNAUTHORISED,
        FetchReason.DNS_FAILED,
        FetchReason.TLS_FAILED,
        FetchReason.CONNECT_FAILED,
        FetchReason.NOT_A_FEED,
        FetchReason.BLOCKED_ADDRESS,
        FetchReason.BLOCKED_URL,
    }
)


@dataclass(frozen=True, slots=True)
class PollDecision:
    """Everything one poll changes, to be committed in one step.

    `stories` are handed over, oldest first. `seen` and `dropped` change the memory of entries.
    `hold` is how long the publisher wants its whole site left alone (seconds; 0: not at all).
    `notices` are sentences for operators: a feed ended, a feed moved. `trace` names the poll.
    """

    state: FeedState
    reason: FetchReason
    stories: tuple[Story, ...] = ()
    seen: dict[str, SeenEntry] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    counts: Counter[EntryReason] = field(default_factory=Counter)
    hold: float = 0.0
    notices: tuple[str, ...] = ()
    message: str = ""
    wire_bytes: int = 0
    trace: str = ""


def source_key(source: FeedSource) -> str:
    """Return the digest of a feed's configured address: notices a change, reveals no secret."""
    return digest(source.url)


def shown_url(source: FeedSource) -> str:
    """Return a feed's address without its secrets, fit to be stored and shown."""
    parts = urlsplit(source.url)
    if "@" in parts.netloc:
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return redact(parts.geturl())


def poll_url(source: FeedSource, state: FeedState) -> str:
    """Return the address to fetch: the configured one, or where it has moved for good."""
    if state.moved_to and state.source_key == source_key(source):
        return state.moved_to
    return source.url


def decide(
    source: FeedSource,
    state: FeedState,
    seen: Seen,
    outcome: FetchResult,
    now: float,
    settings: PollingSettings,
    *,
    keep_seen: float = 90 * DAY,
    outage: bool = False,
) -> PollDecision:
    """Return what follows from `outcome`.

    Args:
        source: the feed as configured.
        state: its state before the poll; a new feed has a blank one.
        seen: its remembered entries; only needed when `outcome.parsed` is there.
        outcome: how the poll ended.
        now: time of the poll, Unix seconds.
        settings: floors, ceilings, caps.
        keep_seen: how long entries that left the document are remembered, seconds.
        outage: most sites fail at once, so a failure is ours and no reason to stay away.
    """
    before = reset_if_url_changed(source, state)
    outcome = _if_went_empty(outcome, seen)
    notices: list[str] = []
    found = EntryDiff()
    changes: dict[str, Any] = {
        "url": shown_url(source),
        "version": state.version + 1,
        "polls": before.polls + 1,
        "last_poll": now,
        "last_reason": str(outcome.reason),
        "last_error": "" if outcome.good else outcome.message,
        "status": outcome.status,
        "latency": round(outcome.latency, 4),
        "started": before.started or now,
        "ended": False,  # an ended feed is polled only where somebody woke it
    }
    ours = outage and not outcome.good and outcome.reason != FetchReason.RATE_LIMITED
    if ours and before.failures < CHRONIC:
        after = replace(before, **changes)
    elif not outcome.good:
        ours = False
        changes |= _failed(source, before, outcome, notices)
        after = replace(before, **changes)
    else:
        changes |= {"failures": 0, "last_success": now}
        changes |= _redirected(source, before, outcome, now, notices)
        changes |= _validated(before, outcome)
        if outcome.parsed is None:
            changes["unchanged"] = before.unchanged + 1
            after = replace(before, **changes)
        else:
            described = replace(before, **changes, **_described(before, outcome.parsed))
            found = diff_entries(
                source,
                described,
                seen,
                outcome.parsed.entries,
                now,
                settings,
                keep_seen=keep_seen,
                trace=outcome.trace,
                trust=trust_of(source, outcome.host).trust.value,
            )
            after = _learned(described, found, now)
    due, interval = next_due(
        source, after, outcome.reason, outcome.hints, now, settings, outage=ours
    )
    recent = with_poll(before.recent, now, str(outcome.reason), len(found.instants))
    after = replace(after, next_due=round(due, 3), interval=round(interval, 1), recent=recent)
    return PollDecision(
        state=after,
        reason=outcome.reason,
        stories=tuple(found.stories),
        seen=found.updates,
        dropped=tuple(found.drops),
        counts=found.counts,
        hold=hold_for(outcome.reason, outcome.hints, settings),
        notices=tuple(notices),
        message=outcome.message,
        wire_bytes=outcome.wire_bytes,
        trace=outcome.trace,
    )


def _if_went_empty(outcome: FetchResult, seen: Seen) -> FetchResult:
    """Return a failure for a document without entries where we remember some.

    A publisher's error page, or a notice before the document, often looks like an empty feed; it
    must not look healthy (a PHP notice once silenced a sitemap for good).
    """
    empty = outcome.parsed is not None and not outcome.parsed.entries
    if not empty or outcome.partial or not seen:
        return outcome
    return replace(
        outcome,
        reason=FetchReason.WENT_EMPTY,
        message="the document has no entries; it had some before",
        parsed=None,
        body_hash="",
    )


def hold_for(reason: FetchReason, hints: Hints, settings: PollingSettings) -> float:
    """Return how long an answer wants its whole site left alone, seconds."""
    if reason not in _HOLDING:
        return 0.0
    asked = hints.retry_after
    if asked is None and reason == FetchReason.RATE_LIMITED:
        asked = hints.fresh_for
    return min(asked or 0.0, settings.max_retry_after)


def reset_if_url_changed(source: FeedSource, state: FeedState) -> FeedState:
    """Return `state` for the configured address: starts over, silently, where that is another."""
    key = source_key(source)
    if state.source_key == key:
        return state
    if not state.source_key:
        return replace(state, source_key=key)
    return replace(
        state,
        source_key=key,
        etag="",
        last_modified="",
        validated_key="",
        body_hash="",
        baselined=False,
        ended=False,
        failures=0,
        moved_to="",
        redirect_to="",
        redirect_since=0.0,
        hub="",
        topic_url="",
    )


def _failed(
    source: FeedSource, state: FeedState, outcome: FetchResult, notices: list[str]
) -> dict[str, Any]:
    if state.moved_to and outcome.reason in _LOST:
        notices.append(f"{source.id}: its new address fails; back to the configured one")
        return {"moved_to": "", "redirect_to": "", "redirect_since": 0.0, "failures": 1}
    if outcome.reason == FetchReason.GONE:
        notices.append(
            f"{source.id} has ended: {outcome.message}. It is no longer polled; "
            "remove it or give it another address"
        )
        return {"ended": True, "failures": state.failures + 1}
    return {"failures": state.failures + 1}


def _learned(state: FeedState, found: EntryDiff, now: float) -> FeedState:
    """Return `state` with what the entries teach: rhythm, heat, and that a baseline exists."""
    new = len(found.instants)
    changes: dict[str, Any] = {
        "baselined": True,
        "items": state.items + new,
        "last_item": max(state.last_item, found.newest),
    }
    if not state.baselined:
        changes["started"] = min(found.instants, default=now)
    elif new:
        state = record_burst(state, new, now)
    if new or not state.rhythm:
        state = record_items(state, found.instants, now)
    return replace(state, **changes)


def _described(state: FeedState, parsed: ParsedFeed) -> dict[str, Any]:
    return {
        "title": parsed.title or state.title,
        "link": parsed.link or state.link,
        "language": parsed.language or state.language,
        "hub": parsed.hub,
        "topic_url": parsed.self_url,
        "ttl": parsed.ttl,
        "skip_hours": parsed.skip_hours,
        "skip_days": parsed.skip_days,
    }


def _validated(state: FeedState, outcome: FetchResult) -> dict[str, Any]:
    # A delta (226) is not the document, so its hash says nothing about the next answer.
    body_hash = "" if outcome.partial else outcome.body_hash or state.body_hash
    changes: dict[str, Any] = {"body_hash": body_hash}
    if outcome.hints.ignore_validators:
        return changes | {"etag": "", "last_modified": "", "validated_key": ""}
    if outcome.reason == FetchReason.NOT_MODIFIED:
        # RFC 9111 section 4.3.4: a 304 may bring newer validators; silence keeps the old ones.
        return changes | {
            "etag": outcome.etag or state.etag,
            "last_modified": outcome.last_modified or state.last_modified,
        }
    return changes | {
        "etag": outcome.etag,
        "last_modified": outcome.last_modified,
        "validated_key": outcome.url_key,
    }


def _redirected(
    source: FeedSource, state: FeedState, outcome: FetchResult, now: float, notices: list[str]
) -> dict[str, Any]:
    private = source.headers or source.username or shown_url(source) != source.url
    if not outcome.moved or private:
        # Credentials (which a query may hold) stay with the address they were given for.
        return {"redirect_to": "", "redirect_since": 0.0}
    if outcome.moved != state.redirect_to:
        return {"redirect_to": outcome.moved, "redirect_since": now}
    if now - state.redirect_since < ADOPT_AFTER:
        return {}
    notices.append(f"{source.id} has moved to {outcome.moved}; update its address")
    return {"moved_to": outcome.moved, "redirect_to": "", "redirect_since": 0.0}
