"""Alerts in another language than the newsroom's: what the notifier shows beside the headline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.analysis.archive import AnalysisStore
from monitor.delivery.outbox import OutboxStore
from monitor.model import Alert, EmbeddedStory, Passage, Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from tests.delivery.test_notifier import runtime_for
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import FIRST, NOW, note
from tests.support.json_standin import JsonStandin, chat
from tests.support.slack_standin import SlackStandin
from workers.notifier import Notifier

UKRAINIAN = "Вночі безпілотники пошкодили підстанцію біля Харкова"


def ukrainian(name: str = "u", **changes: Any) -> Alert:
    """An alert on a Ukrainian story."""
    story = Story(id=f"s-{name}", title=UKRAINIAN, source="Харків Нині", language="uk")
    known = {"id": name, "parent": name, "event": "e-strike", "story": story, "evidence": ""}
    return replace(FIRST, **{**known, **changes})


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    """A Slack stand-in without a rate limit."""
    async with SlackStandin() as server:
        yield server


@asynccontextmanager
async def telling(
    slack: SlackStandin, store: Redis, keys: Keys, **translation: Any
) -> AsyncIterator[OutboxStore]:
    """A notifier at work with one Slack channel; yields the outbox."""
    settings = slack_config(slack, translation=translation)
    runtime = runtime_for(settings, store, keys)
    notifier = Notifier(runtime)
    task = asyncio.create_task(notifier.run())
    try:
        yield OutboxStore(store, keys)
    finally:
        runtime.stopping.set()
        await task


async def archived(store: Redis, keys: Keys, *stories: Story) -> None:
    """Put stories into the archive, as reports of one event."""
    archive = AnalysisStore(store, keys, 86400.0, 86400.0)
    for story in stories:
        passage = (Passage(0, "title", story.title, story.title),)
        item = EmbeddedStory(story, passage, np.ones((1, 4), np.float32), "m/1/t1")
        await apply(store, archive.story_commands(item, "{}"))
        await apply(store, archive.member_commands("e-strike", story.id, story.seen_at))


def shown(slack: SlackStandin, at: int = -1) -> str:
    """What a message sent to Slack holds, as text."""
    bodies = [body for name, body in slack.calls if name == "chat.postMessage"]
    return json.dumps(bodies[at], ensure_ascii=False)


async def test_a_report_of_the_same_event_is_named_beside_a_foreign_headline(
    slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """The language, the original headline, and an English outlet's words for the same event."""
    report = Story(
        id="s-en", title="Drones hit a substation near Kharkiv", source="Harbour Daily",
        language="en-GB", seen_at=NOW,
    )  # fmt: skip
    await archived(store, keys, report, ukrainian().story)
    async with telling(slack, store, keys) as outbox:
        await outbox.put([note(ukrainian(), "world")])
        await slack.until(lambda: len(slack.told()) == 1)
    assert "In Ukrainian: “Drones hit a substation near Kharkiv” (Harbour Daily)" in shown(slack)
    assert UKRAINIAN in shown(slack)


async def test_without_such_a_report_the_service_translates_once(
    slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """LibreTranslate is asked once for a headline that two alerts carry, and marked as a machine;
    an alert in the newsroom's own language asks nothing."""
    said = {"translatedText": "Drones damaged a <!channel> substation\nnear Kharkiv"}
    async with (
        JsonStandin(lambda *_: said) as service,
        telling(slack, store, keys, url=service.url, key="k-1") as outbox,
    ):
        await outbox.put([note(ukrainian(), "world"), note(FIRST, "world")])
        await slack.until(lambda: len(slack.told()) == 2)
        await outbox.put([note(ukrainian("again", event="e-2"), "world")])
        await slack.until(lambda: len(slack.told()) == 3)
        [(path, body)] = service.asked
    assert path == "/translate"
    assert body == {"q": UKRAINIAN, "source": "uk", "target": "en", "format": "text",
                    "api_key": "k-1"}  # fmt: skip
    both = [text for text in (shown(slack, 0), shown(slack, 1), shown(slack, 2)) if "In Uk" in text]
    assert len(both) == 2
    for text in both:
        assert "substation near Kharkiv” (machine translation)" in text
        assert "<!channel>" not in json.loads(text)["text"], "no word from outside is a mention"


async def test_a_language_model_may_translate(
    slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """The same by OpenAI's chat completions, with the headline as JSON, never as instruction."""
    async with (
        JsonStandin(lambda *_: chat("Drones damaged a substation")) as service,
        telling(slack, store, keys, url=service.url + "/v1", api="openai", key="k") as outbox,
    ):
        await outbox.put([note(ukrainian(), "world")])
        await slack.until(lambda: len(slack.told()) == 1)
        [(path, body)] = service.asked
        assert service.headers[0]["authorization"] == "Bearer k"
    assert path == "/v1/chat/completions"
    assert json.loads(body["messages"][1]["content"]) == UKRAINIAN
    assert "Drones damaged a substation" in shown(slack)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "500", "garbage"])
async def test_a_service_that_fails_delays_nothing_beyond_its_deadline(
    slack: SlackStandin, store: Redis, keys: Keys, fault: str
) -> None:
    """Alerts go out without translation; after three failures the service is left alone."""
    async with (
        JsonStandin(lambda *_: "<html>") as service,
        telling(slack, store, keys, url=service.url, deadline="0.2s") as outbox,
    ):
        service.faults.extend([fault] * 9 if fault != "garbage" else [])
        for at in range(5):
            story = replace(ukrainian().story, id=f"s{at}", title=f"{UKRAINIAN} {at}")
            one = ukrainian(f"a{at}", story=story, event=f"e{at}")
            await outbox.put([note(one, "world")])
            await slack.until(lambda at=at: len(slack.told()) == at + 1)
        assert len(service.asked) == 3
    assert "In Ukrainian" in shown(slack) and "machine" not in shown(slack)


@pytest.mark.slow
async def test_no_more_is_asked_than_the_budget_of_the_day(
    slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """With a budget of two, the third headline of the day stays as it is."""
    async with (
        JsonStandin(lambda *_: {"translatedText": "Said"}) as service,
        telling(slack, store, keys, url=service.url, per_day=2) as outbox,
    ):
        for at in range(4):
            story = replace(ukrainian().story, id=f"s{at}", title=f"{UKRAINIAN} {at}")
            await outbox.put([note(ukrainian(f"a{at}", story=story, event=f"e{at}"), "world")])
            await slack.until(lambda at=at: len(slack.told()) == at + 1)
        assert len(service.asked) == 2
