"""Subscriptions on their way: Slack's command, the store, the sender, the notifier."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from monitor.alerting.routing import notifications_for
from monitor.alerting.silence_store import SilenceStore
from monitor.alerting.subscription_store import MOST, MOST_EACH, SubscriptionStore
from monitor.alerting.subscriptions import people
from monitor.clock import ManualClock
from monitor.config.schema import Config
from monitor.config.subscription_schema import StoredSubscription
from monitor.delivery.channel import SendContext
from monitor.delivery.channel_registry import build
from monitor.delivery.outbox import OutboxStore
from monitor.reasons import AlertReason, DeliveryReason, SuppressionReason
from monitor.slack_app.actions import SlackInbound
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.delivery.test_notifier import running, runtime_for
from tests.delivery.test_slack_bot import slack_config
from tests.delivery.test_slack_inbound import SECRET, pressed, signed
from tests.support.alerts import FIRST, NOW, UPDATE, alert, note
from tests.support.slack_faults import SlackFault
from tests.support.slack_rules import check_message, shown_text
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin
from tests.support.waiting import until
from workers.notifier import ENDING, Notifier
from workers.overview import lines, overview
from workers.subscribers import Subscribers

TOPICS = [
    {"id": FIRST.topic, "name": FIRST.topic_name},
    {"id": "energy-strikes", "name": "Energy strikes"},
]
ANA, BEN = "dm.u0ana", "dm.u0ben"

Ask = Callable[..., Awaitable[str]]


def newsroom(slack: SlackStandin, **more: Any) -> Config:
    """One Slack channel with a signing secret, two topics."""
    parts = {"topics": TOPICS, "channel": {"signing_secret": SECRET}} | more
    settings: Config = slack_config(slack, **parts)
    return settings


@pytest.fixture
def ask(slack: SlackStandin, store: Redis, keys: Keys, clock: ManualClock) -> Ask:
    """Say something to `/wirewatch`, signed by Slack, and return the answer."""
    settings = newsroom(slack, subscriptions={"night": {"slack": "U0BEN", "paused": "22:00-06:00"}})

    async def status() -> list[str]:
        return []

    inbound = SlackInbound(lambda: settings, store, keys, clock, status)

    async def say(text: str, who: str = "U0ANA", name: str = "ana") -> str:
        form = {"command": "/wirewatch", "text": text, "user_id": who, "user_name": name}
        reply = await inbound.handle_slack(signed(urlencode(form).encode(), at=clock.now()))
        said = json.loads(reply.body)
        assert said["response_type"] == "ephemeral" and check_message(said) == []
        return str(said["text"])

    return say


async def _personal(desk: Any, settings: Config, store: Redis, keys: Keys, name: str = ANA) -> Any:
    """The sender of a person's channel, with the subscriptions as they are stored now."""
    now = await SubscriptionStore(store, keys).in_force(settings)
    return await desk(name, now, build(people(now)[name]))


async def test_three_subscriptions_of_one_editor(
    desk: Any, slack: SlackStandin, store: Redis, keys: Keys, ask: Ask
) -> None:
    """At once from a severity, a digest at hours of her own, and a topic paused for two days."""
    assert "`1` all from major at once" in await ask("subscribe all from major")
    assert "(UTC)" in await ask("subscribe us-* digest 8,18:00")
    assert "Subscribed" in await ask("subscribe energy-strikes paused 2026-01-01 to 2026-01-02")
    ana = await _personal(desk, newsroom(slack), store, keys)

    async def decided(name: str, severity: str, topic: str = FIRST.topic) -> None:
        found = notifications_for(
            ana.config, alert(name, severity=severity, topic=topic), ana.clock.now()
        )
        await ana.put(*(item for item in found if item.channel == ANA))

    await decided("grave", "major")
    await decided("minor", "notable")
    await decided("small", "routine")
    await decided("plant", "notable", "energy-strikes")
    await decided("grid", "routine", "energy-strikes")
    await ana.run(60)
    assert slack.told() == ["grave"], "at once, and by one message although two take it"
    await ana.run(8 * 3600)
    assert sorted(slack.told()[1:]) == ["minor", "small"]
    digest = slack.direct("U0ANA")[1]
    assert "Digest" in shown_text(digest)
    await decided("later", "notable")
    await ana.run(10 * 3600)
    assert slack.told()[3:] == ["later"]
    assert await ana.count(SuppressionReason.PAUSED) == 2
    await ana.run(datetime(2026, 1, 3, tzinfo=UTC).timestamp() - ana.clock.now() + 60)
    assert sorted(slack.told()[4:]) == ["grid", "plant"]
    assert "While you were away" in shown_text(slack.direct("U0ANA")[3])
    assert await ana.outbox.waiting(ANA) == 0 and slack.refusals == []


