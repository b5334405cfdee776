"""What is held, folded and dropped on its way out, and that each of it is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from monitor.alerting.silences import Matcher, Silence
from monitor.clock import ManualClock
from monitor.delivery.outbox import OutboxStore
from monitor.reasons import DeliveryReason, SuppressionReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.delivery.test_notifier import runtime_for
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import FIRST, NOW, UPDATE, alert, note
from tests.support.loglines import logged
from tests.support.slack_faults import SlackFault
from tests.support.slack_rules import shown_text
from tests.support.slack_standin import SlackStandin
from workers.notifier import Notifier

NIGHT = {
    "time_intervals": {"nights": [{"start": "22:00", "end": "07:00"}]},
    "route": {"quiet_hours": ["nights"]},
}
MORNING = datetime(2026, 1, 1, 7, tzinfo=UTC).timestamp()  # the clock starts at midnight


async def test_quiet_hours_release_one_digest(desk: Any, slack: SlackStandin) -> None:
    """What comes at night is told at seven, in one message, best first; critical goes at once."""
    world = await desk("world", slack_config(slack, **NIGHT))
    await world.put(*(note(alert(f"n{i}"), "world") for i in range(4)))
    await world.put(note(alert("urgent", urgency="critical"), "world"))
    await world.run()
    assert slack.told() == ["urgent"]
    assert await world.count(SuppressionReason.QUIET_HOURS) == 4
    await world.run(MORNING - NOW - 1)
    assert slack.told() == ["urgent"]
    await world.run(60)
    assert len(slack.posts()) == 2 and sorted(slack.told()[1:]) == ["n0", "n1", "n2", "n3"]
    assert "Held during quiet hours" in shown_text(slack.posts()[1])
    assert await world.count(DeliveryReason.DIGESTED) == 4


async def test_a_single_held_alert_is_told_as_itself(desk: Any, slack: SlackStandin) -> None:
    """One alert held overnight is an alert in the morning, not a digest of one."""
    world = await desk("world", slack_config(slack, **NIGHT))
    await world.put(note(FIRST, "world"))
    await world.run(MORNING - NOW + 60)
    assert slack.told() == ["a-first"] and "Held" not in shown_text(slack.posts()[0])


async def test_a_long_night_makes_pages_in_one_thread(desk: Any, slack: SlackStandin) -> None:
    """More alerts than one message holds go on in its thread; none is left out."""
    world = await desk("world", slack_config(slack, **NIGHT))
    many = [alert(f"n{i:03}") for i in range(50)]
    await world.put(*(note(item, "world") for item in many))
    await world.run(MORNING - NOW + 60)
    assert sorted(slack.told()) == [item.id for item in many]
    first, *rest = slack.posts()
    assert len(rest) == 2 and {row["thread_ts"] for row in rest} == {first["ts"]}
    assert slack.refusals == []


async def test_scheduled_digests(desk: Any, slack: SlackStandin) -> None:
    """A route with a schedule tells at its hours only, and nothing waits from one to the next."""
    route = {"digest": {"cron": "0 6,18 * * *"}, "quiet_hours": ["nights"]}
    world = await desk("world", slack_config(slack, **{**NIGHT, "route": route}))
    await world.put(note(alert("a"), "world"), note(alert("b"), "world"))
    await world.run(6 * 3600 + 60)
    assert slack.told() == [], "at six it is still night"
    await world.run(3600)
    assert sorted(slack.told()) == ["a", "b"] and len(slack.posts()) == 1
    assert await world.outbox.last_digest("world") >= MORNING - 1


async def test_ceilings_fold_what_is_too_much(desk: Any, slack: SlackStandin) -> None:
    """Over `max_per_hour` a topic's alerts wait and go out as one digest when the hour is over."""
    topics = [{"id": FIRST.topic, "name": "talks", "alert": {"max_per_hour": 2}}]
    world = await desk("world", slack_config(slack, topics=topics))
    await world.put(*(note(alert(f"n{i}"), "world") for i in range(6)))
    other = alert("other", topic="another")
    await world.put(note(other, "world"))
    await world.run(60)
    assert len(slack.told()) == 3 and "other" in slack.told(), "other topics are not held"
    assert await world.count(SuppressionReason.RATE_CEILING) == 4
    world.clock.advance(3600)
    await world.store.delete(world.keys("ceiling", "world", FIRST.topic))  # its hour is over
    await world.run(60)
    assert sorted(slack.told()) == [f"n{i}" for i in range(6)] + ["other"]
    assert len(slack.posts()) == 4


async def test_silences_drop_and_say_so(desk: Any, slack: SlackStandin) -> None:
    """What is silenced is not told, is counted by its name, and its receipt says by whom."""
    world = await desk("world", slack_config(slack))
    event = Matcher.parse(f"event={FIRST.event}")
    mute = Silence("m1", (event,), NOW - 1, NOW + 3600, "ana", kind="mute")
    await world.silences.add(mute, NOW)
    await world.put(note(FIRST, "world"), note(alert("b"), "world"))
    await world.run(60)
    assert slack.told() == ["b"]
    assert await world.count(SuppressionReason.MUTED) == 1
    assert "m1 by ana" in (await world.outbox.receipt("a-first@world")).note


