"""What follows from one poll: pure, so that it can be replayed and proved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from monitor.config.schema import FeedSource, PollingSettings
from monitor.feeds.entries import DAY, sort_entries
from monitor.feeds.outcome import Outcome
from monitor.feeds.schedule import beat, next_due, warm_up
from monitor.feeds.seen import Seen, SeenEntry
from monitor.identity import digest
from monitor.model import FeedState, Story
from monitor.reasons import EntryReason, FetchReason
from monitor.redact import redact

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
    `notices` are sentences for operators: a feed ended, a feed moved.
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
    rhythm_changed: bool = False


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
    outcome: Outcome,
    now: float,
    settings: PollingSettings,
    *,
    keep_seen: float = 90 * DAY,
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
    """
    before = _readdressed(source, state, now)
    after = replace(
        before,
        url=shown_url(source),
        version=state.version + 1,
        polls=before.polls + 1,
        last_poll=now,
        last_reason=str(outcome.reason),
        last_error=outcome.message,
        status=outcome.status,
        latency=round(outcome.latency, 4),
        started=before.started or now,
    )
    notices: list[str] = []
    stories: tuple[Story, ...] = ()
    updates: dict[str, SeenEntry] = {}
    dropped: tuple[str, ...] = ()
    counts: Counter[EntryReason] = Counter()
    if outcome.good:
        after = replace(after, failures=0, last_error="", last_success=now)
        after = _redirected(source, after, outcome, now, notices)
        if outcome.reason == FetchReason.OK and outcome.parsed is not None:
            sorted_ = sort_entries(
                source,
                _described(before, outcome),
                seen,
                outcome.parsed.entries,
                now,
                settings,
                keep_seen=keep_seen,
                trace=outcome.trace,
            )
            stories, updates = tuple(sorted_.stories), sorted_.updates
            dropped, counts = tuple(sorted_.drops), sorted_.counts
            after = _described(after, outcome)
            new = len(sorted_.instants)
            if not before.baselined:
                oldest = min(sorted_.instants, default=now)
                after = replace(after, started=oldest)
            elif new:
                after = warm_up(after, new, now)
            if new or not after.rhythm:
                after = beat(after, sorted_.instants, now)
            after = replace(
                after,
                baselined=True,
                items=before.items + new,
                last_item=max(before.last_item, sorted_.newest),
            )
        else:
            after = replace(after, unchanged=before.unchanged + 1)
        after = _validated(after, outcome)
    else:
        after = replace(after, failures=before.failures + 1)
        if before.moved_to and outcome.reason in _LOST:
            after = replace(after, moved_to="", redirect_to="", redirect_since=0.0, failures=1)
            notices.append(f"{source.id}: its new address fails; back to the configured one")
        elif outcome.reason == FetchReason.GONE:
            after = replace(after, ended=True)
            notices.append(
                f"{source.id} has ended: {outcome.message}. It is no longer polled; "
                "remove it or give it another address"
            )
    due, interval = next_due(source, after, outcome.reason, outcome.hints, now, settings)
    hold = 0.0
    if outcome.reason in _HOLDING and due > now:
        asked = outcome.hints.retry_after
        if asked is None and outcome.reason == FetchReason.RATE_LIMITED:
            asked = outcome.hints.fresh_for
        hold = min(asked or 0.0, settings.max_retry_after)
    after = replace(after, next_due=round(due, 3), interval=round(interval, 1))
    return PollDecision(
        state=after,
        reason=outcome.reason,
        stories=stories,
        seen=updates,
        dropped=dropped,
        counts=counts,
        hold=hold,
        notices=tuple(notices),
        message=outcome.message,
        rhythm_changed=after.rhythm != before.rhythm,
    )


def _readdressed(source: FeedSource, state: FeedState, now: float) -> FeedState:
    """Start over, silently, where the configuration gives a feed another address."""
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


def _described(state: FeedState, outcome: Outcome) -> FeedState:
    parsed = outcome.parsed
    assert parsed is not None
    return replace(
        state,
        title=parsed.title or state.title,
        link=parsed.link or state.link,
        language=parsed.language or state.language,
        hub=parsed.hub,
        topic_url=parsed.self_url,
        ttl=parsed.ttl,
        skip_hours=parsed.skip_hours,
        skip_days=parsed.skip_days,
    )


def _validated(state: FeedState, outcome: Outcome) -> FeedState:
    if outcome.hints.ignore_validators:
        state = replace(state, etag="", last_modified="", validated_key="")
    elif outcome.reason == FetchReason.NOT_MODIFIED:
        # RFC 9111 section 4.3.4: a 304 may bring newer validators; silence keeps the old ones.
        state = replace(
            state,
            etag=outcome.etag or state.etag,
            last_modified=outcome.last_modified or state.last_modified,
        )
    else:
        state = replace(
            state,
            etag=outcome.etag,
            last_modified=outcome.last_modified,
            validated_key=outcome.url_key,
        )
    # A delta (226) is not the document, so its hash says nothing about the next answer.
    body_hash = "" if outcome.partial else outcome.body_hash or state.body_hash
    return replace(state, body_hash=body_hash)


def _redirected(
    source: FeedSource, state: FeedState, outcome: Outcome, now: float, notices: list[str]
) -> FeedState:
    private = source.headers or source.username or shown_url(source) != source.url
    if not outcome.moved or private:
        # Credentials (which a query may hold) stay with the address they were given for.
        return replace(state, redirect_to="", redirect_since=0.0)
    if outcome.moved != state.redirect_to:
        return replace(state, redirect_to=outcome.moved, redirect_since=now)
    if now - state.redirect_since < ADOPT_AFTER:
        return state
    notices.append(f"{source.id} has moved to {outcome.moved}; update its address")
    return replace(state, moved_to=outcome.moved, redirect_to="", redirect_since=0.0)
