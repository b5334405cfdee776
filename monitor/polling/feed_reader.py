"""Fetch one feed and parse what it answers. Nothing is stored.

A poll takes the two steps one by one, because it loads what it remembers in between. `feeds
inspect` takes them in one go.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from monitor.clock import Clock
from monitor.config.schema import FeedSource
from monitor.errors import FetchError
from monitor.identity import digest
from monitor.model import FeedState
from monitor.net.fetcher import Fetched, Fetcher, basic_auth
from monitor.net.response_headers import link_relations, parse_hints
from monitor.observability import metrics, traces
from monitor.observability.logs import get_logger
from monitor.parsing.document import EVERYTHING, Wanted
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.fetch_result import FetchResult, classify_status
from monitor.polling.poll_decision import poll_url
from monitor.reasons import FetchReason
from monitor.text import one_line

log = get_logger(__name__)

_LONGEST_MESSAGE = 500  # characters; it may quote the publisher


@dataclass(frozen=True, slots=True)
class FetchedFeed:
    """What one fetch brought.

    `document` is there if it is another than at the last poll, and is still to be parsed. `began`
    is when we asked (Unix seconds), `answered_by` the address that answered ("" if none did).
    """

    result: FetchResult
    document: Fetched | None
    began: float
    answered_by: str


class FeedReader:
    """Fetches and parses feeds; any number of calls may run at once.

    Nothing that a publisher does raises: how a feed was read is in its `FetchResult`.
    """

    def __init__(self, fetcher: Fetcher, parsers: ParserPool, clock: Clock) -> None:
        self._fetcher = fetcher
        self._parsers = parsers
        self._clock = clock

    async def read(self, source: FeedSource, state: FeedState) -> FetchResult:
        """Fetch one feed and parse its document whole."""
        fetched = await self.fetch(source, state)
        return await self.parse(source, fetched, EVERYTHING)

    async def fetch(self, source: FeedSource, state: FeedState) -> FetchedFeed:
        """Ask for one feed, with the validators of its last answer."""
        began = self._clock.now()
        trace = digest(source.id, str(state.version), str(began))
        document, answered_by = None, ""
        try:
            fetched = await self._fetcher.fetch(
                poll_url(source, state),
                headers=private_headers(source),
                etag=state.etag,
                last_modified=state.last_modified,
                validated_key=state.validated_key,
            )
            answered_by = fetched.url
            result = _to_result(fetched, self._clock.now())
            if result.reason == FetchReason.OK:
                if result.body_hash == state.body_hash:
                    result = replace(result, reason=FetchReason.UNCHANGED)
                else:
                    document = fetched
        except FetchError as error:
            result = FetchResult(error.reason, one_line(str(error), _LONGEST_MESSAGE))
        except Exception as error:
            result = our_fault(source, error)
        if document is None:
            self._record(source, trace, began, result)
        return FetchedFeed(replace(result, trace=trace), document, began, answered_by)

    async def parse(self, source: FeedSource, fetched: FetchedFeed, wanted: Wanted) -> FetchResult:
        """Parse the document that a fetch brought; without one, return what the fetch gave."""
        result, document = fetched.result, fetched.document
        if document is None:
            return result
        headers = document.headers
        try:
            with metrics.PARSE_SECONDS.time():
                parsed = await self._parsers.parse(
                    document.body,
                    document.url,
                    headers.get("content-type", ""),
                    source.kind,
                    wanted,
                )
            parsed = replace(parsed, warnings=(*document.notes, *parsed.warnings))
            links = link_relations(headers.get("link", ""))
            if "hub" in links:
                self_url = links.get("self") or parsed.self_url
                parsed = replace(parsed, hub=links["hub"], self_url=self_url)
            result = replace(result, parsed=parsed)
        except FetchError as error:
            result = replace(
                result,
                reason=error.reason,
                message=one_line(str(error), _LONGEST_MESSAGE),
                body_hash="",
            )
        except Exception as error:
            result = replace(our_fault(source, error), trace=result.trace)
        self._record(source, result.trace, fetched.began, result)
        return result

    def _record(self, source: FeedSource, trace: str, began: float, result: FetchResult) -> None:
        now = self._clock.now()
        traces.record("fetch", trace, began, now, feed=source.id, reason=result.reason.value)


def our_fault(source: FeedSource, error: Exception) -> FetchResult:
    """Return the result of a poll that failed by a fault of ours; the log has the traceback."""
    log.error("poll_broke", feed=source.id, reason=FetchReason.INTERNAL, exc_info=error)
    return FetchResult(FetchReason.INTERNAL, f"our own fault: {type(error).__name__}")


def private_headers(source: FeedSource) -> dict[str, str]:
    """Return the request headers of a feed that go to its own host only."""
    headers = {name: value.get_secret_value() for name, value in source.headers.items()}
    if source.username and source.password is not None:
        password = source.password.get_secret_value()
        headers.setdefault("Authorization", basic_auth(source.username, password))
    return headers


def _to_result(fetched: Fetched, now: float) -> FetchResult:
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
        host=urlsplit(fetched.url).hostname or "",
        body_hash=_body_hash(fetched.body) if fetched.status in (200, 203) else "",
        moved=fetched.moved,
        partial=fetched.status == 226,
    )


def _body_hash(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=12).hexdigest()
