"""What just happened, for pages that are open: ids only, over server-sent events.

One reader follows the stream that triage and the notifier write and hands each entry to every open
page. The ids are the stream's own, so a page that comes back says where it was (Last-Event-ID) and
misses nothing that the stream still holds. See html.spec.whatwg.org, "Server-sent events".
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from monitor.observability.logs import get_logger
from monitor.store.client import BLOCK_SECONDS
from monitor.store.commands import Redis
from monitor.store.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

log = get_logger(__name__)

BEAT = 15.0  # seconds between comments, so that proxies keep the line open
LONGEST = 900.0  # seconds a line may stay open: whoever comes back must still have the right
MOST_PAGES = 500
_BEHIND = 200  # entries that a page may lag before its line is cut
_ID = re.compile(r"\d{1,20}-\d{1,20}")


@dataclass(frozen=True, slots=True)
class Happened:
    """One entry of the stream: what kind of thing, about which alert and event."""

    id: str
    kind: str
    alert: str
    event: str

    def as_event(self) -> str:
        """Return it as a server-sent event."""
        data = json.dumps({"kind": self.kind, "alert": self.alert, "event": self.event})
        return f"id: {self.id}\nevent: happened\ndata: {data}\n\n"


class TooManyPages(Exception):
    """No further page can be kept up to date."""


class LiveHub:
    """Follows `stream:desk` and serves every open page.

    Args:
        client: for short commands.
        blocking: for the blocking read; its own connection.
        keys: key names.
    """

    def __init__(self, client: Redis, blocking: Redis, keys: Keys) -> None:
        self._client = client
        self._blocking = blocking
        self._stream = keys("stream", "desk")
        self._pages: set[asyncio.Queue[Happened | None]] = set()
        self._closed = False

    async def run(self) -> None:
        """Follow the stream until cancelled; a store that is away is waited for."""
        last = await self.last_id()
        while True:
            try:
                block = int(BLOCK_SECONDS * 1000)
                reply = await self._blocking.xread({self._stream: last}, count=100, block=block)
            except (RedisError, OSError) as error:
                log.warning("store_unreachable", worker="desk", error=str(error))
                await asyncio.sleep(1.0)
                continue
            for raw, fields in reply[0][1] if reply else ():
                happened = _read(raw, fields)
                last = happened.id
                self._hand_out(happened)

    def close(self) -> None:
        """End every open line: the process is stopping."""
        self._closed = True
        for page in self._pages:
            with suppress(asyncio.QueueFull):
                page.put_nowait(None)

    async def last_id(self) -> str:
        """Return the id of the newest entry, or "0-0"."""
        with suppress(RedisError, OSError):
            newest = await self._client.xrevrange(self._stream, count=1)
            return newest[0][0].decode() if newest else "0-0"
        return "0-0"

    async def since(self, last: str) -> list[Happened]:
        """Return what the stream still holds after `last` (an id; anything else: nothing)."""
        if not _ID.fullmatch(last):
            return []
        rows = await self._client.xrange(self._stream, min=f"({last}", count=_BEHIND)
        return [_read(raw, fields) for raw, fields in rows]

    async def events(self, last: str) -> AsyncIterator[str]:
        """Yield server-sent events: what came after `last`, then what comes.

        Raises:
            TooManyPages: before anything was sent.
        """
        with self._page() as page:
            yield "retry: 3000\n\n"
            sent = last
            for happened in await self.since(last):
                yield happened.as_event()
                sent = happened.id
            loop = asyncio.get_running_loop()
            end = loop.time() + LONGEST
            while loop.time() < end:
                try:
                    next_one = await asyncio.wait_for(page.get(), BEAT)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if next_one is None:
                    return
                if _order(next_one.id) > _order(sent):
                    yield next_one.as_event()

    @contextmanager
    def _page(self) -> Iterator[asyncio.Queue[Happened | None]]:
        if self._closed or len(self._pages) >= MOST_PAGES:
            raise TooManyPages
        page: asyncio.Queue[Happened | None] = asyncio.Queue(_BEHIND)
        self._pages.add(page)
        try:
            yield page
        finally:
            self._pages.discard(page)

    def _hand_out(self, happened: Happened) -> None:
        for page in self._pages:
            if page.full():  # too slow: it comes back and resumes where it was
                while not page.empty():
                    page.get_nowait()
                page.put_nowait(None)
            else:
                page.put_nowait(happened)


def _read(raw: bytes, fields: dict[bytes, bytes]) -> Happened:
    row = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
    return Happened(raw.decode(), row.get("kind", ""), row.get("alert", ""), row.get("event", ""))


def _order(entry: str) -> tuple[int, int]:
    if not _ID.fullmatch(entry):
        return 0, 0
    at, _, number = entry.partition("-")
    return int(at), int(number)
