"""The whole service, and one fault after another while news comes in: what is lost, what is twice.

    python -m tests.chaos.faults                     every fault once, as a table
    python -m tests.chaos.faults --only stopped --times 20

A story counts once it was published to a feed that the service knows. At the end every one must
have been analysed, and every alert decided on must have been told: on Slack once; by mail once,
or up to three times where the mail server left its answer open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from monitor.analysis.archive import AnalysisStore
from monitor.identity import canonical_url
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.embedded.server import find_running
from monitor.store.keys import Keys
from tests.support.outlets import Outlets
from tests.support.service import ENERGY, Service, slack_and_mail
from tests.support.slack_faults import SlackFault
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin

FEEDS = 4
PATIENCE = 150.0  # seconds after the fault for everything to be told
MOST_MAILS = 3
_KINDS = (
    "Missile hits power plant in",
    "Drone sets oil refinery ablaze in",
    "Shelling cuts electricity grid in",
    "Saboteurs blow up gas pipeline in",
)
_SYLLABLES = ("ka", "ro", "vel", "mi", "dun", "tash", "be", "lor", "qui", "zen", "pra", "hof")


@dataclass(slots=True)
class FaultResult:
    """What one fault did."""

    fault: str
    published: int = 0
    analysed: int = 0
    decided: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    twice: dict[str, int] = field(default_factory=dict)
    most_mails: int = 0
    dead: int = 0
    delay: float = 0.0
    said: str = ""
    seconds: float = 0.0

    HEAD = (
        "fault       published  analysed  alerts  lost slack  mail  twice slack  mail  dead  "
        "longest delay  took  said"
    )

    @property
    def fine(self) -> bool:
        """Whether the promise was kept."""
        return (
            self.analysed == self.published
            and self.decided > 0
            and not any(self.lost.values())
            and not self.twice["slack"]
            and self.most_mails <= MOST_MAILS
            and not self.dead
        )

    def row(self) -> str:
        """One line of the table."""
        return (
            f"{self.fault:<12}{self.published:>9}{self.analysed:>10}{self.decided:>8}"
            f"{self.lost['slack']:>12}{self.lost['mail']:>6}{self.twice['slack']:>13}"
            f"{self.twice['mail']:>6}{self.dead:>6}{self.delay:>13.0f} s{self.seconds:>4.0f} s  "
            f"{self.said or '-'}{'' if self.fine else '   <-- NOT KEPT'}"
        )


class FaultWorld:
    """The service in one process, its outlets and its channels."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.service = Service(folder)
        self.service.program = ["tests.chaos.misfortunes", str(folder), "--"]
        self.slack, self.smtp, self.outlets = SlackStandin(), SmtpStandin(), Outlets()
        self.published: dict[str, float] = {}
        self._number = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything is up and has its baseline; ended when the block is left."""
        await self.slack.start()
        await self.smtp.start()
        try:
            with self.outlets:
                self._configure()
                self.service.start(SLACK_BOT_TOKEN=self.slack.bot_token, OMP_NUM_THREADS="1")
                try:
                    async with asyncio.timeout(90.0):
                        await self.service.until_baselined()
                    yield
                    self.service.stop()
                finally:
                    self.service.end()
        finally:
            await self.slack.stop()
            await self.smtp.stop()

    def _configure(self) -> None:
        feeds = {f"wire{n}": self.outlets.url(f"wire{n}") for n in range(FEEDS)}
        feeds["hostile"] = self.outlets.url("hostile")
        for name in feeds:
            self.outlets.publish(name, f"Ferry timetable of {name} changes from Monday")
        self.service.configure(
            feeds,
            channels=slack_and_mail(self.slack, self.smtp),
            topics=[ENERGY | {"sensitivity": "broad", "examples": [f"{k} Odesa" for k in _KINDS]}],
            embedding={"model": "hashing"},
            ops={"canary_every": "1d"},
        )

    # --- news

    def publish(self, many: int = 1) -> None:
        """Publish stories that fire the topic, each a happening of its own."""
        for _ in range(many):
            number, self._number = self._number, self._number + 1
            name, place = f"wire{number % FEEDS}", self.word(4).capitalize()
            words = " ".join(self.word(3) for _ in range(6))
            title = f"{_KINDS[number % len(_KINDS)]} {place}"
            self.outlets.publish(name, title, f"Reports from {place}: {words}.", guid=f"n{number}")
            self.published[f"https://{name}.example/n{number}"] = time.time()

    async def publish_for(self, seconds: float, every: float = 1.0) -> None:
        """Publish a story every so often."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.publish()
            await asyncio.sleep(min(every, max(0.0, until - time.monotonic())))

    def word(self, length: int) -> str:
        return "".join(self.dice.choice(_SYLLABLES) for _ in range(length))

    async def polled_again(self, times: int = 3) -> None:
        """Wait until every feed was asked for some times more."""
        before = dict(self.outlets.requests)
        async with asyncio.timeout(PATIENCE):
            while any(self.outlets.requests[n] < before[n] + times for n in before):
                await asyncio.sleep(0.2)

    # --- the store

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Redis]:
        """A client of the service's store."""
        async with asyncio.timeout(60.0):
            while (url := find_running(self.folder / "data")) is None:
                await asyncio.sleep(0.2)
        client = connect(url)
        try:
            yield client
        finally:
            await client.aclose()

    @property
    def store_pid(self) -> int:
        """The process of the embedded Valkey."""
        return int(json.loads((self.folder / "data" / "store.json").read_text())["pid"])

    # --- what came of it

    async def all_told(self) -> bool:
        """Whether every story was analysed and nothing waits to be told."""
        keys = Keys()
        try:
            async with self.store() as client:
                if len(await self._analysed(client)) < len(self.published):
                    return False
                return not any(
                    [await client.zcard(keys("outbox", name)) for name in ("slack", "mail")]
                )
        except (RedisError, OSError, TimeoutError):
            return False

    async def _analysed(self, client: Redis) -> dict[str, dict[str, Any]]:
        """Return the decision record of each published story that has one."""
        archive = AnalysisStore(client, Keys(), 86400.0, 86400.0)
        found = {url: await archive.find(canonical_url(url)) for url in self.published}
        return {url: story[1] for url, story in found.items() if story}

    async def count(self, result: FaultResult) -> None:
        """Fill in the result."""
        keys = Keys()
        async with self.store() as client:
            born: dict[str, float] = {}
            stories = await self._analysed(client)
            for url, record in stories.items():
                for alert in record["alerts"]:
                    born.setdefault(alert["id"], self.published[url])
            result.dead = int(await client.hlen(keys("dead")))
            inside = await self._digests(client, keys)
        posts = told_by(
            [(_notification(row), float(row["ts"])) for row in self.slack.posts()], "slack", inside
        )
        mailed = told_by(
            [(str(taken.mail["X-Wirewatch-Notification"] or ""), 0.0) for taken in self.smtp.mails],
            "mail",
            inside,
        )
        told = Counter(alert for alert, _ in posts if alert in born)
        mails = Counter(alert for alert, _ in mailed if alert in born)
        result.published, result.analysed = len(self.published), len(stories)
        result.decided = len(born)
        result.lost = {"slack": len(set(born) - set(told)), "mail": len(set(born) - set(mails))}
        result.twice = {
            "slack": sum(times - 1 for times in told.values()),
            "mail": sum(times - 1 for times in mails.values()),
        }
        result.most_mails = max(mails.values(), default=0)
        result.delay = max((at - born[alert] for alert, at in posts if alert in born), default=0.0)
        said = self.service.said()
        words = ("process_stalled", "lease_not_renewed", "stage_rests", "notice", "dead_letter")
        result.said = ", ".join(
            f"{word} {said.count(f'] {word} ')}" for word in words if f"] {word} " in said
        )

    async def _digests(self, client: Redis, keys: Keys) -> dict[str, list[str]]:
        """Return which alerts are told by each digest: listed in it, or counted by it."""
        inside: dict[str, list[str]] = {}
        async for key in client.scan_iter(keys("receipt", "*"), count=1000):
            note = json.loads(await client.hget(key, "json")).get("note", "")
            place = note.removeprefix("waits ").removeprefix("in ")
            if place != note and place.startswith("digest-"):
                alert = key.decode().removeprefix(keys("receipt", "")).rpartition("@")[0]
                inside.setdefault(place, []).append(alert)
        return inside


