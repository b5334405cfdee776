"""The intake pipeline: poll one feed = load, fetch, parse, decide, commit."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.clock import Clock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.errors import FetchError
from monitor.feeds.decide import PollDecision, decide, poll_url
from monitor.feeds.fetch import Fetched, Fetcher, basic_auth
from monitor.feeds.headers import link_relations, parse_hints
from monitor.feeds.outcome import Outcome, classify_status
from monitor.feeds.parse import looks_like_wall
from monitor.feeds.pool import ParserPool
from monitor.feeds.seen import SeenEntry
from monitor.identity import digest, site
from monitor.logs import get_logger
from monitor.model import FeedState
from monitor.reasons import FetchReason
from monitor.store.feeds import FeedStore, Place

if TYPE_CHECKING:
    from monitor.address import AddressGuard

log = get_logger(__name__)


def place_of(source: FeedSource, guard: AddressGuard) -> Place:
    """Return the host to space requests to, and the site that a Retry-After holds."""
    try:
        _, host, _ = guard.check_url(source.url)
    except FetchError:
        return Place(host=source.id, site="")
    return Place(host=host, site="" if guard.is_internal(host) else site(host))


class Intake:
    """Polls feeds, one at a time for each call; any number of calls may run at once.

    `look` alone is what `feeds inspect` and the first-run summary need: it stores nothing.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        parsers: ParserPool,
        store: FeedStore | None,
        clock: Clock,
        settings: PollingSettings,
        *,
        keep_seen: float = 90 * 86400.0,
    ) -> None:
        self._fetcher = fetcher
        self._parsers = parsers
        self._store = store
        self._clock = clock
        self.settings = settings
        self._keep_seen = keep_seen

    async def poll(self, source: FeedSource, state: FeedState | None = None) -> PollDecision | None:
        """Poll one feed and commit what follows; None if another poller was first.

        Raises:
            redis.exceptions.RedisError: the store failed; nothing was committed.
        """
        assert self._store is not None
        if state is None:
            state = (await self._store.load_states([source.id]))[0]
        outcome = await self.look(source, state)
        seen: dict[str, SeenEntry] = {}
        if outcome.parsed is not None:
            seen = await self._store.load_seen(source.id)
        now = self._clock.now()
        decision = decide(
            source, state, seen, outcome, now, self.settings, keep_seen=self._keep_seen
        )
        committed = await self._store.commit(
            decision,
            state.version,
            place_of(source, self._fetcher.guard),
            now=now,
            spacing=self.settings.host_spacing,
        )
        return decision if committed else None

    async def look(self, source: FeedSource, state: FeedState) -> Outcome:
        """Fetch and parse one feed; never raises for anything the publisher does."""
        trace = digest(source.id, str(state.version), str(self._clock.now()), size=6)
        try:
            outcome = await self._look(source, state)
        except FetchError as error:
            outcome = Outcome(error.reason, str(error))
        except Exception as error:
            log.exception("poll_broke", feed=source.id, reason=FetchReason.INTERNAL)
            outcome = Outcome(FetchReason.INTERNAL, f"our own fault: {type(error).__name__}")
        return replace(outcome, trace=trace)

    async def _look(self, source: FeedSource, state: FeedState) -> Outcome:
        fetched = await self._fetcher.fetch(
            poll_url(source, state),
            headers=private_headers(source),
            etag=state.etag,
            last_modified=state.last_modified,
            validated_key=state.validated_key,
        )
        outcome = _answer(fetched, self._clock.now())
        if outcome.reason != FetchReason.OK:
            return outcome
        if outcome.body_hash == state.body_hash:
            return replace(outcome, reason=FetchReason.UNCHANGED)
        content_type = fetched.headers.get("content-type", "")
        try:
            parsed = await self._parsers.parse(fetched.body, fetched.url, content_type, source.kind)
        except FetchError as error:
            return replace(outcome, reason=error.reason, message=str(error), body_hash="")
        links = link_relations(fetched.headers.get("link", ""))
        if "hub" in links:
            parsed = replace(
                parsed, hub=links["hub"], self_url=links.get("self") or parsed.self_url
            )
        return replace(outcome, parsed=parsed)


def private_headers(source: FeedSource) -> dict[str, str]:
    """Return the request headers of a feed that go to its own host only."""
    headers = {name: value.get_secret_value() for name, value in source.headers.items()}
    if source.username and source.password is not None:
        password = source.password.get_secret_value()
        headers.setdefault("Authorization", basic_auth(source.username, password))
    return headers


def body_digest(body: bytes) -> str:
    """Return what tells two bodies apart."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def _answer(fetched: Fetched, now: float) -> Outcome:
    reason, message = classify_status(fetched)
    if reason == FetchReason.UNAUTHORISED and looks_like_wall(fetched.body):
        reason, message = FetchReason.BOT_WALL, f"a bot check answers ({fetched.status})"
    headers = fetched.headers
    return Outcome(
        reason=reason,
        message=message,
        status=fetched.status,
        latency=fetched.latency,
        wire_bytes=fetched.wire_bytes,
        hints=parse_hints(headers, now),
        etag=headers.get("etag", ""),
        last_modified=headers.get("last-modified", ""),
        url_key=digest(fetched.url),
        body_hash=body_digest(fetched.body) if fetched.status in (200, 203) else "",
        moved=fetched.moved,
        partial=fetched.status == 226,
    )
