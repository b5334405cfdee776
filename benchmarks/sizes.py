"""Two sizes of desk on this machine: processor time, memory and delay.

    python -m benchmarks.sizes [laptop newsroom] [--minutes 6] [--write docs/how-to/scale.md]

The all-in-one, its embedded store and the default model, as `wirewatch run` starts them; feeds
served on this machine, with ETags, at the rate of a busy hour. News of the topics comes in three
languages among ordinary headlines that are made up. Measured once every feed has been read: the
share of one processor over all processes of the service, the most memory they had together, how
long from publication to the alert (polling included) and from reading to the alert.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from babel import Locale
from redis.exceptions import RedisError

# ruff: noqa: ASYNC220, ASYNC230, ASYNC240
from benchmarks.soak import SoakWorld, address, baselined
from monitor.store.client import connect
from monitor.store.keys import Keys

COUNTRIES = (
    "IT", "CL", "PE", "KE", "JP", "CA", "PH", "MX", "NP", "GR", "TR", "MA", "ID",
    "BR", "ZA", "FR", "IN", "PL", "NZ", "VN", "EC", "UG", "FI", "KR", "AR",
)  # fmt: skip
SUBJECTS = {
    "Floods": ("heavy floods, thousands leave their homes", "schwere Überschwemmungen, Tausende"
               " verlassen ihre Häuser", "сильное наводнение, эвакуированы тысячи жителей"),
    "Elections": ("president wins election in second round", "Präsident gewinnt Stichwahl",
                  "президент победил во втором туре выборов"),
    "Earthquakes": ("magnitude 6.1 earthquake damages houses", "Erdbeben der Stärke 6,1 beschädigt"
                    " Häuser", "землетрясение магнитудой 6,1 повредило дома"),
    "Rail accidents": ("train derails, dozens hurt", "Zug entgleist, Dutzende Verletzte",
                       "поезд сошёл с рельсов, десятки пострадавших"),
    "Strikes of teachers": ("teachers strike for higher pay", "Lehrer streiken für höhere Löhne",
                            "учителя бастуют, требуя повышения зарплат"),
    "Corruption trials": ("former minister convicted of taking bribes", "früherer Minister wegen"
                          " Bestechlichkeit verurteilt", "бывший министр осуждён за взятки"),
    "Forest fires": ("forest fire forces villages to be evacuated", "Waldbrand zwingt Dörfer zur"
                     " Räumung", "лесной пожар: эвакуированы деревни"),
    "Protests": ("thousands march against the government", "Tausende demonstrieren gegen die"
                 " Regierung", "тысячи людей вышли на протест против правительства"),
}  # fmt: skip
LANGUAGES = ("en", "de", "ru")
START, END = "<!-- sizes -->", "<!-- end of sizes -->"


@dataclass(frozen=True, slots=True)
class Size:
    """A desk: feeds, topics, and stories a second in a busy hour."""

    feeds: int
    topics: int
    rate: float


SIZES = {"laptop": Size(28, 5, 0.1), "newsroom": Size(2_000, 200, 1.5)}


class Newsroom(SoakWorld):
    """Serves the feeds, each at an address of its own, and takes the alerts with their times."""

    def __init__(self, size: Size) -> None:
        super().__init__(size.feeds)
        self.size = size
        names = {code: [Locale(lang).territories[code] for lang in LANGUAGES] for code in COUNTRIES}
        pairs = [(subject, names[code]) for subject in SUBJECTS for code in COUNTRIES]
        self.topics = random.Random(3).sample(pairs, size.topics)
        self.delays_of: list[tuple[float, float]] = []  # since published, since seen
        self.asked = self.unchanged = 0

    def publish(self) -> None:
        """Put one story on a feed picked by chance; one in five belongs to a topic."""
        dice, feed = self.random, self.random.randrange(self.size.feeds)
        if dice.random() < 1 / 5:
            subject, names = dice.choice(self.topics)
            at = dice.randrange(len(LANGUAGES))
            place = self._name()
            self.put(
                feed, f"{names[at]}: {SUBJECTS[subject][at]} ({place})", f"{place}, {names[at]}."
            )
        else:
            self.put(
                feed, self._happening(), f"{self._name()}: {' '.join(dice.sample(self.words, 18))}."
            )

    async def feed(self, request: web.Request) -> web.Response:
        """Serve a feed, or say that it has not changed."""
        items = self.items[int(request.match_info["n"])]
        tag = f'"{zlib.crc32("".join(items[:1]).encode())}"'
        self.asked += 1
        if request.headers.get("If-None-Match") == tag:
            self.unchanged += 1
            return web.Response(status=304)
        answer = await super().feed(request)
        answer.headers["ETag"] = tag
        return answer

    async def take(self, request: web.Request) -> web.Response:
        """Note how late an alert is."""
        now, told = time.time(), await request.json()
        for alert in [told["alert"], *told["alerts"]]:
            if alert:
                story = alert["story"]
                self.delays_of.append((now - story["published"], now - story["seen_at"]))
        return web.Response(text="ok")


def configure(folder: Path, world: Newsroom, port: int) -> None:
    """Write a configuration of defaults, but for what this machine needs."""
    hook = {"type": "webhook", "url": f"http://{address(0)}:{port}/hook"}
    polling = {"allow_hosts": ["127.0.0.0/8"], "allow_ports": [port]}
    whole = {"polling": polling, "channels": {"hook": hook}, "route": {"to": ["hook"]},
             "desk": {"port": 18485}}  # fmt: skip
    feeds = [{"id": f"f{n}", "url": f"http://{address(n)}:{port}/{n}.xml"}
             for n in range(world.size.feeds)]  # fmt: skip
    topics = [{"id": f"t{at}", "name": f"{subject} in {names[0]}"}
              for at, (subject, names) in enumerate(world.topics)]  # fmt: skip
    contents: dict[str, Any] = {"wirewatch": whole, "feeds": {"feeds": feeds}}
    for name, data in (contents | {"topics": {"topics": topics}}).items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")


def processes(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for at in found:
        for task in Path(f"/proc/{at}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split() if int(child) not in found]
    return found


def seconds_of(pid: int) -> float:
    """Return the processor seconds that a process and those below it have had."""
    ticks = 0
    for one in processes(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the resident memory of a process and those below it, in MB."""
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in processes(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(size: Size, minutes: float) -> dict[str, float]:
    """Run one size and return what it took."""
    world = Newsroom(size)
    runner, port = await world.serve()
    with tempfile.TemporaryDirectory(prefix="wws-") as folder:
        config, data, log = Path(folder, "config"), Path(folder, "data"), Path(folder, "log")
        config.mkdir()
        configure(config, world, port)
        with log.open("wb") as file:
            service = subprocess.Popen(
                [sys.executable, "-m", "monitor.cli", "run", "--config", config], cwd=folder,
                stdout=file, stderr=file,
            )  # fmt: skip
        client, keys = connect(f"unix://{data}/valkey.sock"), Keys()
        try:
            await _until_watching(client, keys, size.feeds, service, log)
            return await _watch(world, service.pid, minutes)
        finally:
            await client.aclose()
            service.terminate()
            service.wait(60)
            await runner.cleanup()


async def _until_watching(
    client: Any, keys: Keys, feeds: int, service: subprocess.Popen[bytes], log: Path
) -> None:
    while True:
        if service.poll() is not None:
            raise SystemExit(f"the service ended:\n{log.read_text()[-2000:]}")
        with suppress(RedisError, OSError):
            if await baselined(client, keys, feeds) and int(await client.hlen(keys("model"))):
                return
        await asyncio.sleep(1.0)


async def _watch(world: Newsroom, pid: int, minutes: float) -> dict[str, float]:
    began, before, most = time.monotonic(), seconds_of(pid), 0.0
    asked, unchanged = world.asked, world.unchanged
    while (now := time.monotonic() - began) < minutes * 60:
        while world.published < now * world.size.rate:
            world.publish()
        most = max(most, resident(pid))
        await asyncio.sleep(0.5)
    share = (seconds_of(pid) - before) / (minutes * 60)
    if len(world.delays_of) < 2:
        raise SystemExit("hardly an alert in that time; measure for longer (--minutes)")
    since_published, since_seen = zip(*world.delays_of, strict=True)
    requests = world.asked - asked
    return {
        "processor": share,
        "memory": most,
        "alerts": len(since_seen),
        "published, p50": statistics.median(since_published),
        "published, p95": statistics.quantiles(since_published, n=20)[18],
        "seen, p50": statistics.median(since_seen),
        "seen, p95": statistics.quantiles(since_seen, n=20)[18],
        "requests": 60 * requests / minutes / world.size.feeds,
        "unchanged": (world.unchanged - unchanged) / max(1, requests),
    }


def table(found: dict[str, dict[str, float]]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| | feeds | topics | stories/s | of one processor | memory | alerts "
        "| published → told, p50 / p95 | read → told, p50 / p95 | requests a feed and hour "
        "| unchanged |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        size = SIZES[name]
        lines.append(
            f"| {name} | {size.feeds:,} | {size.topics} | {size.rate:g} | {one['processor']:.0%} "
            f"| {one['memory'] / 1000:.2f} GB | {one['alerts']:.0f} "
            f"| {one['published, p50']:.0f} s / {one['published, p95']:.0f} s "
            f"| {one['seen, p50']:.1f} s / {one['seen, p95']:.1f} s "
            f"| {one['requests']:.0f} | {one['unchanged']:.0%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure the sizes asked for and print the table; with `--write` put it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", metavar="SIZE", default=[*SIZES], help=str([*SIZES]))
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--write", type=Path, help="the page whose table is replaced")
    options = parser.parse_args()
    made = table(
        {name: asyncio.run(measure(SIZES[name], options.minutes)) for name in options.sizes}
    )
    print(made)
    if options.write:
        page = options.write.read_text("utf-8")
        new = re.sub(f"{START}.*?{END}", lambda _: f"{START}\n{made}\n{END}", page, flags=re.DOTALL)
        options.write.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
