"""Files edited while the service runs: taken over live in every process, or refused by name."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.health.heartbeat_store import HeartbeatStore
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.outlets import Outlets
from tests.support.service import ENERGY, Service
from tests.support.waiting import until

pytestmark = pytest.mark.slow

MUSEUMS = {
    "id": "museums",
    "name": "Museum discoveries",
    "description": "Museums that find forgotten maps, paintings or manuscripts in their stores.",
    "examples": ["Curators find a lost painting in the museum's cellar"],
}


async def until_said(service: Service, *words: str) -> None:
    """Wait until the service has printed every one of the words."""
    await service.until(lambda: all(word in service.said() for word in words))


async def until_config(service: Service, right: Callable[[dict[str, str]], bool]) -> None:
    """Wait until what the service notes of its configuration is right."""

    async def noted() -> bool:
        return right(await service.hash("config"))

    await service.until(noted)


async def test_a_topic_edit_applies_live_and_a_broken_file_is_refused(tmp_path: Path) -> None:
    """A new topic fires without a restart; a broken file changes nothing and is named."""
    service = Service(tmp_path)
    with Outlets() as outlets:
        outlets.publish("wire", "Ferry timetable changes from Monday")
        service.configure({"wire": outlets.url("wire")})
        service.start()
        try:
            await service.until_baselined()
            service.configure({"wire": outlets.url("wire")}, topics=[ENERGY, MUSEUMS])
            await until_config(service, lambda row: row.get("topics") == "2")
            await until_said(service, "topics_ready")
            outlets.publish("wire", "Museum finds a forgotten harbour map in its attic")
            await until_said(service, "Museum discoveries", "forgotten harbour map")
            (service.config / "topics.yaml").write_text("topics:\n  - nme: Broken\n")
            await until_config(service, lambda row: len(json.loads(row["problems"])) > 0)
            code, text = await service.ask("status", "--json")
            assert code == 1
            assert "topics.yaml:2" in " ".join(json.loads(text)["config_problems"])
            outlets.publish("wire", "Lost manuscript turns up behind a shelf in the city museum")
            await until_said(service, "Lost manuscript")
            assert service.stop() == 0
        finally:
            service.end()
    assert "Traceback" not in service.said()


class StageProcess:
    """`wirewatch run --only NAME`, its log in a file; `look_every`: seconds between two looks."""

    def __init__(self, name: str, config: Path, look_every: float | None = None) -> None:
        patience = (
            f"import workers.reload as r; r.LOOK_EVERY = {look_every}; " if look_every else ""
        )
        self._log = config / f"{name}.log"
        with self._log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"{patience}from monitor.cli import main; main()",
                 "run", "--config", str(config), "--only", name],
                stdout=file,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What the process has logged of an event."""
        assert self.process.poll() is None, self._log.read_text()
        written = [line for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [row for row in map(json.loads, written) if row["event"] == event]

    async def until_reloaded(self, **values: object) -> None:
        """Wait until it has taken over a configuration of these figures."""

        def reloaded() -> bool:
            rows = self.lines("config_reloaded")
            return any(values.items() <= row.items() for row in rows)

        await until(reloaded)


Launch = Callable[..., StageProcess]


@pytest.fixture
def launch(tmp_path: Path, keys: Keys, valkey_url: str) -> Iterator[Launch]:
    """Starts stages on the shared store, all with the configuration of one folder."""
    (tmp_path / "topics.yaml").write_text("- Floods\n")
    settings = {"store": {"url": valkey_url, "prefix": keys.prefix}, "ops": {"log_format": "json"}}
    (tmp_path / "wirewatch.yaml").write_text(json.dumps(settings))
    running: list[StageProcess] = []

    def start(name: str, look_every: float | None = None) -> StageProcess:
        running.append(StageProcess(name, tmp_path, look_every))
        return running[-1]

    yield start
    for stage in running:
        stage.process.kill()
        stage.process.wait()


async def until_beating(store: Redis, keys: Keys, stages: dict[str, StageProcess]) -> None:
    """Wait until every stage gives signs of life; by then it listens to signals."""

    async def beating() -> bool:
        for stage in stages.values():
            stage.lines("")
        return {beat.stage for beat in await HeartbeatStore(store, keys).beats()} == set(stages)

    await until(beating)


async def test_every_process_follows_the_same_change(
    launch: Launch, store: Redis, keys: Keys, tmp_path: Path
) -> None:
    """Two processes that share nothing but store and files both take one edit over, unasked."""
    stages = {name: launch(name) for name in ("poller", "notifier")}
    await until_beating(store, keys, stages)
    (tmp_path / "topics.yaml").write_text("- Floods\n- Fires\n- Storms\n")
    for stage in stages.values():
        await stage.until_reloaded(topics=3)


async def test_a_signal_makes_a_process_look_at_once(
    launch: Launch, store: Redis, keys: Keys, tmp_path: Path
) -> None:
    """SIGHUP alone has the files read: this process would look by itself in an hour."""
    stage = launch("notifier", look_every=3600.0)
    await until_beating(store, keys, {"notifier": stage})
    (tmp_path / "topics.yaml").write_text("- Floods\n- Fires\n")
    stage.process.send_signal(signal.SIGHUP)
    await stage.until_reloaded(topics=2)