def told_by(
    messages: Iterable[tuple[str, float]], channel: str, inside: dict[str, list[str]]
) -> list[tuple[str, float]]:
    """Return the alerts that messages told, each with when, once for each message.

    A message is a notification's id and when it came. A digest tells what its receipts say: what
    one of its pages lists, and what it only counts because too many came at once.
    """
    return [
        (alert, at)
        for name, at in messages
        for alert in inside.get(name, [name.removesuffix(f"@{channel}")])
    ]


def _notification(row: dict[str, Any]) -> str:
    payload = (row.get("metadata") or {}).get("event_payload") or {}
    return str(payload.get("id", ""))


# --- the faults


async def stopped(world: FaultWorld) -> None:
    """The store's process stands still for 13 s, five times."""
    for _ in range(5):
        await world.publish_for(2.0, 0.2)
        os.kill(pid := world.store_pid, signal.SIGSTOP)
        await world.publish_for(13.0, 2.0)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(3.0)


async def paused(world: FaultWorld) -> None:
    """The store answers nobody for 11 s, four times."""
    for _ in range(4):
        await world.publish_for(2.0, 0.2)
        async with world.store() as client:
            await client.execute_command("CLIENT", "PAUSE", "11000", "ALL")
        await world.publish_for(11.0, 2.0)
        await asyncio.sleep(3.0)


