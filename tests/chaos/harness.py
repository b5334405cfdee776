"""The whole service as separate processes, killed again and again while news comes in.

What is checked, at the end, against the store's own archive:

- every story published was analysed (nothing acknowledged was lost on the way);
- every alert decided was told on Slack and by mail (lost alerts);
- how often one was told twice, and whether the service itself marked those as sent again.

    python -m tests.chaos.harness --stories 2000 --kills all

prints the table.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from monitor.analysis.archive import AnalysisStore
from monitor.identity import canonical_url
from monitor.stages import PIPELINE
from monitor.store.client import connect
from monitor.store.embedded.binary import valkey_server
from monitor.store.keys import Keys
from tests.chaos.boundaries import BOUNDARIES, Boundary
from tests.support.outlets import Outlets
from tests.support.service import ENERGY, Service, slack_and_mail
from tests.support.slack_faults import SlackFault
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin

FEEDS = 8
ROOT = Path(__file__).parents[2]
_KINDS = (
    "Missile hits power plant in",
    "Drone sets oil refinery ablaze in",
    "Shelling cuts electricity grid in",
    "Saboteurs blow up gas pipeline in",
    "Festival opens on the square of",
    "Council debates parking fees in",
)
_FAULTS = ("timeout", "server_error", "rate_limited", "unreachable")
_SYLLABLES = ("ka", "ro", "vel", "mi", "dun", "tash", "be", "lor", "qui", "zen", "pra", "hof")


@dataclass(slots=True)
class Kill:
    """One kill and what came of it."""

    what: str
    reached: bool
    back_after: float = 0.0


@dataclass(slots=True)
class ChaosResult:
    """What the run showed."""

    stories: int = 0
    analysed: int = 0
    decided: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    doubled: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    marked: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    kills: list[Kill] = field(default_factory=list)
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)

    def table(self) -> str:
        """The result, to be read by people."""
        lines = [
            f"{self.stories} stories published, {self.analysed} analysed, "
            f"{self.decided} alerts decided, in {self.seconds:.0f} s",
            "",
            "channel  messages  alerts lost  sent twice  of these marked  found in history  faults",
        ]
        lines += [
            f"{name:<9}{self.messages[name]:>8}{self.lost[name]:>13}{self.doubled[name]:>12}"
            f"{self.marked[name]:>17}{self.found[name]:>18}{self.faults[name]:>8}"
            for name in self.lost
        ]
        lines += ["", f"{self.dead_letters} dead letters", ""]
        tally = Counter((kill.what, kill.reached) for kill in self.kills)
        lines += [
            f"{times:>4} x kill -9 {what}{'' if reached else '  (not reached in time)'}"
            for (what, reached), times in sorted(tally.items())
        ]
        return "\n".join(lines)


class Chaos:
    """The processes, the outlets, the channels, and the dice.

    Args:
        folder: scratch.
        seed: of the dice.
        lease: seconds of leases; 0 leaves them as they are.
        faults: part of all sends that go wrong at the channel.
        model: what embeds; `hashing` loads in no time.
    """

    def __init__(
        self, folder: Path, seed: int, lease: float, faults: float, model: str = "hashing"
    ) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.lease = lease
        self.model = model
        self.slack = SlackStandin()
        self.smtp = SmtpStandin()
        self.slack.faults.rate = self.smtp.fault_rate = faults
        self.outlets = Outlets()
        self.service = Service(folder)
        self.result = ChaosResult()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._store: subprocess.Popen[bytes] | None = None
        self._socket = f"{folder}/s"
        self._published: list[str] = []

    @property
    def store_url(self) -> str:
        """The address of the store."""
        return f"unix://{self._socket}"

    async def run(
        self, stories: int, boundaries: list[Boundary], kills: int, store_kills: int = 0
    ) -> ChaosResult:
        """Publish, kill at every boundary given and `kills` times at random, and count."""
        started = time.monotonic()
        await self.slack.start()
        await self.smtp.start()
        try:
            with self.outlets:
                self._configure()
                self.start_store()
                for stage in PIPELINE:
                    self.start(stage)
                await self._until(self._baselined)
                extra = [self.dice.choice((*PIPELINE, "store")) for _ in range(kills)]
                await self._work(stories, [*boundaries, *extra, *["store"] * store_kills])
                self.slack.faults.rate = self.smtp.fault_rate = 0.0
                await self._until(self._all_told, 300.0)
                await self._count()
        finally:
            self.stop()
            await self.slack.stop()
            await self.smtp.stop()
        self.result.seconds = time.monotonic() - started
        return self.result

    # --- what is killed and started

    def start_store(self) -> None:
        """Start the store on its old data."""
        binary = shutil.which("valkey-server") or shutil.which("redis-server")
        binary = binary or str(valkey_server())
        data = self.folder / "store"
        data.mkdir(exist_ok=True)
        self._store = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", self._socket, "--dir", str(data),
             "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, stage: str, boundary: str = "-", calls: int = 1) -> None:
        """Start one stage, with or without a kill laid on."""
        with (self.folder / f"{stage}.log").open("ab") as file:
            self.processes[stage] = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.boundaries", boundary, str(calls),
                 str(self.lease), "--", "run", "--only", stage, "--config",
                 str(self.service.config)],
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "REDIS_URL": self.store_url,
                     "SLACK_BOT_TOKEN": self.slack.bot_token, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def kill(self, stage: str) -> None:
        """End a stage as the kernel would."""
        self.processes[stage].kill()
        self.processes[stage].wait()

    def stop(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._store is not None:
            self._store.kill()
            self._store.wait()

    async def _work(self, stories: int, plan: list[Boundary | str]) -> None:
        """Publish steadily while one thing after another is killed."""
        self.dice.shuffle(plan)
        # Stories come in as many waves as there are kills, so that none finds the service idle.
        waves = max(1, len(plan))
        per_wave = -(-stories // waves)
        for number in range(waves):
            self._publish(min(per_wave, stories - len(self._published)))
            if number < len(plan):
                await self._strike(plan[number])
        self._publish(stories - len(self._published))

    async def _strike(self, target: Boundary | str) -> None:
        if target == "store":
            await asyncio.sleep(self.dice.uniform(0.0, 0.5))
            assert self._store is not None
            self._store.kill()
            self._store.wait()
            await asyncio.sleep(self.dice.uniform(0.0, 0.3))
            self.start_store()
            self.result.kills.append(Kill("the store", True))
        elif isinstance(target, str):
            await asyncio.sleep(self.dice.uniform(0.0, 1.0))
            self.kill(target)
            self.start(target)
            self.result.kills.append(Kill(f"{target}: at random", True))
        else:
            await self._strike_at(target)

    async def _strike_at(self, boundary: Boundary) -> None:
        """Start the stage anew with the kill laid on, and news for it to die of."""
        stage = boundary.stage
        self.kill(stage)
        self.start(stage, boundary.name, self.dice.randint(1, 2))
        if boundary.place.endswith((":OutboxStore.later", ":SlackBot.find")):
            self.slack.fail("chat.postMessage", SlackFault("drop", after=True), SlackFault("drop"))
        deadline = time.monotonic() + 40.0
        while self.processes[stage].poll() is None and time.monotonic() < deadline:
            self._publish(1)
            await asyncio.sleep(0.25)
        reached = self.processes[stage].poll() is not None
        if not reached:
            self.kill(stage)
        self.start(stage)
        self.result.kills.append(Kill(boundary.name, reached))

    # --- news

    def _configure(self) -> None:
        feeds = {f"wire{n}": self.outlets.url(f"wire{n}") for n in range(FEEDS)}
        for name in feeds:
            self.outlets.publish(name, f"Ferry timetable of {name} changes from Monday")
        self.service.configure(
            feeds,
            channels=slack_and_mail(self.slack, self.smtp),
            topics=[
                ENERGY | {"sensitivity": "broad", "examples": [f"{k} Odesa" for k in _KINDS[:4]]}
            ],
            embedding={"model": self.model},
            ops={"canary_every": "1d"},
        )

    def _publish(self, many: int) -> None:
        for _ in range(max(0, many)):
            number = len(self._published)
            name = f"wire{number % FEEDS}"
            place = "".join(self.dice.choice(_SYLLABLES) for _ in range(4)).capitalize()
            words = " ".join(
                "".join(self.dice.choice(_SYLLABLES) for _ in range(3)) for _ in range(6)
            )
            title = f"{_KINDS[number % len(_KINDS)]} {place}"
            self.outlets.publish(name, title, f"Reports from {place}: {words}.", guid=f"n{number}")
            self._published.append(f"https://{name}.example/n{number}")
        self.result.stories = len(self._published)

    # --- what came of it

    async def _until(self, condition: Any, seconds: float = 120.0) -> None:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if await condition():
                        return
                except (RedisError, OSError):
                    pass
                await asyncio.sleep(0.1)

    async def _baselined(self) -> bool:
        client = connect(self.store_url)
        try:
            return int(await client.hget(Keys()("count"), "stories") or 0) >= FEEDS
        finally:
            await client.aclose()

    async def _all_told(self) -> bool:
        client, keys = connect(self.store_url), Keys()
        try:
            archive = AnalysisStore(client, keys, 86400.0, 86400.0)
            if len(await self._analysed(archive)) < len(self._published):
                return False
            waiting = [await client.zcard(keys("outbox", name)) for name in ("slack", "mail")]
            return not any(waiting)
        finally:
            await client.aclose()

    async def _analysed(self, archive: AnalysisStore) -> list[dict[str, Any]]:
        """Return the decision record of each published story that has one."""
        found = [await archive.find(canonical_url(url)) for url in self._published]
        return [story[1] for story in found if story]

    async def _count(self) -> None:
        client, keys = connect(self.store_url), Keys()
        archive = AnalysisStore(client, keys, 86400.0, 86400.0)
        stories = await self._analysed(archive)
        decided: set[str] = set()
        for record in stories:
            decided |= {alert["id"] for alert in record["alerts"]}
        counted = {
            name.decode(): int(value)
            for name, value in (await client.hgetall(keys("count"))).items()
        }
        result = self.result
        result.analysed, result.decided, result.counts = len(stories), len(decided), counted
        result.dead_letters = int(await client.hlen(keys("dead")))
        came = {
            "slack": [(m["id"], m["alerts"]) for m in self._metadata()],
            "mail": await self._mailed(client, keys),
        }
        for channel, messages in came.items():
            told = Counter(alert for name, alerts in set(messages) for alert in alerts)
            result.messages[channel] = len(messages)
            result.lost[channel] = len(decided - set(told))
            result.doubled[channel] = len(messages) - len({name for name, _ in messages})
            result.elsewhere[channel] = sum(count - 1 for count in told.values())
            result.marked[channel] = counted.get(f"delivery:{channel}:resent", 0)
            if channel == "mail":  # a mail sent a third time is counted once, yet marked each time
                result.marked[channel] = sum(
                    bool(_header(taken.mail, "X-Wirewatch-Resent")) for taken in self.smtp.mails
                )
            result.found[channel] = counted.get(f"delivery:{channel}:already_sent", 0)
            result.faults[channel] = sum(
                counted.get(f"delivery:{channel}:{reason}", 0) for reason in _FAULTS
            )
        await client.aclose()

    def _metadata(self) -> list[dict[str, Any]]:
        rows = [row["metadata"]["event_payload"] for row in self.slack.posts() if "metadata" in row]
        return [{"id": row["id"], "alerts": tuple(row["alerts"])} for row in rows if row["alerts"]]

    async def _mailed(self, client: Any, keys: Keys) -> list[tuple[str, tuple[str, ...]]]:
        """Return notification and alerts of each mail that came, those in digests as well."""
        inside: dict[str, list[str]] = {}
        async for key in client.scan_iter(keys("receipt", "*"), count=1000):
            text = (await client.hget(key, "json")).decode()
            note = text.partition('"note":"in ')[2].partition('"')[0]
            if note.endswith("@mail"):
                alert = key.decode().removeprefix(keys("receipt", "")).removesuffix("@mail")
                inside.setdefault(note, []).append(alert)
        names = [_header(taken.mail, "X-Wirewatch-Notification") for taken in self.smtp.mails]
        own = {
            name: [name.removesuffix("@mail")] * (not name.startswith("digest-")) for name in names
        }
        return [(name, tuple(sorted(own[name] + inside.get(name, [])))) for name in names]


def _header(mail: EmailMessage, name: str) -> str:
    return str(mail[name] or "")


async def main(stories: int, which: str, kills: int, seed: int, model: str) -> int:
    """Run at full size and print the table. Return the exit code."""
    chosen = list(BOUNDARIES) if which == "all" else []
    with tempfile.TemporaryDirectory(prefix="wwc-") as folder:
        chaos = Chaos(Path(folder), seed, 0.0 if which == "all" else 3.0, 0.1, model)
        result = await chaos.run(stories, chosen, kills)
        print(result.table())
        bad = (*result.lost.values(), *result.elsewhere.values(), result.doubled["slack"])
        return 1 if any(bad) else 0


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=int, default=2000)
    parser.add_argument("--kills", default="all", help="all: at every boundary too")
    parser.add_argument("--random", type=int, default=20, help="kills at random moments")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="hashing")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.stories, given.kills, given.random, given.seed, given.model)))
