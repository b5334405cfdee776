"""A desk's own language model sums up long events: marked, with its sources, inventing nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.delivery.outbox import OutboxStore
from monitor.history.history_store import HistoryStore
from monitor.history.records import StoryRecord
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from tests.delivery.test_notifier import runtime_for
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import FIRST, NOW, UPDATE, note
from tests.support.json_standin import JsonStandin, chat
from tests.support.slack_standin import SlackStandin
from workers.notifier import Notifier

LINES = (
    ("Example World News", "Envoys meet in Geneva"),
    ("Coast Radio", "The talks broke off after an hour."),
    ("Harbour Daily", "The two sides agreed to exchange 240 prisoners on Friday."),
)
SAID = "The sides agreed to exchange 240 prisoners\non Friday <!channel>."


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    """A Slack stand-in without a rate limit."""
    async with SlackStandin() as server:
        yield server


@asynccontextmanager
async def telling(
    slack: SlackStandin, store: Redis, keys: Keys, lines: int = 3, **model: Any
) -> AsyncIterator[OutboxStore]:
    """A notifier at work, and an event of so many lines in the history."""
    history = HistoryStore(store, keys)
    for at, (outlet, text) in enumerate(LINES[:lines]):
        row = StoryRecord(f"s{at}", text, NOW + at, source=outlet, novelty=text if at else "")
        await apply(store, history.story_commands(UPDATE.event, row))
    runtime = runtime_for(slack_config(slack, language_model=model), store, keys)
    task = asyncio.create_task(Notifier(runtime).run())
    try:
        yield OutboxStore(store, keys)
    finally:
        runtime.stopping.set()
        await task


async def told(slack: SlackStandin, outbox: OutboxStore) -> list[str]:
    """Send a first alert and its update; return both as text."""
    await outbox.put([note(FIRST, "world")])
    await slack.until(lambda: len(slack.told()) == 1)
    await outbox.put([note(UPDATE, "world", "update")])
    await slack.until(lambda: len(slack.told()) == 2)
    bodies = [body for name, body in slack.calls if name == "chat.postMessage"]
    return [json.dumps(body, ensure_ascii=False) for body in bodies]


async def test_an_update_of_a_long_event_is_summed_up(
    slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """The model gets lines and outlets as JSON; its words are marked, and never a mention."""
    async with (
        JsonStandin(lambda *_: chat(SAID)) as model,
        telling(slack, store, keys, url=model.url + "/v1", recaps=True) as outbox,
    ):
        first, update = await told(slack, outbox)
        [(path, body)] = model.asked
    assert path == "/v1/chat/completions"
    rows = json.loads(body["messages"][1]["content"])
    assert [(row["outlet"], row["line"]) for row in rows] == list(LINES)
    assert "language model" not in first
    assert (
        "So far, by a language model from Example World News, Coast Radio, Harbour Daily: "
        "The sides agreed to exchange 240 prisoners on Friday"
    ) in update
    assert "<!channel>" not in json.loads(update)["text"]


@pytest.mark.parametrize(
    ("said", "lines", "settings"),
    [
        (SAID, 2, {"recaps": True}),
        (SAID, 3, {}),
        ("They agreed to exchange 250 prisoners.", 3, {"recaps": True}),
        ("<html>", 3, {"recaps": True}),
    ],
    ids=["two lines", "off by default", "a figure of its own", "no answer"],
)
async def test_where_there_is_no_recap(
    slack: SlackStandin, store: Redis, keys: Keys, said: str, lines: int, settings: dict[str, Any]
) -> None:
    """Short events, desks that do not ask, invented figures, nonsense: the update is as ever."""
    answer = said if said.startswith("<") else chat(said)
    async with (
        JsonStandin(lambda *_: answer) as model,
        telling(slack, store, keys, lines, url=model.url, **settings) as outbox,
    ):
        _, update = await told(slack, outbox)
        asked = len(model.asked)
    assert "language model" not in update and "exchange 240 " in update
    assert asked == (1 if settings and lines == 3 else 0)


async def test_a_model_that_hangs_delays_nothing_beyond_its_deadline(
    slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """The update goes out without a recap."""
    async with (
        JsonStandin(lambda *_: chat(SAID)) as model,
        telling(slack, store, keys, url=model.url, recaps=True, deadline="0.2s") as outbox,
    ):
        model.faults.append("hang")
        _, update = await told(slack, outbox)
    assert "language model" not in update
