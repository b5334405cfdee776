"""The intake pipeline: poll one feed = load, fetch, parse, decide, commit."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from monitor.clock import Clock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.errors import FetchError
from monitor.identity import digest, entry_key, url_key
from monitor.model import Entry, FeedState
from monitor.net.fetcher import Fetched, Fetcher, basic_auth, split_credentials
from monitor.net.response_headers import link_relations, parse_hints
from monitor.observability import logs, metrics, traces
from monitor.observability.logs import get_logger
from monitor.parsing.document import EVERYTHING, MAX_ENTRIES, ParsedFeed, Wanted
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.entry_diff import texts_wanted
from monitor.polling.feed_store import FeedStore, HostSlot
from monitor.polling.fetch_result import FetchResult, classify_status
from monitor.polling.full_text import SECONDS as ARTICLE_SECONDS
from monitor.polling.full_text import FullTextFetcher
from monitor.polling.polite_fetcher import PoliteFetcher, host_slot_of
from monitor.polling.poll_decision import PollDecision, decide, poll_url, reset_if_url_changed
from monitor.polling.seen_entries import SeenEntry
from monitor.reasons import FetchReason

log = get_logger(__name__)

_PAGES = 4


def _overlaps(entries: Iterable[Entry], seen: Mapping[str, SeenEntry]) -> bool:
    return any(
        entry_key(entry.guid, url_key(entry.link), entry.title, entry.fingerprint) in seen
        for entry in entries
    )


def longest(settings: PollingSettings) -> float:
    """Return the seconds that one poll may take, waits for a parser and for the store aside."""
    return settings.timeout + settings.parse_timeout + ARTICLE_SECONDS


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
        articles: FullTextFetcher | None = None,
        keep_seen: float = 90 * 86400.0,
    ) -> None:
        self._articles = articles
        self._fetcher = fetcher
        self._parsers = parsers
        self._store = store
        self._clock = clock
        self._turns = PoliteFetcher(fetcher, store, clock, settings) if store else None
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
        loaded, state = state, reset_if_url_changed(source, state)
        asked = await self._ask(source, state)
        with logs.trace(asked.outcome.trace):
            return await self._take_in(source, loaded, state, asked)

    async def _take_in(
        self, source: FeedSource, loaded: FeedState, state: FeedState, asked: _Asked
    ) -> PollDecision | None:
        """Read, decide and commit; `loaded` is the state as the store has it."""
        assert self._store is not None
        guard = self._fetcher.guard
        url = poll_url(source, state)
        place = host_slot_of(url, guard)
        outcome, seen = asked.outcome, dict[str, SeenEntry]()
        if asked.document is not None:
            seen = await self._store.load_seen(source.id)
            wanted = texts_wanted(state, seen, self._clock.now())
            outcome = await self._read(source, asked, wanted)
            if outcome.parsed is not None and state.baselined:
                parsed = await self._close_gap(source, asked, outcome.parsed, seen, wanted, place)
                outcome = replace(outcome, parsed=parsed)
        now = self._clock.now()
        decision = decide(
            source, state, seen, outcome, now, self.settings, keep_seen=self._keep_seen
        )
        if source.full_text and self._articles and decision.stories:
            stories = await self._articles.read(decision.stories, place)
            decision = replace(decision, stories=stories)
        url_after = poll_url(source, decision.state)
        answered = asked.answered if decision.hold else ""
        committed = await self._store.commit(
            decision,
            state.version,
            place,
            now=self._clock.now(),
            spacing=self.settings.host_spacing,
            before=loaded if loaded.version else None,
            answered=host_slot_of(answered, guard) if answered else None,
            home=host_slot_of(url_after, guard) if url_after != url else None,
        )
        return decision if committed else None

    async def _close_gap(
        self,
        source: FeedSource,
        asked: _Asked,
        parsed: ParsedFeed,
        seen: dict[str, SeenEntry],
        wanted: Wanted,
        place: HostSlot,
    ) -> ParsedFeed:
        """Follow a paged feed (RFC 5005) back until something known turns up, a few pages at most.

        Pages are asked for only where the document holds nothing we know: then entries may have
        come and gone between two polls. They get what time the document left.
        """
        assert self._turns is not None
        entries, following = list(parsed.entries), parsed.next_url
        visited = {source.url, asked.answered}
        try:
            async with asyncio.timeout_at(asked.until):
                for _ in range(_PAGES):
                    if not following or following in visited or _overlaps(entries, seen):
                        break
                    visited.add(following)
                    headers = self._for_same_origin(source, following)
                    fetched = await self._turns.fetch(following, place, headers=headers)
                    if classify_status(fetched)[0] != FetchReason.OK:
                        break
                    content_type = fetched.headers.get("content-type", "")
                    page = await self._parsers.parse(
                        fetched.body, fetched.url, content_type, source.kind, wanted
                    )
                    entries += page.entries
                    following = page.next_url
        except FetchError as error:
            log.info("page_failed", feed=source.id, reason=error.reason)
        except TimeoutError:
            log.info("page_failed", feed=source.id, reason=FetchReason.TIMEOUT)
        return replace(parsed, entries=tuple(entries[:MAX_ENTRIES]))

    def _for_same_origin(self, source: FeedSource, url: str) -> dict[str, str]:
        """Return the feed's private headers if `url` is on its own origin."""
        guard = self._fetcher.guard
        same = guard.check_url(source.url) == guard.check_url(url)
        if not same:
            return {}
        authorization = split_credentials(source.url)[1]
        extra = {"Authorization": authorization} if authorization else {}
        return extra | private_headers(source)

    async def look(self, source: FeedSource, state: FeedState) -> FetchResult:
        """Fetch and parse one feed; never raises for anything the publisher does."""
        asked = await self._ask(source, state)
        if asked.document is None:
            return asked.outcome
        return await self._read(source, asked, EVERYTHING)

    async def _ask(self, source: FeedSource, state: FeedState) -> _Asked:
        """Fetch one feed; its document is there to be read if it is another than before."""
        began = self._clock.now()
        trace = digest(source.id, str(state.version), str(began))
        patience = self.settings.timeout + self.settings.parse_timeout
        until = asyncio.get_running_loop().time() + patience
        document, answered = None, ""
        try:
            fetched = await self._fetcher.fetch(
                poll_url(source, state),
                headers=private_headers(source),
                etag=state.etag,
                last_modified=state.last_modified,
                validated_key=state.validated_key,
            )
            answered = fetched.url
            outcome = _answer(fetched, self._clock.now())
            if outcome.reason == FetchReason.OK:
                if outcome.body_hash == state.body_hash:
                    outcome = replace(outcome, reason=FetchReason.UNCHANGED)
                else:
                    document = fetched
        except FetchError as error:
            outcome = FetchResult(error.reason, str(error))
        except Exception as error:
            outcome = _our_fault(source, error)
        if document is None:
            self._trace(source, trace, began, outcome)
        return _Asked(replace(outcome, trace=trace), document, began, until, answered)

    async def _read(self, source: FeedSource, asked: _Asked, wanted: Wanted) -> FetchResult:
        """Parse the document that a poll brought."""
        outcome, fetched = asked.outcome, asked.document
        assert fetched is not None
        content_type = fetched.headers.get("content-type", "")
        try:
            with metrics.PARSE_SECONDS.time():
                parsed = await self._parsers.parse(
                    fetched.body, fetched.url, content_type, source.kind, wanted
                )
            links = link_relations(fetched.headers.get("link", ""))
            if "hub" in links:
                self_url = links.get("self") or parsed.self_url
                parsed = replace(parsed, hub=links["hub"], self_url=self_url)
            outcome = replace(outcome, parsed=parsed)
        except FetchError as error:
            outcome = replace(outcome, reason=error.reason, message=str(error), body_hash="")
        except Exception as error:
            outcome = replace(_our_fault(source, error), trace=outcome.trace)
        self._trace(source, outcome.trace, asked.began, outcome)
        return outcome

    def _trace(self, source: FeedSource, trace: str, began: float, outcome: FetchResult) -> None:
        now = self._clock.now()
        traces.record("fetch", trace, began, now, feed=source.id, reason=outcome.reason.value)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a fetch brought: `document` is there if it is to be parsed; `began` is when we asked.

    `until` is when the document and its pages must be done (the event loop's time); `answered` is
    the address that answered.
    """

    outcome: FetchResult
    document: Fetched | None
    began: float
    until: float
    answered: str


def _our_fault(source: FeedSource, error: Exception) -> FetchResult:
    log.exception("poll_broke", feed=source.id, reason=FetchReason.INTERNAL)
    return FetchResult(FetchReason.INTERNAL, f"our own fault: {type(error).__name__}")


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


def _answer(fetched: Fetched, now: float) -> FetchResult:
    reason, message = classify_status(fetched)
    headers = fetched.headers
    return FetchResult(
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