@pytest.mark.parametrize("done", ["subscribe resume", "unsubscribe all"])
async def test_what_a_pause_held_comes_when_it_is_taken_back(
    desk: Any, slack: SlackStandin, store: Redis, keys: Keys, ask: Ask, done: str
) -> None:
    """Back early, or gone for good: she gets what waited now, and not when the pause would end."""
    await ask("subscribe all paused 2026-01-01 to 2026-01-20")
    ana = await _personal(desk, newsroom(slack), store, keys)
    await ana.put(note(alert("a"), ANA), note(alert("b"), ANA))
    await ana.run(60)
    assert slack.told() == []
    await ask(done)
    ana.config = await SubscriptionStore(store, keys).in_force(ana.config)
    await ana.run(60)
    assert sorted(slack.told()) == ["a", "b"] and len(slack.direct("U0ANA")) == 1


async def test_nobody_touches_the_subscriptions_of_others(
    ask: Ask, store: Redis, keys: Keys
) -> None:
    """Each sees and ends only her own; those in YAML are shown and stay."""
    await ask("subscribe energy-* from flash in Europe/London")
    assert "You have no subscriptions" in await ask("subscriptions", "U0EVE")
    assert "You have no subscription" in await ask("unsubscribe 1", "U0EVE")
    assert "`1` energy-* from flash at once in Europe/London" in await ask("subscriptions")
    mine = await ask("subscriptions", "U0BEN")
    assert "`night` all at once paused 22:00-06:00" in mine and "wirewatch.yaml" in mine
    assert "stands in wirewatch.yaml" in await ask("unsubscribe night", "U0BEN")
    assert "You have that already" in await ask("subscribe Europe/London energy-* from flash")
    assert "Paused 22:00-07:00" in await ask("subscribe pause 22:00 - 7:00")
    assert "Paused 2026-02-01 to 2026-02-09" in await ask(
        "subscribe pause #1 2026-02-01 to 2026-02-09"
    )
    assert "paused 22:00-07:00 paused 2026-02-01" in await ask("subscriptions")
    assert "`1` energy-* from flash at once in" in await ask("subscribe resume")
    assert "does not belong to a pause" in await ask("subscribe pause 22:00-07:00 nightly")
    assert "write 22:00-07:00" in await ask("subscribe pause tomorrow")
    assert 'did you mean "energy-strikes"?' in await ask("subscribe enrgy-strikes")
    assert "subscribe all from major" in await ask("subscribe")
    assert "Say which" in await ask("unsubscribe")
    assert "still comes" in await ask("unsubscribe all")
    assert "You have no subscriptions" in await ask("unsubscribe all")
    (ended,) = (await SubscriptionStore(store, keys).all()).values()
    assert (ended.by, ended.via, ended.ended) == ("ana", "world", NOW)


async def test_they_are_bounded(ask: Ask, store: Redis, keys: Keys) -> None:
    """One person may have so many, all together so many; what is there stays."""
    kept = SubscriptionStore(store, keys)
    for hour in range(MOST_EACH):
        await kept.add(StoredSubscription(slack="U0ANA", digest=f"{hour:02}:00"))
    assert f"{MOST_EACH} subscriptions" in await ask("subscribe all")
    assert "Subscribed" in await ask("subscribe all", "U0BEN")
    for number in range(MOST - MOST_EACH - 1):
        await kept.add(StoredSubscription(slack=f"U{number:05}"))
    assert f"{MOST} subscriptions" in await ask("subscribe all", "U0NEW")
    assert len(await kept.all()) == MOST


