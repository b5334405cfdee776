"""The commands of delivery: routes, silence, dead, test-alert."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from monitor.cli import main
from monitor.delivery.dead_letter_review import DeadLetters
from monitor.delivery.outbox import OutboxStore
from monitor.model import Notification
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.alerts import FIRST, NOW, note
from tests.support.slack_standin import SlackStandin

Command = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, valkey_url: str, keys: Keys) -> Path:
    """A configuration folder on the test's own key space."""
    settings = {
        "store": {"url": valkey_url, "prefix": keys.prefix},
        "channels": {
            "world": {"type": "terminal"},
            "hook": {"type": "webhook", "url": "http://127.0.0.1:9/x"},
        },
        "time_intervals": {"always": [{"start": "00:00", "end": "24:00"}]},
        "route": {
            "to": ["world"],
            "routes": [{"match": {"urgency": ["low"]}, "quiet_hours": ["always"], "to": ["hook"]}],
        },
    }
    (tmp_path / "wirewatch.yaml").write_text(yaml.safe_dump(settings))
    topics = {"topics": [{"id": "energy", "name": "Energy strikes"}]}
    (tmp_path / "topics.yaml").write_text(yaml.safe_dump(topics))
    feeds = {"feeds": [{"id": "wire", "url": "https://news.example.org/rss"}]}
    (tmp_path / "feeds.yaml").write_text(yaml.safe_dump(feeds))
    return tmp_path


@pytest.fixture
def wirewatch(folder: Path) -> Command:
    """Run a command on that folder."""

    def run(*words: str, **more: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(folder)], **more)  # type: ignore[arg-type]

    return run


def test_routes_tell_where_an_alert_would_go(wirewatch: Command) -> None:
    """`routes test` names channel, branch and what would hold it; `routes show` draws the tree."""
    said = json.loads(wirewatch("routes", "test", "--topic", "energy", "--json").output)
    assert said == [{"channel": "world", "branch": "route", "now": "sent at once"}]
    low = wirewatch("routes", "test", "--topic", "energy", "--urgency", "low", "--json")
    (row,) = json.loads(low.output)
    assert (row["channel"], row["branch"]) == ("hook", "route.routes[0]")
    assert "quiet_hours" in row["now"]
    tree = wirewatch("routes", "show").output
    assert "urgency: low" in tree and "quiet: always" in tree
    wrong = wirewatch("routes", "test", "--topic", "nothing")
    assert wrong.exit_code == 2 and "energy" in wrong.output


def test_silences_from_the_command_line(wirewatch: Command) -> None:
    """A silence is added, listed with author and reason, shown by `status` and `routes test`."""
    assert wirewatch("silence", "list").output == "Nothing is silenced.\n"
    added = wirewatch("silence", "add", "topic=energy", "--for", "90m", "--by", "ana",
                      "--reason", "exercise")  # fmt: skip
    assert added.exit_code == 0
    name = added.output.partition(":")[0]
    (row,) = json.loads(wirewatch("silence", "list", "--json").output)
    assert (row["id"], row["author"], row["reason"]) == (name, "ana", "exercise")
    assert row["ends"] - row["starts"] == 5400
    (told,) = json.loads(wirewatch("routes", "test", "--topic", "energy", "--json").output)
    assert "not sent until" in told["now"] and name in told["now"] and "ana" in told["now"]
    shown = " ".join(wirewatch("status").output.split())
    assert "silenced" in shown and "topic=energy" in shown and "by ana: exercise" in shown
    assert wirewatch("silence", "end", name).exit_code == 0
    assert json.loads(wirewatch("silence", "list", "--json").output) == []
    assert wirewatch("silence", "end", "nothing").exit_code == 1
    bad = wirewatch("silence", "add", "colour=red")
    assert bad.exit_code == 2 and "field=pattern" in bad.output
    assert "no topic matches" in wirewatch("silence", "add", "topic=sports").output


async def _set_aside(store: Redis, keys: Keys, *notifications: Notification) -> OutboxStore:
    outbox = OutboxStore(store, keys)
    await outbox.put(notifications)
    lease = outbox.lease("world")
    assert await lease.take()
    for item in notifications:
        await outbox.dead_letter(lease, item, "rejected", "too strange", NOW)
    await lease.drop()
    return outbox


