"""The daily message of what was missed: once a turn, whoever dies, and never silent about itself.

On a real Valkey, with a list from a real HTTP server, told to the Slack stand-in.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from monitor.analysis.archive import AnalysisStore
from monitor.analysis.missed_store import MissedStore
from monitor.clock import ManualClock
from monitor.config.schema import Config, MissedPlan
from monitor.delivery.outbox import OutboxStore
from monitor.embedding import embed_stories
from monitor.embedding.hashing import HashingEmbedder
from monitor.errors import LeaseLost
from monitor.model import EmbeddedStory, Notification, Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import NOW
from tests.support.outlets import Outlets
from tests.support.slack_rules import shown_text
from tests.support.slack_standin import SlackStandin
from workers.missed_message import MissedMessage
from workers.outside_lists import AGAIN, GIVE_UP, OutsideListReader
from workers.runtime import Runtime

HOUR = 3600.0
MIDNIGHT = datetime.fromtimestamp(NOW, UTC)
TURN = NOW + 7.25 * HOUR  # 07:15
HEADLINES = ("Bridge falls into the river", "Ferry fares rise in spring", "Volcano wakes")
ENCODER = HashingEmbedder()


def encode(stories: Sequence[Story]) -> list[EmbeddedStory]:
    """Vectors by spelling."""
    return embed_stories(ENCODER, stories, 1)


@dataclass(slots=True)
class Process:
    """A process that has a poller and an embedder, as far as the message goes."""

    reader: OutsideListReader
    message: MissedMessage

    async def look(self) -> bool:
        """Let both look once; return whether the turn was told."""
        await self.reader.look()
        return await self.message.look()


@pytest.fixture
def outlets() -> Any:
    """A server whose feed `wire` lists the three happenings of the night."""
    with Outlets() as server:
        items = "".join(
            f"<item><title>{title}</title><guid>{title}</guid>"
            f"<pubDate>{format_datetime(MIDNIGHT + timedelta(hours=n))}</pubDate></item>"
            for n, title in enumerate(HEADLINES)
        )
        feed = f"<rss version='2.0'><channel><title>Wire</title>{items}</channel></rss>"
        server.serve("wire", feed.encode())
        yield server


@pytest.fixture
async def process(
    store: Redis, keys: Keys, valkey_url: str, clock: ManualClock, outlets: Outlets,
    slack: SlackStandin,
) -> Any:  # fmt: skip
    """Make one process's message; the archive has seen two of the three, and told one."""
    whole: Config = slack_config(
        slack,
        store={"prefix": keys.prefix},
        polling={"allow_hosts": ["127.0.0.1"], "allow_ports": [outlets.port]},
        missed={"lists": [outlets.url("wire")], "to": ["world"]},
    )
    archive = AnalysisStore.of(store, whole)
    alert = {"topic": "bridges", "event": "e0", "reason": "first"}
    match = {"topic": "ferries", "score": 0.3, "line": 0.5}
    records = [{"event": "e0", "alerts": [alert]}, {"event": "e1", "matches": [match]}]
    for n, record in enumerate(records):
        story = Story(id=f"s{n}", title=HEADLINES[n], seen_at=NOW + n * HOUR, published=NOW)
        await apply(store, archive.story_commands(encode([story])[0], json.dumps(record)))
    clock.advance(NOW - clock.now())

    def make() -> Process:
        runtime = Runtime(whole, store, valkey_url, clock)
        message = MissedMessage(runtime, ENCODER.fingerprint, encode, None)
        return Process(OutsideListReader(runtime), message)

    return make


@pytest.fixture
def outbox(store: Redis, keys: Keys) -> OutboxStore:
    """The outbox of the installation."""
    return OutboxStore(store, keys)


async def waiting(outbox: OutboxStore, clock: ManualClock) -> list[Notification]:
    """What waits for the channel."""
    return [due.notification for due in await outbox.read("world", clock.now(), 10)]


async def test_the_turn_is_told_in_slack(
    process: Any, outbox: OutboxStore, clock: ManualClock, slack: SlackStandin, desk: Any
) -> None:
    """What was told, below the threshold or never seen is counted, the untold with its why."""
    message = process()
    assert not await message.look(), "the first look only notes the time"
    clock.advance(TURN - clock.now())
    assert await message.look()
    world = await desk("world", slack_config(slack))
    await world.run()
    (post,) = slack.posts()
    assert shown_text(post).split("\n") == [
        "What we missed: of 3 happenings 1 told, 0 held, 1 below the threshold, 1 never seen.",
        "Never seen: Volcano wakes",
        "Below the threshold: Ferry fares rise in spring (ferries: 0.30 of the 0.50 it needs)",
    ]
    assert slack.refusals == []