async def test_a_row_that_cannot_be_read_stops_no_other(store: Redis, keys: Keys) -> None:
    """What a newer version stored is read as far as it goes; what is broken is left out."""
    kept = SubscriptionStore(store, keys)
    await kept.add(StoredSubscription(slack="U0ANA"))
    await store.hset(keys("subscriptions"), "#2", '{"slack":"U0BEN","colour":"red"}')
    await store.hset(keys("subscriptions"), "#3", '{"slack":')
    assert {one.slack for one in (await kept.all()).values()} == {"U0ANA", "U0BEN"}


async def test_the_page_shows_what_is_understood(ask: Ask) -> None:
    """Every command for Slack on the page for people does what it is there for."""
    page = (Path(__file__).parents[2] / "docs/how-to/subscriptions.md").read_text("utf-8")
    typed = re.findall(r"^/wirewatch (.+)$", page, re.MULTILINE)
    assert len(typed) == 9
    for text in typed:
        known = text.replace("undersea-*", "us-*").replace("shipping", "energy-strikes")
        answer = await ask(known.replace("Undersea cables", "Energy strikes"))
        good = ("Subscribed: `", "• `1`", "Paused", "No longer paused", "Ended")
        assert answer.startswith(good), f"{text}: {answer}"


# --- the sender of one person


async def test_updates_thread_and_edit_in_the_conversation(desk: Any, slack: SlackStandin) -> None:
    """A restarted sender puts an update under the first message, although it knows no room yet."""
    settings = newsroom(slack, subscriptions={"ana": {"slack": "U0ANA"}})
    ana = await desk(ANA, settings, build(people(settings)[ANA]))
    await ana.put(note(FIRST, ANA))
    await ana.run(10)
    ana.channel = build(people(settings)[ANA])
    ana.another()
    await ana.put(note(UPDATE, ANA, "update"))
    await ana.run(10)
    first, reply = slack.direct("U0ANA")
    assert reply["thread_ts"] == first["ts"] and "edited" in first
    assert slack.posts() == []
    receipt = await ana.outbox.receipt(f"a-update@{ANA}")
    assert receipt.note == "" and receipt.ref.startswith("D0ANA:")


@pytest.mark.parametrize(
    "fault",
    [
        SlackFault("status", status=500),
        SlackFault("status", status=429, headers={"Retry-After": "3"}),
        SlackFault("drop"),
        SlackFault("error", error="internal_error"),
        SlackFault("error", error="user_disabled"),
    ],
    ids=["500", "429", "drop", "internal", "disabled for a while"],
)
async def test_a_conversation_that_will_not_open(
    desk: Any, slack: SlackStandin, fault: SlackFault
) -> None:
    """Nothing was posted, so nothing is lost, and nothing is told twice."""
    settings = newsroom(slack, subscriptions={"ana": {"slack": "U0ANA"}})
    ana = await desk(ANA, settings, build(people(settings)[ANA]))
    slack.fail("conversations.open", fault)
    await ana.put(note(alert("one"), ANA), note(alert("two"), ANA))
    await ana.run(3600)
    assert slack.told() == ["one", "two"]
    assert await ana.count(DeliveryReason.RESENT) == 0 and await ana.outbox.waiting(ANA) == 0


async def test_an_app_from_before_may_post_to_people_all_the_same(
    desk: Any, slack: SlackStandin
) -> None:
    """Without the new scopes a direct message comes; only the look-up before a resend cannot."""
    slack.scopes -= {"im:write", "im:history"}
    settings = newsroom(slack, subscriptions={"ana": {"slack": "U0ANA"}})
    ana = await desk(ANA, settings, build(people(settings)[ANA]))
    await ana.put(note(alert("one"), ANA))
    await ana.run(60)
    assert slack.told() == ["one"]
    slack.fail("chat.postMessage", SlackFault("drop", after=True))
    await ana.put(note(alert("two"), ANA))
    await ana.run(3600)
    assert slack.told() == ["one", "two", "two"]
    assert await ana.count(DeliveryReason.RESENT) == 1


async def test_ceilings_hold_for_people(desk: Any, slack: SlackStandin) -> None:
    """`max_per_hour` of a topic counts for each person as for a channel."""
    topics = [TOPICS[0] | {"alert": {"max_per_hour": 2}}]
    settings = newsroom(slack, topics=topics, subscriptions={"ana": {"slack": "U0ANA"}})
    ana = await desk(ANA, settings, build(people(settings)[ANA]))
    await ana.put(*(note(alert(f"n{i}"), ANA) for i in range(6)))
    await ana.run(60)
    assert len(slack.told()) == 2
    assert await ana.count(SuppressionReason.RATE_CEILING) == 4
    ana.clock.advance(3600)
    await store_forgets_the_hour(ana)
    await ana.run(60)
    assert sorted(slack.told()) == [f"n{i}" for i in range(6)] and len(slack.direct("U0ANA")) == 3


