"""Floods, ceilings and digests that are refused: few messages, fair among topics, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.delivery import digest
from monitor.delivery.delivery_status import delivery_status
from monitor.delivery.outbox import OutboxStore
from monitor.model import Alert
from monitor.reasons import DeliveryReason, SuppressionReason
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import FIRST, NOW, UPDATE, alert, config, note
from tests.support.http_sink import HttpSink
from tests.support.slack_faults import SlackFault
from tests.support.slack_rules import shown_text
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin

MAIL = {"type": "email", "host": "127.0.0.1", "security": "none", "from": "w@x.example"}


def flood(many: int, **changes: Any) -> list[Alert]:
    """So many alerts of one topic, each of an event of its own."""
    return [alert(f"n{number:04}", **changes) for number in range(many)]


@pytest.mark.parametrize("urgency", ["normal", "critical"])
async def test_a_flood_over_a_ceiling_is_ten_messages_and_a_digest(
    desk: Any, slack: SlackStandin, urgency: str
) -> None:
    """Hundreds of matches with `max_per_hour: 10`: ten messages at most, then one that counts."""
    topics = [{"id": FIRST.topic, "name": "talks", "alert": {"max_per_hour": 10}}]
    world = await desk("world", slack_config(slack, topics=topics))
    world.lease.seconds = 120.0  # nobody renews it while a step runs, as the notifier does
    await world.put(*(note(one, "world") for one in flood(300, urgency=urgency)))
    await world.run(120)
    assert len(slack.posts()) == 10
    wait = 3600 if urgency == "normal" else 300
    world.clock.advance(wait)
    await world.store.delete(world.keys("ceiling", "world", FIRST.topic))  # its hour is over
    await world.run(60)
    ten, (last,) = slack.posts()[:10], slack.posts()[10:]
    assert all(len(row["metadata"]["event_payload"]["alerts"]) == 1 for row in ten)
    said = shown_text(last)
    assert "hourly limit" in said and "and 270 more: US–Russia Ukraine talks 270" in said
    assert await world.outbox.waiting("world") == 0
    hidden = await delivery_status(world.outbox, "n0299@world")
    assert hidden is not None and hidden.state == "sent" and hidden.digest.startswith("digest-")


async def test_critical_takes_the_room_under_a_ceiling_first(
    desk: Any, slack: SlackStandin
) -> None:
    """Where the ceiling leaves room for some, critical alerts have it; the rest folds."""
    topics = [{"id": FIRST.topic, "name": "talks", "alert": {"max_per_hour": 3}}]
    world = await desk("world", slack_config(slack, topics=topics))
    calm, urgent = flood(5), [alert(f"c{n}", urgency="critical") for n in range(3)]
    await world.put(*(note(one, "world") for one in (*calm, *urgent)))
    await world.run(60)
    assert sorted(slack.told()) == ["c0", "c1", "c2"]


async def test_updates_count_against_the_ceiling(desk: Any, slack: SlackStandin) -> None:
    """A ceiling counts every message: an update over it waits like an alert."""
    topics = [{"id": FIRST.topic, "name": "talks", "alert": {"max_per_hour": 1}}]
    world = await desk("world", slack_config(slack, topics=topics))
    await world.put(note(FIRST, "world"), note(UPDATE, "world", "update"))
    await world.run(60)
    assert slack.told() == ["a-first"]
    assert await world.count(SuppressionReason.RATE_CEILING) == 1


async def test_one_topics_flood_leaves_room_for_the_others(desk: Any, slack: SlackStandin) -> None:
    """An alert behind a flood of another topic goes out by itself, at once; the flood is one."""
    world = await desk("world", slack_config(slack))
    await world.put(*(note(one, "world") for one in flood(500)))
    await world.put(note(alert("other", topic="ports", topic_name="Ports"), "world"))
    await world.run(5)
    assert len(slack.posts()) == 2 and "other" in slack.told()
    (digest,) = [row for row in slack.posts() if "Catching up" in shown_text(row)]
    assert "and 480 more" in shown_text(digest)


async def test_a_flood_that_trickles_in_is_gathered_too(desk: Any) -> None:
    """A server that takes each mail at once still gets few: the rest gathers by the minute."""
    async with SmtpStandin() as smtp:
        settings = MAIL | {"port": smtp.port, "to": "a@x.example"}
        mail = await desk("mail", config(channels={"mail": settings}))
        for one in flood(100):
            await mail.put(note(one, "mail"))
            await mail.run(1)
        await mail.run(120)
        assert len(smtp.mails) < 25
        assert await mail.outbox.waiting("mail") == 0


async def test_only_the_refused_part_of_a_digest_dies(desk: Any, slack: SlackStandin) -> None:
    """A digest that is refused for one of its alerts is split until only that one is set aside."""
    world = await desk("world", slack_config(slack))
    bad = alert("bad", story=replace(FIRST.story, title="Poison for the filter"))
    alerts = [*(alert(f"n{number}") for number in range(11)), bad]
    taken = slack.answer

    def refuse(method: str, request: Any, args: dict[str, Any]) -> Any:
        if method == "chat.postMessage" and "Poison" in str(args):
            return {"ok": False, "error": "invalid_blocks"}, 200, {}
        return taken(method, request, args)

    slack.answer = refuse  # type: ignore[method-assign]
    await world.put(*(note(one, "world") for one in alerts))
    await world.run(600)
    assert sorted(slack.told()) == sorted(f"n{number}" for number in range(11))
    assert await world.store.hkeys(world.keys("dead")) == [b"notifier:bad@world"]
    ends = {n: await delivery_status(world.outbox, f"{n}@world") for n in ("n0", "n10", "bad")}
    assert [end.state if end else "" for end in ends.values()] == ["sent", "sent", "dead"]


async def test_a_split_that_is_cut_short_loses_nothing(
    desk: Any, slack: SlackStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies while it splits a digest leaves the whole digest for the next one."""
    world = await desk("world", slack_config(slack))
    slack.fail("chat.postMessage", SlackFault("error", error="invalid_blocks"))
    await world.put(*(note(one, "world") for one in flood(12)))
    fold = OutboxStore.fold

    async def die(self: OutboxStore, lease: Any, members: Any, digests: Any, reason: str,
                  now: float) -> None:  # fmt: skip
        if reason == DeliveryReason.SPLIT:
            raise KeyboardInterrupt
        await fold(self, lease, members, digests, reason, now)

    monkeypatch.setattr(OutboxStore, "fold", die)
    with pytest.raises(KeyboardInterrupt):
        await world.run(60)
    monkeypatch.setattr(OutboxStore, "fold", fold)
    world.another()
    await world.run(600)
    assert sorted(slack.told()) == [one.id for one in flood(12)]


