"""What is kept in the store has an end: by its own time to live, by its owner, or by the sweep."""

from __future__ import annotations

import pytest

from monitor.alerting.feedback_store import FeedbackStore, Verdict
from monitor.analysis.archive import AnalysisStore
from monitor.delivery.dead_letter_review import DeadLetters
from monitor.delivery.outbox import OutboxStore
from monitor.health.retention import Retention
from monitor.model import Notification
from monitor.polling.feed_store import FeedStore
from monitor.queue.streams import StreamQueue
from monitor.reasons import DeadLetterReason
from monitor.store.commands import Redis
from monitor.store.keys import TABLE, Keys
from monitor.store.transaction import apply

DAY = 86400.0


async def _dead_letter(store: Redis, keys: Keys, at: float) -> None:
    """Put a message into a stream at a time of its own, and set it aside as a dead letter."""
    queue = StreamQueue(store, store, keys, "stories", "one")
    await queue.ensure()
    await store.xadd(queue.key, {"story": "not a story"}, id=f"{int(at * 1000)}-1")
    (item,) = await queue.read(1, 0)
    await queue.dead_letter(item, DeadLetterReason.MALFORMED, "cannot be read")


async def test_dead_letters_are_kept_for_long_and_not_for_ever(store: Redis, keys: Keys) -> None:
    """Of two dead letters, the one older than the retention goes; the younger one stays."""
    now = 1_767_571_200.0
    await _dead_letter(store, keys, now - 31 * DAY)
    await _dead_letter(store, keys, now - 29 * DAY)
    gone = await Retention(store, keys, 30 * DAY).sweep(now, ())
    assert gone == {"dead_letters": 1}
    (left,) = await DeadLetters(store, keys).list()
    assert left.at == pytest.approx(now - 29 * DAY, abs=0.01)


async def test_alerts_for_a_removed_channel_wait_and_then_go(store: Redis, keys: Keys) -> None:
    """A removed channel keeps what waits for it for the retention, then nothing of it is left."""
    now = 1_767_571_200.0
    outbox = OutboxStore(store, keys)
    for name, channel, age in (("a", "gone", 31), ("b", "gone", 2), ("c", "here", 31)):
        due = now - age * DAY
        note = Notification(f"{name}@{channel}", channel, "notice", notice="x", due=due)
        await outbox.put([note])
    await store.hset(keys("channel", "gone"), "state", "ok")
    retention = Retention(store, keys, 30 * DAY)

    assert await retention.sweep(now, ["here"]) == {"alerts_of_removed_channels": 1}
    assert await outbox.waiting("gone") == 1, "what is younger waits on"
    assert await store.exists(keys("channel", "gone"))
    assert await outbox.waiting("here") == 1, "a configured channel's alerts wait without end"

    assert await retention.sweep(now + 30 * DAY, ["here"]) == {"alerts_of_removed_channels": 1}
    assert await outbox.channels() == {"here"}
    left = [key.decode() async for key in store.scan_iter(keys("*gone*"))]
    assert left == [], "a removed channel leaves something behind"


async def test_verdicts_of_a_topic_are_bounded(
    store: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest verdicts of a topic are kept, and all go a year after the last one."""
    monkeypatch.setattr("monitor.alerting.feedback_store.KEEP_VERDICTS", 3)
    feedback = FeedbackStore(store, keys)
    for n in range(5):
        await feedback.add("talks", Verdict(f"s{n}", good=True, by="ann", at=float(n)))
    assert [verdict.story for verdict in await feedback.all("talks")] == ["s2", "s3", "s4"]
    assert 364 * DAY < await store.ttl(keys("feedback", "talks")) <= 365 * DAY


async def test_every_key_that_does_not_go_by_itself_says_how_large_it_gets() -> None:
    """A row of the table has a time to live or names its bound."""
    assert [rule.pattern for rule in TABLE if rule.goes != "ttl" and not rule.bound] == []


async def test_what_waits_for_triage_holds_polling_back_too(store: Redis, keys: Keys) -> None:
    """With triage away the vectors pile up only to `max_backlog`; then no feed is polled."""
    for stream, number in (("stories", 2), ("vectors", 3)):
        await apply(store, [["XADD", keys("stream", stream), "*", "x", n] for n in range(number)])
    claim = await FeedStore(store, keys).claim_due(1.0, 10, 30.0, spacing=1.0, max_backlog=3)
    assert claim.backlog == 5
    claim = await FeedStore(store, keys).claim_due(1.0, 10, 30.0, spacing=1.0, max_backlog=4)
    assert claim.backlog == 0


async def test_a_record_that_is_written_again_does_not_keep_its_hour(
    store: Redis, keys: Keys
) -> None:
    """The end of a bucket of the window is set by its first record, not by its last change."""
    archive = AnalysisStore(store, keys, keep=14 * DAY, window=3 * DAY)
    await apply(store, archive.window_commands("s1", 1_767_571_200.0, b"one", "model"))
    (bucket,) = [key async for key in store.scan_iter(keys("window", "*"))]
    assert 6 * DAY < await store.ttl(bucket) <= 6 * DAY + 7200
    await store.expire(bucket, 50)  # as if days had passed
    await apply(store, archive.window_commands("s1", 1_767_571_200.0, b"two", "model"))
    assert await store.ttl(bucket) <= 50
    assert await store.hgetall(bucket) == {b"s1": b"two"}