async def store_forgets_the_hour(ana: Any) -> None:
    """The store's clock is not the test's: let the ceiling's hour be over."""
    await ana.store.delete(ana.keys("ceiling", ANA, FIRST.topic))


async def test_mail_goes_to_that_person_alone(desk: Any) -> None:
    """A subscription by mail goes by the newsroom's server, to one address."""
    async with SmtpStandin() as smtp:
        mail = {"type": "email", "host": "127.0.0.1", "port": smtp.port, "security": "none",
                "from": "Wirewatch <alerts@example.org>", "to": ["desk@example.org"]}  # fmt: skip
        settings = Config.model_validate(
            {
                "channels": {"desk": mail},
                "subscriptions": {"ben": {"mail": "ben@example.org", "digest": "06:00"}},
            }
        )
        ((name, channel),) = people(settings).items()
        ben = await desk(name, settings, build(channel))
        await ben.put(note(alert("a"), name), note(alert("b"), name))
        await ben.run(60)
        assert smtp.mails == []
        await ben.run(6 * 3600)
        (taken,) = smtp.mails
    assert taken.recipients == ("ben@example.org",) and "Digest" in str(taken.mail["Subject"])


async def test_a_button_in_a_conversation_concerns_that_person(
    desk: Any, slack: SlackStandin, store: Redis, keys: Keys, clock: ManualClock
) -> None:
    """Mute under a direct message silences it for her, and for nobody else."""
    settings = newsroom(slack, subscriptions={"ana": {"slack": "U0ANA"}})
    ana = await desk(ANA, settings, build(people(settings)[ANA]))
    await ana.put(note(FIRST, ANA))
    await ana.run(10)

    async def status() -> list[str]:
        return []

    inbound = SlackInbound(lambda: settings, store, keys, clock, status)
    payload = pressed(slack, "mute_event", slack.direct("U0ANA")[0])
    payload |= {"user": {"id": "U0ANA", "username": "ana"}, "channel": {"id": "D0ANA"}}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    assert (await inbound.handle_slack(signed(body, at=clock.now()))).status == 200
    (mute,) = await SilenceStore(store, keys).active(clock.now())
    assert mute.what == f"event={FIRST.event} channel={ANA}"
    await slack.until(lambda: len(slack.ephemeral) == 1)


def test_a_direct_message_reads_as_it_should(slack: SlackStandin, golden: Any) -> None:
    """What a person gets: that of a channel, with its buttons, and without anybody's mention."""
    settings = newsroom(
        slack,
        channel={"signing_secret": SECRET, "mention": ["@here"]},
        subscriptions={"ana": {"slack": "U0ANA"}},
    )
    grave = replace(FIRST, severity="major", gravest="major", urgency="critical")
    correction = replace(UPDATE, severity="notable", gravest="major", reason=AlertReason.CORRECTION)
    bot = build(people(settings)[ANA])
    shown = [
        bot.render(note(one, ANA, kind), SendContext(now=NOW))
        for one, kind in ((grave, "alert"), (correction, "update"))
    ]
    assert [check_message(message) for message in shown] == [[], []]
    golden("slack_direct.json", json.dumps(shown, indent=1, ensure_ascii=False) + "\n")


# --- the notifier


