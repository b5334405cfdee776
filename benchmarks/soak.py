"""A soak: two of every stage, a steady stream of stories, memory and lag watched, all counted.

    python -m benchmarks.soak --minutes 30 --rate 20 --out build/soak
    python -m benchmarks.soak --minutes 30 --rate 20 --keep 300 --out build/soak-short
    python -m benchmarks.soak --minutes 30 --rate 20 --faults --out build/soak-faults
    python -m benchmarks.soak --minutes 30 --rate 20 --model hashing --out build/soak-hashing

Starts a Valkey, two pollers, two embedders, two triages (one stands by) and two notifiers as
processes of their own; serves feeds on this machine and takes their alerts with a webhook. At
the end everything is counted: each story published must have been analysed once, each alert
decided must have arrived, and nothing twice. Writes `soak.json`, and `soak.png` if matplotlib
is installed. With `--keep` the window and all that is kept are so many seconds instead of days, so
that half an hour shows what happens once they forget. With `--faults` the store, processes, the
network, the newsroom, the clock, the model and the configuration fail by turns, at random
(`soak_faults.py`), and how long catching up took after each is measured. Where the processor is too
slow for the model at that rate, `--model hashing` shows what all the rest does. A webhook cannot be
asked what it has: where an answer was lost with a killed process, an alert may come twice, and says
so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from email.utils import format_datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from redis.exceptions import RedisError

# ruff: noqa: ASYNC110, ASYNC240
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.soak_faults import Faults
from monitor.observability import logs
from monitor.stages import PIPELINE
from monitor.store.client import connect
from monitor.store.embedded.server import EmbeddedStore
from monitor.store.keys import Keys
from monitor.tasks import end as end_tasks

STRIKES = ["Drones hit a power plant near {}", "Missiles damage the substation at {}",
           "Air raid leaves {} without electricity", "Refinery at {} on fire again"]  # fmt: skip
SAID = ["{} officials said", "Residents of {} told reporters", "In {}, witnesses said",
        "The mayor of {} announced", "A spokesman in {} confirmed"]  # fmt: skip
_SYLLABLES = ["ka", "ro", "vel", "min", "sa", "tor", "lin", "du", "pe", "gra", "os", "hel", "ni",
              "ba", "fra", "zu", "mor", "ti", "lan", "qua", "bre", "wes", "yo", "dal"]  # fmt: skip


def vocabulary() -> list[str]:
    """Return a few thousand words that stand in headlines, so that happenings differ."""
    table = files("monitor.events").joinpath("frequencies.txt").read_text("utf-8")
    rows = [line.split() for line in table.splitlines()[2:]]
    return [row[0] for row in rows if len(row) == 2 and len(row[0]) > 4]


class SoakWorld:
    """The feeds and the newsroom: serves what is published, counts what is told."""

    def __init__(self, feeds: int, seed: int = 7, keep: int = 60) -> None:
        self.keep = keep
        self.random = random.Random(seed)
        self.items: list[list[str]] = [[] for _ in range(feeds)]
        self.published = 0
        self.happenings: list[str] = []
        self.words = vocabulary()
        self.dark = self.refusing = False
        self.alerts: Counter[str] = Counter()
        self.resent = 0
        self.delays: list[float] = []

    def publish(self) -> None:
        """Put one story on a feed picked by chance: a new happening, or one of the last again."""
        pick = self.random.choice
        if not self.happenings or self.random.random() < 0.6:
            self.happenings = [*self.happenings[-40:], self._happening()]
        title = pick(self.happenings) if self.random.random() < 0.4 else self.happenings[-1]
        summary = f"{pick(SAID).format(self._name())} it took {self.random.randrange(2, 90)} hours."
        self.put(self.random.randrange(len(self.items)), title, summary)

    def _happening(self) -> str:
        pick, place = self.random.choice, self._name()
        if self.random.random() < 1 / 40:
            return f"{pick(STRIKES).format(place)}, {self.random.randrange(50, 4000)} homes dark"
        return f"{place}: " + " ".join(self.random.sample(self.words, 7))

    def _name(self) -> str:
        return "".join(self.random.choice(_SYLLABLES) for _ in range(3)).capitalize()

    def put(self, feed: int, title: str, summary: str) -> None:
        """Put one story on top of a feed, dated now."""
        n = self.published
        self.items[feed].insert(
            0,
            f"<item><title>{title}</title><guid isPermaLink='false'>s{n}</guid>"
            f"<link>https://outlet{feed}.example/{n}</link><description>{summary}</description>"
            f"<pubDate>{format_datetime(datetime.now(UTC))}</pubDate></item>",
        )
        del self.items[feed][self.keep :]
        self.published += 1

    async def feed(self, request: web.Request) -> web.Response:
        if self.dark:
            raise web.HTTPServiceUnavailable
        rows = "".join(self.items[int(request.match_info["n"])])
        return web.Response(
            text=f"<?xml version='1.0'?><rss version='2.0'><channel><title>o</title>{rows}"
            "</channel></rss>",
            content_type="application/rss+xml",
        )

    async def take(self, request: web.Request) -> web.Response:
        if self.refusing:
            raise web.HTTPServiceUnavailable
        told = await request.json()
        name = str(told.get("id") or told.get("notification") or told)
        if self.alerts[name] and told.get("resend"):
            self.resent += 1  # marked as perhaps the second: its first answer was lost
        else:
            self.alerts[name] += 1
        return web.Response(text="ok")

    async def serve(self) -> tuple[web.AppRunner, int]:
        """Listen at `address(n)` for each feed."""
        app = web.Application()
        app.router.add_get("/{n}.xml", self.feed)
        app.router.add_post("/hook", self.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, address(0), 0).start()
        port = int(runner.addresses[0][1])
        for n in range(1, len(self.items)):
            await web.TCPSite(runner, address(n), port).start()
        return runner, port


def address(n: int) -> str:
    """Return the address of feed `n`: a host of its own, as in life."""
    return f"127.1.{n // 250}.{n % 250 + 1}"


def configure(folder: Path, feeds: int, port: int, interval: str, keep: float, model: str) -> Path:
    """Write the configuration of the soak; `keep` is the window in seconds, 0 for the defaults."""
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    whole = {
        "polling": {
            "allow_hosts": ["127.0.0.0/8"],
            "allow_ports": [port],
            "host_spacing": "100ms",
            "min_interval": "1s",
            "parser_processes": 1,
        },
        "embedding": {"threads": 1} | ({"model": model} if model else {}),
        "ops": {"canary_every": "60s"},
        "channels": {"hook": {"type": "webhook", "url": f"http://{address(0)}:{port}/hook"}},
        "route": {"to": ["hook"]},
    }
    if keep:
        names = ("keep_stories", "keep_seen", "keep_receipts")
        whole |= {"events": {"window": f"{keep:g}s"}}
        whole |= {"store": dict.fromkeys(names, f"{keep:g}s")}
    rows = [
        {"id": f"f{n}", "url": f"http://{address(n)}:{port}/{n}.xml", "interval": interval}
        for n in range(feeds)
    ]
    topics = [
        {
            "id": "energy",
            "name": "Energy infrastructure strikes",
            "description": "Attacks by drones or missiles on power plants, grids, refineries.",
            "examples": ["Missiles damage a power plant and leave a city without electricity"],
        },
        {"id": "trade", "name": "Trade deals", "description": "Trade agreements being signed."},
    ]
    contents = {"wirewatch": whole, "feeds": {"feeds": rows}, "topics": {"topics": topics}}
    for name, data in contents.items():
        (config / f"{name}.yaml").write_text(yaml.safe_dump(data), "utf-8")
    return config


def start(
    stage: str, config: Path, url: str, log: Path, marks: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start one stage as a process of its own; `marks` is the folder of its misfortunes."""
    suffering = ["tests.chaos.misfortunes", str(marks), "--"]
    program = suffering if marks else ["monitor.cli"]
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", *program, "run", "--config", str(config), "--only", stage],
            env={**os.environ, "REDIS_URL": url, "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=file,
        )