async def test_a_mail_server_that_never_answers_gets_three_copies_at_most(desk: Any) -> None:
    """With every answer after DATA lost, a mail is sent three times, then set aside."""
    async with SmtpStandin() as smtp:
        smtp.fail("DATA", *["drop"] * 50)
        settings = MAIL | {"port": smtp.port, "to": "a@x.example"}
        mail = await desk("mail", config(channels={"mail": settings}))
        await mail.put(note(FIRST, "mail"))
        await mail.run(48 * 3600)
        assert len(smtp.mails) == 3
        letter = await mail.store.hget(mail.keys("dead"), "notifier:a-first@mail")
        assert b"it may well have arrived" in letter


async def test_killed_again_and_again_a_mail_still_comes_three_times_at_most(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies after each send without recording it does not send for ever."""
    async with SmtpStandin() as smtp:
        settings = MAIL | {"port": smtp.port, "to": "a@x.example"}
        mail = await desk("mail", config(channels={"mail": settings}))
        await mail.put(note(FIRST, "mail"))

        async def die(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(mail.outbox, "done", die)
        for _ in range(6):
            mail.another()
            try:
                await mail.run(7200)
            except KeyboardInterrupt:
                continue
        assert len(smtp.mails) == 3


@pytest.mark.parametrize(
    "to",
    [
        "a@x.example, b@x.example",
        "a@x.example; b@x.example",
        ['"Desk, World" <a@x.example>; Night <b@x.example>'],
        ["a@x.example", "b@x.example"],
    ],
)
async def test_every_address_gets_the_mail(desk: Any, to: Any) -> None:
    """However several addresses are written, all get the mail; one refused stops no other."""
    async with SmtpStandin() as smtp:
        smtp.recipients["gone@x.example"] = "550 no such box"
        many = [*to, "gone@x.example"] if isinstance(to, list) else f"{to}, gone@x.example"
        settings = MAIL | {"port": smtp.port, "to": many}
        mail = await desk("mail", config(channels={"mail": settings}))
        await mail.put(note(FIRST, "mail"))
        await mail.run(60)
        (taken,) = smtp.mails
        assert taken.recipients == ("a@x.example", "b@x.example")


async def test_after_the_first_message_is_deleted_updates_begin_a_new_one(
    desk: Any, slack: SlackStandin
) -> None:
    """The next update names its topic in a message of its own, and later ones go under that."""
    world = await desk("world", slack_config(slack))
    await world.put(note(FIRST, "world"))
    await world.run(10)
    slack.rooms[slack.channel].messages.clear()
    await world.put(note(UPDATE, "world", "update"))
    await world.run(10)
    (new,) = slack.posts()
    assert "thread_ts" not in new and FIRST.topic_name in shown_text(new)
    later = replace(UPDATE, id="a-third", story_count=9)
    await world.put(note(later, "world", "update"))
    await world.run(10)
    assert slack.posts()[1]["thread_ts"] == new["ts"]
    assert await world.store.hlen(world.keys("dead")) == 0


async def test_apprise_makes_no_mention_and_no_link_of_a_feeds_words(desk: Any) -> None:
    """Nothing a feed says rings a bell or becomes a link; our own link stays one."""
    title = "@everyone <!channel> read [this](https://evil.example/x) at www.evil.example @here"
    story = replace(FIRST.story, title=title)
    async with HttpSink() as sink:
        url = f"json://127.0.0.1:{sink.port}/hook"
        world = await desk("world", config(channels={"world": {"type": "apprise", "url": url}}))
        await world.put(note(replace(FIRST, story=story), "world"))
        await world.run(10)
    said = sink.taken[0].body.decode()
    for word in ("@everyone", "@here", "<!channel", "](https", "https://evil", "www.evil"):
        assert word not in said
    assert "https://news.example.org/world" in said


@pytest.mark.parametrize(("alerts", "pages", "rest"), [(60, 3, 0), (100, 5, 0), (101, 1, 81)])
def test_a_flood_lists_every_alert_as_long_as_pages_suffice(
    alerts: int, pages: int, rest: int
) -> None:
    """Up to a hundred alerts are all named, page by page; of more, the best are named and the rest
    counted."""
    members = tuple(note(alert(f"n{at}"), "desk") for at in range(alerts))
    found = digest.fold(digest.Fold(members, "Many at once", flood=True), NOW)
    named = {one.id for page in found for one in page.alerts}
    assert (len(found), alerts - len(named)) == (pages, rest)
    assert found[-1].more.startswith(f"and {rest} more") is bool(rest)