async def test_dead_letters_are_looked_at_and_put_back(each_store: Redis, keys: Keys) -> None:
    """A dead letter is whole, is due again after `requeue`, and is gone after `drop`."""
    second = Notification("n@world", "world", "notice", notice="Feed x is silent.")
    outbox = await _set_aside(each_store, keys, note(FIRST, "world"), second)
    letters = DeadLetters(each_store, keys)
    one, two = await letters.list()
    assert {one.what, two.what} == {FIRST.story.title, "Feed x is silent."}
    letter = await letters.get("notifier:a-first@world")
    assert letter is not None and (letter.reason, letter.detail) == ("rejected", "too strange")
    await letters.requeue(letter, NOW + 5)
    (due,) = await outbox.read("world", NOW + 5, 10)
    assert due.notification.alert == FIRST and due.notification.attempts == 0
    assert await outbox.receipt("a-first@world") is None
    other = await letters.get("notifier:n@world")
    assert other is not None
    await letters.drop(other)
    assert await letters.list() == []


async def test_stream_letters_go_back_into_their_stream(store: Redis, keys: Keys) -> None:
    """A dead letter of another stage goes back into that stage's queue, as it was."""
    record = {"stage": "stories", "reason": "poison", "fields": {"data": b"\x00\xff".hex()}}
    await store.hset(keys("dead"), "stories:1-1", json.dumps(record))
    letters = DeadLetters(store, keys)
    letter = await letters.get("stories:1-1")
    assert letter is not None
    await letters.requeue(letter, NOW)
    ((_, fields),) = await store.xrange(keys("stream", "stories"))
    assert fields == {b"data": b"\x00\xff"}
    await store.hset(keys("dead"), "stories:2-1", "not json")
    unreadable = await letters.get("stories:2-1")
    assert unreadable is not None
    with pytest.raises(ValueError, match="put back"):
        await letters.requeue(unreadable, NOW)


async def test_dead_from_the_command_line(
    folder: Path, store: Redis, keys: Keys, valkey_url: str
) -> None:
    """`dead list` says so by its exit code; show, requeue and drop do as they say."""
    import asyncio

    await _set_aside(store, keys, note(FIRST, "world"))

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(folder)])

    listed = await asyncio.to_thread(run, "dead", "list")
    assert listed.exit_code == 1 and "rejected" in listed.output
    shown = await asyncio.to_thread(run, "dead", "show", "notifier:a-first@world")
    assert json.loads(shown.output)["notification"]["alert"]["id"] == "a-first"
    missing = await asyncio.to_thread(run, "dead", "show", "nothing")
    assert missing.exit_code == 1
    back = await asyncio.to_thread(run, "dead", "requeue", "all")
    assert back.exit_code == 0 and "back in the queue" in back.output
    empty = await asyncio.to_thread(run, "dead", "list")
    assert (empty.exit_code, empty.output) == (0, "No dead letters.\n")


def test_a_test_alert_goes_through_the_real_channels(wirewatch: Command) -> None:
    """Each channel's outcome is named; one that fails makes the exit code 1."""
    good = wirewatch("test-alert", "--channel", "world")
    assert good.exit_code == 0 and "This is a test alert from Wirewatch" in good.output
    bad = wirewatch("test-alert", "--channel", "hook", "--json")
    assert bad.exit_code == 1
    said = json.loads(bad.output)["hook"]
    assert said["reason"] == "unreachable" and "Nothing listens there" in said["advice"]
    assert "hook" in wirewatch("test-alert", "--channel", "nowhere").output


async def test_a_test_alert_reaches_slack(tmp_path: Path, slack: SlackStandin) -> None:
    """The bot's message arrives; the token is not printed, not even when it is refused."""
    import asyncio

    channel = {"type": "slack", "token": slack.bot_token, "channel": slack.channel,
               "api_url": slack.api_url}  # fmt: skip
    settings = {"channels": {"desk": channel}}
    (tmp_path / "wirewatch.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "topics.yaml").write_text(yaml.safe_dump({"topics": [{"name": "Energy"}]}))
    words = ["test-alert", "--config", str(tmp_path)]
    good = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert good.exit_code == 0 and len(slack.posts()) == 1
    slack.revoked = True
    bad = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert bad.exit_code == 1 and "token_revoked" in bad.output
    assert "copy the bot's (xoxb-…) again" in " ".join(bad.output.split())
    assert slack.bot_token not in good.output + bad.output
