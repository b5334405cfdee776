"""The whole service as a process: real feeds in, Slack and mail out, kills between."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.outlets import Outlets
from tests.support.service import Service
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin
from tests.support.waiting import any_moment

pytestmark = pytest.mark.slow

STRIKE = "Drones strike two power stations near Odesa, 200,000 homes dark"
LEAD = "A wave of drones hit two power stations before dawn, the regional governor said."


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that is killed at the end, whatever happens; its orphan store as well."""
    service = Service(tmp_path)
    yield service
    service.end()


def slack_channel(slack: SlackStandin) -> dict[str, Any]:
    """A bot channel that talks to the stand-in."""
    return {
        "type": "slack",
        "token": "${SLACK_BOT_TOKEN}",
        "channel": slack.channel,
        "api_url": slack.api_url,
    }


def mail_channel(port: int) -> dict[str, Any]:
    """A mail channel that talks to a local SMTP server."""
    return {
        "type": "email",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from": "Wirewatch <alerts@desk.example>",
        "to": ["editor@desk.example"],
    }


async def test_a_new_item_reaches_slack_and_mail_once(service: Service, data_folder: Path) -> None:
    """Real documents are a silent baseline; a new item is told once, however often it returns."""
    documents = sorted((data_folder / "feeds").glob("*.xml"))[:12]
    with Outlets() as outlets:
        feeds = {}
        for number, path in enumerate(documents):
            outlets.serve(f"real{number}", path.read_bytes())
            feeds[f"real{number}"] = outlets.url(f"real{number}")
        outlets.publish("wire", "Ferry timetable changes from Monday")
        outlets.publish("post", "Museum finds a forgotten map")
        feeds |= {name: outlets.url(name) for name in ("wire", "post")}
        async with SlackStandin() as slack, SmtpStandin() as smtp:
            channels = {"desk": slack_channel(slack), "mail": mail_channel(smtp.port)}
            service.configure(feeds, channels=channels, interval="2s")
            service.start(SLACK_BOT_TOKEN=slack.bot_token)
            await service.until_baselined()
            assert slack.posts() == [] and smtp.told() == [], "a baseline is silent"
            outlets.publish("wire", STRIKE, LEAD, guid="strike")
            await slack.until(lambda: len(slack.posts()) == 1, 40)
            await smtp.until(lambda: len(smtp.told()) == 1, 40)
            await explained(service)
            before = (await service.counts())["stories"]
            # The same item re-titled, the same text under a second masthead.
            outlets.publish("wire", f"{STRIKE} - officials", LEAD, guid="strike")
            outlets.publish("post", STRIKE, LEAD)
            await service.until(lambda: _handed_over(service, before + 2))
            assert await service.leaks() == [], "every key has an end, or a place on the list"
            assert service.stop() == 0
            assert len(slack.posts()) == 1
            assert len(smtp.told()) == 1
    assert "Traceback" not in service.said()
    assert slack.bot_token not in service.said()


async def explained(service: Service) -> None:
    """`explain` and `status` tell of the running service what its newsroom just heard."""
    code, text = await service.ask("explain", "https://wire.example/strike", "--json")
    assert code == 0, text
    told = json.loads(text)
    assert [alert["reason"] for alert in told["decision"]["alerts"]] == ["first"]
    assert {row["channel"]: row["state"] for row in told["notifications"]} == {
        "desk": "sent",
        "mail": "sent",
    }
    assert [row["topic"] for row in told["topics"] if row["fired"]] == ["energy"]
    assert told["topics"][0]["evidence"]
    code, text = await service.ask("explain", "https://wire.example/never-seen")
    assert code == 1 and "no such story" in text
    await service.until(lambda: _canary_is_back(service))
    code, text = await service.ask("status", "--json")
    view = json.loads(text)
    stages = ("poller", "embedder", "triage", "notifier", "desk")
    assert view["workers"] == dict.fromkeys(stages, 1)
    assert view["counts"]["alerts"] == 1
    assert {channel["name"] for channel in view["channels"]} == {"desk", "mail"}
    code, text = await service.ask("status")
    assert "so far" in text and "came through in" in text and "Traceback" not in text


async def test_nothing_is_lost_when_the_service_is_killed_again_and_again(
    service: Service,
) -> None:
    """kill -9 at random moments while 40 happenings are published: each is told, and told once."""
    places = [f"{a}{b}" for a in ("Kar", "Bel", "Tor", "Min", "Sol") for b in
              ("ovka", "grad", "inske", "avia", "entis", "umna", "orsk", "ilvo")]  # fmt: skip
    dice = random.Random(7)
    with Outlets() as outlets:
        outlets.publish("wire", "Ferry timetable changes from Monday")
        async with SlackStandin() as slack:
            service.configure(
                {"wire": outlets.url("wire")}, channels={"desk": slack_channel(slack)}
            )
            service.start(SLACK_BOT_TOKEN=slack.bot_token)
            await service.until_baselined()
            kinds = (
                "Missile hits power plant in",
                "Drone sets oil refinery ablaze in",
                "Shelling cuts electricity grid in",
                "Saboteurs blow up gas pipeline in",
            )
            for number, place in enumerate(places):
                outlets.publish("wire", f"{kinds[number % 4]} {place}", guid=f"n{number}")
                await any_moment(dice, 0.05, 0.3)
                if number in (8, 16, 24, 32):
                    service.kill()
                    service.start(SLACK_BOT_TOKEN=slack.bot_token)
            await service.until(lambda: _handed_over(service, len(places) + 1))
            counts = await service.counts()
            # What floods a channel gathers for a minute and goes as one message.
            await slack.until(lambda: len(set(slack.told())) >= counts["alerts"], 200)
            assert service.stop() == 0
    told = slack.told()
    assert len(told) == len(set(told)), "told twice"
    assert len(told) == counts["alerts"]


async def _handed_over(service: Service, count: int) -> bool:
    return (await service.counts()).get("stories", 0) >= count


async def _canary_is_back(service: Service) -> bool:
    return (await service.hash("watch", "canary")).get("ok") == "1"  # it was sent at the start
