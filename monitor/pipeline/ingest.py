"""The intake pipeline: poll one feed = load, fetch, parse, decide, commit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor import metrics, traces
from monitor.clock import Clock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.errors import FetchError
from monitor.feeds.decide import PollDecision, decide, poll_url, readdressed
from monitor.feeds.document import EVERYTHING, MAX_ENTRIES, ParsedFeed, Wanted
from monitor.feeds.entries import texts_wanted
from monitor.feeds.fetch import Fetched, Fetcher, basic_auth, split_credentials
from monitor.feeds.headers import link_relations, parse_hints
from monitor.feeds.outcome import Outcome, classify_status
from monitor.feeds.parse import looks_like_wall
from monitor.feeds.pool import ParserPool
from monitor.feeds.seen import SeenEntry
from monitor.identity import digest, entry_key, site, url_key
from monitor.logs import get_logger
from monitor.model import Entry, FeedState
from monitor.pipeline.articles import Articles
from monitor.reasons import FetchReason
from monitor.store.feeds import FeedStore, Place

if TYPE_CHECKING:
    from monitor.address import AddressGuard

log = get_logger(__name__)

_PAGES = 4


def _overlaps(entries: Iterable[Entry], seen: Mapping[str, SeenEntry]) -> bool:
    return any(
        entry_key(entry.guid, url_key(entry.link), entry.title, entry.fingerprint) in seen
        for entry in entries
    )


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
        articles: Articles | None = None,
        keep_seen: float = 90 * 86400.0,
    ) -> None:
        self._articles = articles
        self._fetcher = fetcher
        self._parsers = parsers
        self._store = store
        self._clock = clock
        self._places: dict[str, Place] = {}
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
        loaded, state = state, readdressed(source, state)
        asked = await self._ask(source, state)
        outcome, seen = asked.outcome, dict[str, SeenEntry]()
        if asked.document is not None:
            seen = await self._store.load_seen(source.id)
            wanted = texts_wanted(state, seen, self._clock.now())
            outcome = await self._read(source, asked, wanted)
            if outcome.parsed is not None and state.baselined:
                parsed = await self._close_gap(source, outcome.parsed, seen, wanted)
                outcome = replace(outcome, parsed=parsed)
        now = self._clock.now()
        decision = decide(
            source, state, seen, outcome, now, self.settings, keep_seen=self._keep_seen
        )
        if source.full_text and self._articles and decision.stories:
            decision = replace(decision, stories=await self._articles.read(decision.stories))
        committed = await self._store.commit(
            decision,
            state.version,
            self._place(source),
            now=now,
            spacing=self.settings.host_spacing,
            before=loaded if loaded.version else None,
        )
        return decision if committed else None

    def _place(self, source: FeedSource) -> Place:
        if source.url not in self._places:
            self._places[source.url] = place_of(source, self._fetcher.guard)
        return self._places[source.url]

    async def _close_gap(
        self,
        source: FeedSource,
        parsed: ParsedFeed,
        seen: dict[str, SeenEntry],
        wanted: Wanted,
    ) -> ParsedFeed:
        """Follow a paged feed (RFC 5005) back until something known turns up, a few pages at most.

        Pages are asked for only where the document holds nothing we know: then entries may have
        come and gone between two polls.
        """
        entries, following = list(parsed.entries), parsed.next_url
        visited = {source.url}
        for _ in range(_PAGES):
            if not following or following in visited or _overlaps(entries, seen):
                break
            visited.add(following)
            await self._clock.sleep(self.settings.host_spacing)
            try:
                fetched = await self._fetcher.fetch(
                    following, headers=self._for_same_origin(source, following)
                )
                if classify_status(fetched)[0] != FetchReason.OK:
                    break
                content_type = fetched.headers.get("content-type", "")
                page = await self._parsers.parse(
                    fetched.body, fetched.url, content_type, source.kind, wanted
                )
            except FetchError as error:
                log.info("page_failed", feed=source.id, reason=error.reason)
                break
            entries += page.entries
            following = page.next_url
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

    async def look(self, source: FeedSource, state: FeedState) -> Outcome:
        """Fetch and parse one feed; never raises for anything the publisher does."""
        asked = await self._ask(source, state)
        if asked.document is None:
            return asked.outcome
        return await self._read(source, asked, EVERYTHING)

    async def _ask(self, source: FeedSource, state: FeedState) -> _Asked:
        """Fetch one feed; its document is there to be read if it is another than before."""
        began = self._clock.now()
        trace = digest(source.id, str(state.version), str(began), size=6)
        document = None
        try:
            fetched = await self._fetcher.fetch(
                poll_url(source, state),
                headers=private_headers(source),
                etag=state.etag,
                last_modified=state.last_modified,
                validated_key=state.validated_key,
            )
            outcome = _answer(fetched, self._clock.now())
            if outcome.reason == FetchReason.OK:
                if outcome.body_hash == state.body_hash:
                    outcome = replace(outcome, reason=FetchReason.UNCHANGED)
                else:
                    document = fetched
        except FetchError as error:
            outcome = Outcome(error.reason, str(error))
        except Exception as error:
            outcome = _our_fault(source, error)
        if document is None:
            self._trace(source, trace, began, outcome)
        return _Asked(replace(outcome, trace=trace), document, began)

    async def _read(self, source: FeedSource, asked: _Asked, wanted: Wanted) -> Outcome:
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

    def _trace(self, source: FeedSource, trace: str, began: float, outcome: Outcome) -> None:
        now = self._clock.now()
        traces.record("fetch", trace, began, now, feed=source.id, reason=outcome.reason.value)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a fetch brought: `document` is there if it is to be parsed; `began` is when we asked."""

    outcome: Outcome
    document: Fetched | None
    began: float


def _our_fault(source: FeedSource, error: Exception) -> Outcome:
    log.exception("poll_broke", feed=source.id, reason=FetchReason.INTERNAL)
    return Outcome(FetchReason.INTERNAL, f"our own fault: {type(error).__name__}")


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
