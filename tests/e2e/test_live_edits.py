"""Topics edited while the service runs: taken over live, and refused by name when broken."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.outlets import Outlets
from tests.support.service import ENERGY, Service

pytestmark = pytest.mark.slow

MUSEUMS = {
    "id": "museums",
    "name": "Museum discoveries",
    "description": "Museums that find forgotten maps, paintings or manuscripts in their stores.",
    "examples": ["Curators find a lost painting in the museum's cellar"],
}


async def until_said(service: Service, *words: str) -> None:
    """Wait until the service has printed every one of the words."""
    while not all(word in service.said() for word in words):
        assert service.alive(), service.said()
        await asyncio.sleep(0.1)


async def until_config(service: Service, right: Callable[[dict[str, str]], bool]) -> None:
    """Wait until what the service notes of its configuration is right."""
    while not right(await service.hash("config")):
        assert service.alive(), service.said()
        await asyncio.sleep(0.1)


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
            assert service.process is not None
            service.process.send_signal(signal.SIGHUP)
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