async def test_they_begin_and_end_without_a_restart(
    slack: SlackStandin, store: Redis, keys: Keys, ask: Ask
) -> None:
    """Stored while the notifier runs, a subscription is served; ended with an alert due, it is told
    all the same, and the person's channel goes only after that."""
    settings = newsroom(slack)
    outbox, kept = OutboxStore(store, keys), SubscriptionStore(store, keys)
    runtime = runtime_for(settings, store, keys)
    runtime.clock = clock = ManualClock()
    async with running(runtime) as notifier:
        await ask("subscribe all digest 08:00")
        await until(lambda: store.exists(keys("lease", "channel", ANA)))
        found = notifications_for(runtime.config, alert("late"), clock.now())
        await outbox.put([item for item in found if item.channel == ANA])
        await until_held(outbox)
        await ask("unsubscribe 1")
        await until(lambda: runtime.config.subscribed["#1"].ended > 0)
        assert notifications_for(runtime.config, alert("next"), clock.now())[-1].channel == "world"
        clock.advance(ENDING + 60)
        await notifier.forget_ended(clock.now())
        assert list(await kept.all()) == ["#1"], "something waits for her"
        clock.advance(9 * 3600)
        await slack.until(lambda: slack.told() == ["late"])

        async def gone() -> bool:
            clock.advance(1.0)
            served = await store.exists(keys("lease", "channel", ANA))
            return not served and await kept.all() == {}

        await until(gone)
    assert await outbox.waiting(ANA) == 0


async def until_held(outbox: OutboxStore) -> None:
    """Wait until the digest holds the alert."""

    async def held() -> bool:
        found = await outbox.pending(f"late@{ANA}")
        return found is not None and found.notification.held_for == DeliveryReason.DIGESTED

    await until(held)


async def test_somebody_without_a_route_stops_nobody_else(
    slack: SlackStandin, store: Redis, keys: Keys, clock: ManualClock
) -> None:
    """A person who left, and one Slack does not know: others are told, and `status` names both."""
    slack.people["U0BEN"] = "user_disabled"
    gone = {"ben": {"slack": "U0BEN"}, "who": {"slack": "U0WHO"}, "ana": {"slack": "U0ANA"}}
    settings = newsroom(slack, subscriptions=gone)
    runtime = runtime_for(settings, store, keys)
    outbox = OutboxStore(store, keys)
    async with running(runtime):
        await outbox.put(notifications_for(settings, FIRST, clock.now()))
        await slack.until(lambda: len(slack.posts()) >= 1 and len(slack.direct("U0ANA")) == 1)

        async def told() -> bool:
            return [row async for row in broken()] == ["user_disabled", "user_not_found"]

        async def broken() -> Any:
            for name in (BEN, "dm.u0who"):
                yield (await outbox.state(name)).get("detail")

        await until(told)
        await slack.until(lambda: len(slack.posts()) == 3)
        shown = lines(await overview(store, keys, runtime.config, clock.now()))
    assert f"channel {BEN}: broken:channel_gone: user_disabled, 1 waiting" in shown
    assert f"channel {ANA}: ok" in shown
    notices = [post["text"] for post in slack.posts() if "does not deliver" in post["text"]]
    assert any(BEN in text and "nothing is lost" in text for text in notices)


async def test_somebody_who_has_left_can_be_removed(
    slack: SlackStandin, store: Redis, keys: Keys, clock: ManualClock, ask: Ask
) -> None:
    """An ended subscription of somebody who cannot be reached is no trouble for ever."""
    await ask("subscribe all", "U0BEN")
    await ask("unsubscribe all", "U0BEN")
    runtime = runtime_for(newsroom(slack), store, keys)
    runtime.clock = clock
    outbox, notifier = OutboxStore(store, keys), Notifier(runtime)
    await outbox.put([note(FIRST, BEN)])
    await outbox.note_broken(BEN, DeliveryReason.CHANNEL_GONE, "user_disabled", clock.now())
    await Subscribers(runtime).follow()
    clock.advance(ENDING - 1)
    await notifier.forget_ended(clock.now())
    assert (await outbox.state(BEN))["detail"] == "user_disabled"
    clock.advance(2)
    await notifier.forget_ended(clock.now())
    assert await SubscriptionStore(store, keys).all() == {}
    assert await outbox.state(BEN) == {} and await outbox.waiting(BEN) == 1


async def test_a_reload_keeps_what_is_stored(
    slack: SlackStandin, store: Redis, keys: Keys, ask: Ask
) -> None:
    """New files do not make the service forget who subscribes in Slack."""
    await ask("subscribe all")
    runtime = runtime_for(newsroom(slack), store, keys)
    subscribers = Subscribers(runtime)
    await subscribers.follow()
    assert list(runtime.config.subscribed) == ["#1"]
    await runtime.reload(newsroom(slack).model_copy(update={"store": runtime.config.store}))
    assert list(runtime.config.subscribed) == ["#1"]