async def slow(world: FaultWorld) -> None:
    """The store works for a tenth of the time only, for half a minute."""
    until = time.monotonic() + 30.0
    while time.monotonic() < until:
        os.kill(pid := world.store_pid, signal.SIGSTOP)
        await asyncio.sleep(0.9)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        await world.publish_for(0.1)


async def full(world: FaultWorld) -> None:
    """The store takes nothing in for 170 s (maxmemory, noeviction), with work in hand."""
    world.publish(40)
    await asyncio.sleep(1.0)
    async with world.store() as client:
        await client.config_set("maxmemory", "1mb")
        await world.publish_for(170.0, 5.0)
        await client.config_set("maxmemory", "0")


async def emptied(world: FaultWorld) -> None:
    """Everything in the store is gone; what comes after the new baseline counts."""
    await world.publish_for(3.0, 0.2)
    await asyncio.sleep(5.0)
    async with world.store() as client:
        await client.flushall()
    await world.polled_again()
    await asyncio.sleep(5.0)
    world.published.clear()
    await world.publish_for(5.0, 0.5)


async def model(world: FaultWorld) -> None:
    """The model cannot compute for 25 s."""
    mark = world.folder / "model"
    world.publish(10)
    mark.touch()
    await world.publish_for(25.0)
    mark.unlink()


async def clock(world: FaultWorld) -> None:
    """The machine's clock is a day ahead for 20 s."""
    mark = world.folder / "clock"
    mark.write_text("86400")
    await world.publish_for(20.0, 2.0)
    mark.unlink()


async def network(world: FaultWorld) -> None:
    """No feed answers for a minute."""
    world.outlets.dark = True
    await world.publish_for(60.0, 5.0)
    world.outlets.dark = False


async def configuration(world: FaultWorld) -> None:
    """One file of the configuration after another is empty for 6 s, then gone for 6 s."""
    for name in ("wirewatch.yaml", "topics.yaml", "feeds.yaml"):
        path = world.service.config / name
        whole = path.read_bytes()
        for lose in (lambda p: p.write_bytes(b""), lambda p: p.unlink()):
            lose(path)
            await world.publish_for(6.0)
            path.write_bytes(whole)
            await world.publish_for(4.0)


async def hostile(world: FaultWorld) -> None:
    """One feed publishes 1,000 long items at once; the others go on."""
    long = " ".join(world.word(3) for _ in range(600))
    for number in range(1000):
        world.outlets.publish("hostile", f"Parking fees {number}", content=f"{number} {long}")
    await world.publish_for(30.0, 2.0)


async def tarpits(world: FaultWorld) -> None:
    """Slack hangs and then posts; the mail server takes mails and loses its answer."""
    world.slack.fail("chat.postMessage", *[SlackFault("hang", after=True, seconds=20.0)] * 3)
    world.smtp.fail("DATA", "drop", "451 try later", "drop")
    await world.publish_for(10.0, 0.5)


FAULTS: dict[str, Callable[[FaultWorld], Awaitable[None]]] = {
    fault.__name__: fault
    for fault in (
        stopped,
        paused,
        slow,
        full,
        emptied,
        model,
        clock,
        network,
        configuration,
        hostile,
        tarpits,
    )
}


async def suffer(name: str, seed: int = 1, keep: Path | None = None) -> FaultResult:
    """Let the service go through one fault; return what it did."""
    started, result = time.monotonic(), FaultResult(name)
    with tempfile.TemporaryDirectory(prefix="wwf-") as folder:
        world = FaultWorld(Path(folder), seed)
        async with world.running():
            await world.publish_for(3.0, 0.3)
            await FAULTS[name](world)
            world.publish(5)
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until and not await world.all_told():
                await asyncio.sleep(1.0)
            await world.count(result)
        if keep is not None and not result.fine:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}-{seed}.log").write_text(world.service.said())
    result.seconds = time.monotonic() - started
    return result


async def main(names: Sequence[str], times: int, keep: Path | None) -> int:
    """Go through the faults and print the table; return the exit code."""
    print(FaultResult.HEAD, flush=True)
    kept = True
    for name in names:
        for seed in range(1, times + 1):
            try:
                result = await suffer(name, seed, keep)
            except (TimeoutError, AssertionError) as error:
                kept = False
                print(f"{name:<12}   <-- did not come through: {_first_line(error)}", flush=True)
                continue
            kept = kept and result.fine
            print(result.row(), flush=True)
    return 0 if kept else 1


def _first_line(error: Any) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(FAULTS))
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the logs of those that fail")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.only or list(FAULTS), given.times, given.keep)))
