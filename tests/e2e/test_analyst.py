"""An analyst's day on a running service: answers, a proposal, a backtest of its own stories."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.outlets import Outlets
from tests.support.service import Service

pytestmark = pytest.mark.slow

STORIES = {
    "Missiles hit a power plant near Odesa, city without light": True,
    "Drone attack sets an oil refinery ablaze": True,
    "Saboteurs blow up a gas pipeline in the east": True,
    "Shelling cuts the electricity grid of a border town": True,
    "Electricity workers strike over pay at power plant": False,
    "Energy minister strikes deal on new power grid": False,
    "Storm leaves thousands without electricity": False,
    "Refinery workers vote on a strike next week": False,
}


async def test_feedback_tune_and_backtest_on_what_the_service_has_seen(tmp_path: Path) -> None:
    """Answers are stored, become a proposal with its effect, and a backtest shows the change."""
    service = Service(tmp_path)
    with Outlets() as outlets:
        outlets.publish("wire", "Ferry timetable changes from Monday")
        service.configure({"wire": outlets.url("wire")})
        service.start()
        try:
            await service.until_baselined()
            for number, title in enumerate(STORIES):
                outlets.publish("wire", title, guid=f"n{number}")
            await service.until(lambda: _handed_over(service))
            for number, good in enumerate(STORIES.values()):
                code, text = await service.ask(
                    "feedback", f"https://wire.example/n{number}", "--topic", "energy",
                    "--good" if good else "--bad",
                )  # fmt: skip
                assert code == 0, text
            code, text = await service.ask("topics", "tune", "energy", "--json")
            assert code == 0, text
            assert json.loads(text)["answers"] == len(STORIES)
            code, text = await service.ask("feedback", "nowhere", "--topic", "energy", "--good")
            assert code != 0 and "Traceback" not in text
            await backtested(service, tmp_path)
            assert service.stop() == 0
        finally:
            service.end()


async def backtested(service: Service, folder: Path) -> None:
    """Compare a stricter topic with the live one over the store's own stories."""
    live = folder / "live"
    shutil.copytree(service.config, live)
    topics = yaml.safe_load((service.config / "topics.yaml").read_text())
    topics["topics"][0]["require"] = {"any": ["refinery"]}
    (service.config / "topics.yaml").write_text(yaml.safe_dump(topics))
    report = folder / "report.html"
    code, text = await service.ask(
        "backtest", "--since", "1d", "--against", str(live), "--json", "--html", str(report),
        "--quiet",
    )  # fmt: skip
    assert code == 0, text
    found = json.loads(text)
    assert "energy" in text and found
    page = report.read_text()
    assert "<svg" in page and "http://" not in page.replace("http://www.w3.org", "")
    code, text = await service.ask(
        "backtest", "--since", "1d", "--max-alerts-per-day", "0", "--quiet"
    )
    assert code == 1, "one refinery attack is more than none a day"


async def _handed_over(service: Service) -> bool:
    return (await service.counts()).get("stories", 0) > len(STORIES)