async def test_held_and_dropped_are_logged_with_the_trace(desk: Any, slack: SlackStandin) -> None:
    """Whoever follows a story through the log sees that it ended here, and why."""
    world = await desk("world", slack_config(slack, **NIGHT))
    mute = Silence("m1", (Matcher.parse("event=e-b"),), NOW - 1, NOW + 3600, "ana", kind="mute")
    await world.silences.add(mute, NOW)
    await world.put(*(replace(note(alert(name), "world"), trace=f"{name}1") for name in "ab"))
    with logged() as lines:
        await world.run()
    assert [(one["notification"], one["trace"]) for one in lines("held")] == [("a@world", "a1")]
    assert [(one["notification"], one["trace"]) for one in lines("dropped")] == [("b@world", "b1")]


async def test_an_update_waits_for_its_first_message(desk: Any, slack: SlackStandin) -> None:
    """An update is not told before the message it belongs under."""
    world = await desk("world", slack_config(slack))
    late = replace(note(FIRST, "world"), due=NOW + 4)
    await world.put(late, note(UPDATE, "world", "update"))
    await world.run(3)
    assert slack.told() == []
    await world.run(60)
    assert slack.told() == ["a-first", "a-update"]
    assert slack.posts()[1]["thread_ts"] == slack.posts()[0]["ts"]


async def test_an_update_without_a_first_message_stands_alone(
    desk: Any, slack: SlackStandin
) -> None:
    """Where the first alert went elsewhere, an update is a message, and later ones go under it."""
    world = await desk("world", slack_config(slack))
    await world.put(note(UPDATE, "world", "update"))
    await world.run(10)
    second = replace(UPDATE, id="a-second")
    await world.put(note(second, "world", "update"))
    await world.run(10)
    one, two = slack.posts()
    assert "thread_ts" not in one and two["thread_ts"] == one["ts"]


async def test_nothing_new_is_said_where_it_is_wanted(
    slack: SlackStandin, store: Redis, keys: Keys, clock: ManualClock
) -> None:
    """A digest plan with `say_nothing_new` says so once, and only when there was nothing."""
    plan = {"cron": "0 6 * * *", "say_nothing_new": True}
    runtime = runtime_for(slack_config(slack, route={"digest": plan}), store, keys)
    runtime.clock = clock
    outbox, notifier = OutboxStore(store, keys), Notifier(runtime)
    clock.advance(6 * 3600 + 15)
    for _ in range(3):
        await notifier.say_nothing_new(clock.now())
    (said,) = await outbox.read("world", clock.now(), 5)
    assert "Nothing new" in said.notification.notice
    clock.advance(86400)
    await store.set(keys("digest", "world"), clock.now() - 10)  # today there was something
    await notifier.say_nothing_new(clock.now())
    assert len(await outbox.read("world", clock.now(), 5)) == 1


async def test_a_clock_that_ran_ahead_puts_nothing_off(desk: Any, slack: SlackStandin) -> None:
    """A flood met a day ahead gathers until tomorrow; once the clock is right, all goes out."""
    world = await desk("world", slack_config(slack))
    ahead = 86400.0
    world.clock.advance(ahead)
    many = [alert(f"n{i:02}") for i in range(30)]
    await world.put(*(replace(note(item, "world"), due=world.clock.now()) for item in many[:20]))
    await world.run(20)
    late = [replace(note(item, "world"), due=world.clock.now()) for item in many[20:]]
    await world.put(*late)
    world.clock.advance(-ahead)
    await world.run(120)
    assert await world.outbox.waiting("world") == 0
    receipts = [await world.outbox.receipt(f"{item.id}@world") for item in many]
    assert [receipt.state for receipt in receipts if receipt] == ["sent"] * 30


async def test_a_rest_begun_by_a_clock_ahead_ends_when_it_is_right(
    desk: Any, slack: SlackStandin
) -> None:
    """A channel that was told to wait a minute does not wait a day; nor after a restart."""
    world = await desk("world", slack_config(slack))
    for restart in (False, True):
        world.clock.advance(86400.0)
        slack.fail(
            "chat.postMessage", SlackFault("status", status=429, headers={"Retry-After": "60"})
        )
        await world.put(replace(note(alert(f"r{restart}"), "world"), due=world.clock.now()))
        await world.run(5)
        world.clock.advance(-86400.0)
        if restart:
            await world.another().start()
        await world.run(70)
        assert slack.told()[-1] == f"r{restart}"


async def test_what_another_machine_put_off_is_found(desk: Any, slack: SlackStandin) -> None:
    """An alert written by a machine whose clock is a day ahead waits a minute, not a day."""
    world = await desk("world", slack_config(slack))
    await world.run()
    await world.put(replace(note(FIRST, "world"), due=NOW + 86400.0))
    for _ in range(8):
        await world.run(10)
    assert slack.told() == ["a-first"]
