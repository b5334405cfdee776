"""A publisher on loopback that does whatever a test tells it, well-behaved or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from monitor.config.schema import FeedSource
from monitor.identity import content_hash
from monitor.model import Entry
from monitor.net.address_guard import AddressGuard
from monitor.parsing.document import EVERYTHING, Wanted
from monitor.polling.poll import Intake
from monitor.polling.poll_decision import PollDecision

Answer = Callable[["FeedRequest", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class FeedRequest:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes = b""
    method: str = "GET"
    at: float = 0.0  # by the test's clock

    @property
    def host(self) -> str:
        """The host that was asked, without its port."""
        return self.headers["host"].split(":")[0]


@dataclass
class Publisher:
    """A raw HTTP server: `pages` maps paths to bytes to send, or to a coroutine that sends them."""

    port: int = 0
    now: Callable[[], float] = lambda: 0.0
    pages: dict[str, bytes | Answer] = field(default_factory=dict)
    asked: list[FeedRequest] = field(default_factory=list)

    def url(self, path: str = "/feed", host: str = "127.0.0.1") -> str:
        """Return the address of a page."""
        return f"http://{host}:{self.port}{path}"

    def serve(self, path: str, body: bytes | str, status: str = "200 OK", **headers: str) -> None:
        """Have `path` answered with `body`; header names are written with underscores."""
        data = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if not any(name.lower() == "content_length" for name in headers):
            lines.append(f"Content-Length: {len(data)}")
        self.pages[path] = "\r\n".join(lines).encode() + b"\r\n\r\n" + data

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *rest = head.strip().split("\r\n")
            headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in rest)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, path, _ = first.split(" ", 2)
            asked = FeedRequest(path, headers, body, method, self.now())
            self.asked.append(asked)
            page = self.pages.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(asked, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class PublicLoopback(AddressGuard):
    """A guard to which loopback addresses, where allowed, are public: their sites are held."""

    def is_internal(self, host: str) -> bool:
        return False


async def polled(intake: Intake, source: FeedSource) -> PollDecision:
    """Poll a feed; the commit must succeed."""
    decision = await intake.poll(source)
    assert decision is not None
    return decision


def parsed(entry: Entry, wanted: Wanted = EVERYTHING) -> Entry:
    """Return an entry as parsing gives it: with its fingerprint, its texts only if wanted."""
    fingerprint, length = content_hash(entry.title, (entry.summary, entry.content))
    known = replace(entry, fingerprint=fingerprint, length=length)
    if wanted.passes_over(fingerprint, length, entry.published or entry.updated):
        return replace(known, summary="", content="")
    return known


def rss(*items: tuple[str, str, str], extra: str = "") -> str:
    """Return an RSS document of (guid, title, pubDate) items, links made from the GUIDs."""
    rows = "".join(
        f"<item><guid isPermaLink='false'>{guid}</guid><title>{title}</title>"
        f"<link>https://paper.example/{guid}</link>"
        f"<description>Report on {title}, as told by our desk this morning.</description>"
        + (f"<pubDate>{date}</pubDate>" if date else "")
        + "</item>"
        for guid, title, date in items
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>"
        f"<title>The Paper</title><link>https://paper.example/</link>{extra}{rows}</channel></rss>"
    )