def memory(pid: int) -> float:
    """Return the resident memory of a process and its children, in MB."""
    total = 0
    for process in [pid, *_children(pid)]:
        try:
            for line in Path(f"/proc/{process}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total / 1024


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


async def soak(
    minutes: float,
    rate: float,
    feeds: int,
    out: Path,
    keep: float = 0.0,
    faults: bool = False,
    model: str = "",
) -> dict[str, Any]:
    """Run the soak and return what was measured."""
    out.mkdir(parents=True, exist_ok=True)
    world = SoakWorld(feeds)
    runner, port = await world.serve()
    config = configure(out, feeds, port, "10s", keep, model)
    store = EmbeddedStore(out / "data")
    url = await asyncio.to_thread(store.start)
    client, keys = connect(url), Keys()
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def begin_process(name: str) -> None:
        stage, marks = name.partition("-")[0], out if faults else None
        processes[name] = start(stage, config, url, out / f"{name}.log", marks)

    for name in [f"{stage}-{n}" for stage in PIPELINE for n in (1, 2)]:
        begin_process(name)

    async def waiting() -> int:
        streams = [await client.xlen(keys("stream", name)) for name in ("stories", "vectors")]
        return sum(map(int, streams)) + int(await client.zcard(keys("outbox", "hook")))

    server = int((await client.info("server"))["process_id"])
    samples: list[dict[str, Any]] = []
    thrower = Faults(client, server, config, out, world, processes, begin_process, waiting, rate)
    throwing: asyncio.Task[None] | None = None
    try:
        while int(await client.hlen(keys("model"))) == 0 or not await baselined(
            client, keys, feeds
        ):
            await asyncio.sleep(0.5)
        throwing = asyncio.create_task(thrower.run()) if faults else None
        begin = time.monotonic()
        end = begin + minutes * 60
        next_sample = 0.0
        while (now := time.monotonic()) < end:
            while world.published < (now - begin) * rate:
                world.publish()
            if now - begin >= next_sample:
                next_sample += 10
                try:
                    row = await sample(client, keys, processes, server)
                except (RedisError, OSError):
                    continue  # the store hangs: the next sample shows what that did
                samples.append({"at": round(now - begin, 1), "published": world.published, **row})
                say(now - begin, world, row)
            await asyncio.sleep(0.02)
        if throwing is not None:
            await end_tasks([throwing])
        drained = await drain(client, keys, world)
        counts = {k.decode(): int(v) for k, v in (await client.hgetall(keys("count"))).items()}
        dead = int(await client.hlen(keys("dead")))
        died = [name for name, process in processes.items() if process.poll() is not None]
    finally:
        if throwing is not None:
            await end_tasks([throwing])
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            process.wait(30)
        await client.aclose()
        await asyncio.to_thread(store.stop)
        await runner.cleanup()
    twice = sum(n - 1 for n in world.alerts.values())
    return {
        "keep": keep,
        "model": model or "the default",
        "minutes": minutes,
        "rate": rate,
        "published": world.published,
        "analysed": counts.get("stories", 0),
        "lost": world.published - counts.get("stories", 0),
        "copies": counts.get("copies", 0),
        "events": counts.get("events", 0),
        "alerts_decided": counts.get("alerts", 0),
        "alerts_arrived": len(world.alerts),
        "alerts_twice": twice,
        "alerts_resent_and_marked": world.resent,
        "dead_letters": dead,
        "processes_died": died,
        "drained_within_seconds": drained,
        "faults": thrower.log,
        "samples": samples,
    }


def say(seconds: float, world: SoakWorld, row: dict[str, Any]) -> None:
    """Print one line of progress."""
    print(
        f"{seconds / 60:5.1f} min  {world.published:6d} published  "
        f"queues {row['stories']:4d} {row['vectors']:4d}  alerts {sum(world.alerts.values()):5d}  "
        + "  ".join(f"{name} {size:.0f}" for name, size in row["memory"].items()),
        flush=True,
    )


async def baselined(client: Any, keys: Keys, feeds: int) -> bool:
    """Whether every feed has had its first (empty, silent) reading."""
    pipe = client.pipeline(transaction=False)
    for n in range(feeds):
        pipe.hget(keys("feed", f"f{n}", "state"), "baselined")
    return all(value == b"1" for value in await pipe.execute())


async def sample(client: Any, keys: Keys, processes: dict[str, Any], server: int) -> dict[str, Any]:
    """Return the queues' lengths and each process's memory."""
    return {
        "stories": int(await client.xlen(keys("stream", "stories"))),
        "vectors": int(await client.xlen(keys("stream", "vectors"))),
        "memory": {
            **{name: round(memory(p.pid), 1) for name, p in processes.items()},
            "store": round(memory(server), 1),
        },
    }


async def drain(client: Any, keys: Keys, world: SoakWorld, patience: float = 120.0) -> float:
    """Wait until all that was published is analysed and told; return how long that took."""
    begin = time.monotonic()
    while time.monotonic() - begin < patience:
        analysed = int(await client.hget(keys("count"), "stories") or 0)
        waiting = int(await client.zcard(keys("outbox", "hook")))
        if analysed >= world.published and not waiting:
            break
        await asyncio.sleep(0.2)
    await asyncio.sleep(3)  # long enough for a second copy of anything to show up
    return round(time.monotonic() - begin - 3, 1)


def plot(result: dict[str, Any], path: Path) -> bool:
    """Draw memory and lag over time; return False where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    samples = result["samples"]
    minutes = [row["at"] / 60 for row in samples]
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 7), sharex=True)
    for name in samples[0]["memory"]:
        upper.plot(minutes, [row["memory"][name] for row in samples], label=name, linewidth=1.2)
    upper.set_ylabel("resident memory, MB")
    upper.set_ylim(bottom=0)
    upper.legend(ncols=3, fontsize=8)
    upper.set_title(
        f"{result['rate']:g} stories/s for {result['minutes']:g} minutes, two of every stage"
        + (f", {result['keep']:g} s kept: " if result["keep"] else ": ")
        + f"{result['lost']} lost, {result['alerts_twice']} twice"
    )
    lower.plot(minutes, [row["stories"] for row in samples], label="stories (embedder)")
    lower.plot(minutes, [row["vectors"] for row in samples], label="vectors (triage)")
    lower.set_ylabel("messages in the stream")
    lower.set_xlabel("minutes")
    lower.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    return True


def main() -> int:
    """Run the soak from the command line; exit 1 if anything was lost or told twice."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=20.0, help="stories per second")
    parser.add_argument("--feeds", type=int, default=40)
    parser.add_argument("--keep", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--faults", action="store_true", help="let things fail, at random")
    parser.add_argument("--model", default="", help="another model than the default")
    parser.add_argument("--out", type=Path, default=Path("build/soak"))
    options = parser.parse_args()
    result = asyncio.run(
        soak(
            options.minutes,
            options.rate,
            options.feeds,
            options.out,
            options.keep,
            options.faults,
            options.model,
        )
    )
    (options.out / "soak.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    plot(result, options.out / "soak.png")
    print(json.dumps({k: v for k, v in result.items() if k != "samples"}, indent=1))
    fine = not (
        result["lost"]
        or result["alerts_twice"]
        or result["alerts_arrived"] != result["alerts_decided"]
        or result["dead_letters"]
        or result["processes_died"]
    )
    print("nothing lost, nothing twice" if fine else "NOT as promised: see above")
    return 0 if fine else 1


if __name__ == "__main__":
    logs.configure()
    sys.exit(main())