async def test_two_processes_tell_once_a_day(
    process: Any, outbox: OutboxStore, clock: ManualClock
) -> None:
    """Two look at the same moment, and again; the next day brings the next message."""
    one, two = process(), process()
    await one.look()
    clock.advance(TURN - clock.now())
    told = await asyncio.gather(one.look(), two.look())
    told += await asyncio.gather(one.look(), two.look())
    assert sum(told) == 1
    assert [note.id for note in await waiting(outbox, clock)] == [f"missed-{int(TURN)}@world"]
    clock.advance(24 * HOUR)
    await asyncio.gather(one.look(), two.look())
    assert len(await waiting(outbox, clock)) == 2


async def test_another_tells_what_a_killed_one_began(
    process: Any, store: Redis, keys: Keys, outbox: OutboxStore, clock: ManualClock
) -> None:
    """A process dies while it compares; once its lease has run out, the turn is told, once.

    Should it only have been paused, its own message is refused by the store.
    """
    dead, other = MissedStore(store, keys), process()
    await other.look()
    clock.advance(TURN - clock.now())
    assert await dead.lease.take()
    assert not await other.look() and await waiting(outbox, clock) == []
    await store.delete(keys("lease", "missed"))  # as it runs out
    assert await other.look()
    late = Notification("missed-0@world", "world", "notice", notice="twice")
    with pytest.raises(LeaseLost):
        await dead.tell([late], TURN)
    assert len(await waiting(outbox, clock)) == 1


async def test_a_list_that_cannot_be_read_is_asked_again_and_then_said(
    process: Any, outbox: OutboxStore, clock: ManualClock, outlets: Outlets
) -> None:
    """For an hour the turn stays due; then the message says that nothing is known."""
    message = process()
    await message.look()
    outlets.dark = True
    clock.advance(TURN - clock.now())
    assert not await message.look()
    asked = outlets.requests["wire"]
    assert not await message.look() and outlets.requests["wire"] == asked, "not at every look"
    clock.advance(AGAIN)
    assert not await message.look() and outlets.requests["wire"] > asked
    clock.advance(GIVE_UP)
    assert await message.look()
    (note,) = await waiting(outbox, clock)
    first, second = note.notice.split("\n")
    assert first == "What we missed: no list could be read, so nothing is known."
    assert second.startswith("Not compared: 127.0.0.1: ")


async def test_a_list_that_comes_back_is_compared(
    process: Any, outbox: OutboxStore, clock: ManualClock, outlets: Outlets
) -> None:
    """What happened until the turn counts, however late it is told."""
    message = process()
    await message.look()
    outlets.dark = True
    clock.advance(TURN - clock.now())
    await message.look()
    outlets.dark = False
    clock.advance(AGAIN)
    assert await message.look()
    (note,) = await waiting(outbox, clock)
    assert "of 3 happenings 1 told" in note.notice


async def test_off_by_default(
    store: Redis, keys: Keys, valkey_url: str, clock: ManualClock
) -> None:
    """Without a list nothing is written."""
    config = Config.model_validate({"store": {"prefix": keys.prefix}})
    runtime = Runtime(config, store, valkey_url, clock)
    process = Process(OutsideListReader(runtime), MissedMessage(runtime, "m", encode, None))
    assert not await process.look()
    assert await store.exists(keys("missed")) == 0


@pytest.mark.parametrize(
    ("last", "now", "turn"),
    [
        (NOW, TURN - 1, 0.0),
        (NOW, TURN, TURN),
        (TURN, TURN + HOUR, 0.0),
        (NOW - 72 * HOUR, TURN + HOUR, TURN),
        (NOW - 72 * HOUR, TURN + 7 * HOUR, 0.0),
        (TURN, TURN + 24 * HOUR, TURN + 24 * HOUR),
    ],
    ids=["not yet", "on time", "told", "of three days the newest", "too late", "the next day"],
)
async def test_which_turn_is_due(
    store: Redis, keys: Keys, last: float, now: float, turn: float
) -> None:
    """The newest turn that was not told, for six hours."""
    plan = MissedPlan.model_validate({"lists": ["https://a.example/"], "to": ["world"]})
    missed = MissedStore(store, keys)
    assert await missed.due(plan, last) == 0.0, "time starts to count"
    assert await missed.due(plan, now) == turn
