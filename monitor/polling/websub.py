"""The push pipeline: keep WebSub subscriptions alive, answer hubs, turn pushes into polls."""

from __future__ import annotations

import secrets
from dataclasses import replace

from monitor.clock import Clock
from monitor.config.schema import FeedSource
from monitor.errors import FetchError
from monitor.model import FeedState
from monitor.net.routes import Request, Response
from monitor.observability.logs import get_logger
from monitor.polling.feed_store import FeedStore
from monitor.polling.polite_fetcher import PoliteFetcher
from monitor.polling.websub_protocol import (
    LEASE,
    HubSubscription,
    request_form,
    signature_holds,
    wants_asking,
)
from monitor.polling.websub_store import WebSubStore

log = get_logger(__name__)

PATH = "/websub/"


class Push:
    """Subscribes to hubs where `public_url` says they can reach us; does nothing otherwise."""

    def __init__(
        self,
        fetcher: PoliteFetcher,
        subscriptions: WebSubStore,
        feeds: FeedStore,
        clock: Clock,
        public_url: str,
        least_interval: float,
    ) -> None:
        self._fetcher = fetcher
        self._subscriptions = subscriptions
        self._feeds = feeds
        self._clock = clock
        self._least_interval = least_interval
        self._public_url = public_url.rstrip("/")

    async def tend(self, source: FeedSource, state: FeedState) -> None:
        """Ask a feed's hub for a subscription, where one is announced and none is running."""
        if not (self._public_url and source.websub and state.hub and state.topic_url):
            return
        now = self._clock.now()
        known = await self._subscriptions.load(source.id)
        if not wants_asking(known, state.hub, state.topic_url, now):
            return
        if known.hub != state.hub:
            # A hub knows its own secret and callback only, none that another was given.
            known = HubSubscription(source.id, hub=state.hub)
        asked = replace(
            known,
            topic=state.topic_url,
            token=known.token or secrets.token_urlsafe(24),
            secret=known.secret or secrets.token_urlsafe(32),
            asked_at=now,
        )
        # Written first: the hub may verify before its answer to the request arrives.
        await self._subscriptions.save(asked)
        callback = f"{self._public_url}{PATH}{source.id}/{asked.token}"
        try:
            answer = await self._fetcher.post(asked.hub, request_form(asked, callback))
        except FetchError as error:
            log.warning("websub_failed", feed=source.id, reason=error.reason, detail=str(error))
            return
        if not 200 <= answer.status < 300:
            log.warning("websub_refused", feed=source.id, status=answer.status)

    async def handle_websub(self, request: Request) -> Response:
        """Answer a hub: verification by GET, a push by POST.

        The address of the callback holds a token that only the hub was told.
        """
        feed_id, _, token = request.path.removeprefix(PATH).partition("/")
        known = await self._subscriptions.load(feed_id)
        given, right = token.encode("utf-8", "surrogatepass"), known.token.encode()
        if not given or not right or not secrets.compare_digest(given, right):
            return Response(404, "no such subscription")
        if request.method == "POST":
            return await self._pushed(known, request)
        return await self._verified(known, request)

    async def _verified(self, known: HubSubscription, request: Request) -> Response:
        mode, topic = request.query.get("hub.mode", ""), request.query.get("hub.topic", "")
        if mode == "denied":
            log.warning("websub_denied", feed=known.feed_id)
            await self._subscriptions.save(replace(known, lease_until=0.0, verified_at=0.0))
            return Response(200, "")
        if mode != "subscribe" or topic != known.topic:
            return Response(404, "not what was asked for")
        said = request.query.get("hub.lease_seconds", "")
        lease = min(float(said), 90 * 86400.0) if said.isdecimal() else float(LEASE)
        now = self._clock.now()
        granted = replace(known, lease_until=now + lease, verified_at=now)
        await self._subscriptions.save(granted)
        log.info("websub_active", feed=known.feed_id, lease_seconds=lease)
        return Response(200, request.query.get("hub.challenge", ""))

    async def _pushed(self, known: HubSubscription, request: Request) -> Response:
        signature = request.headers.get("x-hub-signature", "")
        if signature_holds(known.secret, request.body, signature):
            now = self._clock.now()
            await self._feeds.pushed(known.feed_id, now, self._least_interval)
        else:
            # Section 7.1: answered all the same, so that guessing teaches nothing.
            log.warning("websub_forged", feed=known.feed_id)
        return Response(202, "")
