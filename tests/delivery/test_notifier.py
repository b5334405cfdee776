"""The notifier as a worker: every channel on its own, restarts, and who sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from monitor.config.schema import Config
from monitor.delivery.outbox import OutboxStore
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import FIRST, alert, note
from tests.support.slack_faults import SlackFault
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin
from workers.notifier import Notifier
from workers.runtime import Runtime


@asynccontextmanager
async def running(runtime: Runtime) -> AsyncIterator[Notifier]:
    """A notifier at work until the block ends; it must stop within seconds."""
    notifier = Notifier(runtime)
    task = asyncio.create_task(notifier.run())
    try:
        yield notifier
    finally:
        runtime.stopping.set()
        async with asyncio.timeout(10):
            await task


def runtime_for(config: Config, store: Redis, keys: Keys) -> Runtime:
    """A runtime in the test's own key space."""
    settings = config.model_copy(
        update={"store": config.store.model_copy(update={"prefix": keys.prefix})}
    )
    return Runtime(settings, store, "")


async def _never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.slow
async def test_each_channel_is_served_on_its_own(
    slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """With a mail server dead and a webhook that never answers, Slack and mail get theirs."""
    hung = await asyncio.start_server(_never_answer, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{hung.sockets[0].getsockname()[1]}/x"
    async with SmtpStandin() as smtp:
        mail = {
            "type": "email",
            "host": "127.0.0.1",
            "security": "none",
            "from": "Wirewatch <alerts@example.org>",
            "to": ["desk@example.org"],
        }
        more = {
            "mail": mail | {"port": smtp.port},
            "dead-mail": mail | {"port": 9},
            "hung": {"type": "webhook", "url": address},
        }
        channels = slack_config(slack).channels | Config.model_validate({"channels": more}).channels
        runtime = runtime_for(Config(channels=channels), store, keys)
        outbox = OutboxStore(store, keys)
        async with running(runtime):
            for name in ("dead-mail", "hung", "world", "mail"):
                await outbox.put([note(FIRST, name), note(alert("b"), name)])
            await slack.until(lambda: len(slack.told()) == 2)
            await smtp.until(lambda: len(smtp.mails) == 2)
        assert smtp.told() == ["a-first@mail", "b@mail"]
    assert await outbox.waiting("dead-mail") == 2 and await outbox.waiting("hung") == 2
    hung.close()


@pytest.mark.slow
async def test_two_notifiers_tell_once(slack: SlackStandin, store: Redis, keys: Keys) -> None:
    """However many notifiers run, each notification is sent by one of them."""
    config = slack_config(slack)
    outbox = OutboxStore(store, keys)
    first, second = (runtime_for(config, store, keys) for _ in range(2))
    async with running(first), running(second):
        await outbox.put([note(alert(f"n{i}"), "world") for i in range(5)])
        await slack.until(lambda: len(slack.told()) >= 5)
    assert sorted(slack.told()) == [f"n{i}" for i in range(5)]
    assert not await store.exists(keys("lease", "channel", "world")), "leases are given back"


@pytest.mark.slow
async def test_a_restart_picks_up_what_waits(slack: SlackStandin, store: Redis, keys: Keys) -> None:
    """A notifier stopped in the middle of a retry leaves it to the next, which delivers it."""
    slack.fail("chat.postMessage", SlackFault("status", status=503))
    config = slack_config(slack)
    outbox = OutboxStore(store, keys)
    await outbox.put([note(FIRST, "world")])
    async with running(runtime_for(config, store, keys)):
        await slack.until(lambda: any(name == "chat.postMessage" for name, _ in slack.calls))
    assert slack.told() == []
    async with running(runtime_for(config, store, keys)):
        await slack.until(lambda: slack.told() == ["a-first"])


async def test_a_new_configuration_is_taken_over(
    slack: SlackStandin, store: Redis, keys: Keys
) -> None:
    """A channel that is added while the notifier runs gets what was waiting for it."""
    outbox = OutboxStore(store, keys)
    await outbox.put([note(FIRST, "world")])
    empty = Config()
    runtime = runtime_for(empty, store, keys)
    async with running(runtime):
        new = slack_config(slack)
        await runtime.reload(new.model_copy(update={"store": runtime.config.store}))
        await slack.until(lambda: slack.told() == ["a-first"])
