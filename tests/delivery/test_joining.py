"""Several topics on one event in one channel: one message that names them all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.delivery import digest
from monitor.delivery.delivery_status import delivery_status
from monitor.reasons import DeliveryReason
from tests.delivery.test_floods import MAIL
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import FIRST, UPDATE, alert, config, note
from tests.support.slack_faults import SlackFault
from tests.support.slack_rules import shown_text
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin

OTHER = replace(
    FIRST, id="b-first", topic="prisoners", topic_name="Prisoner swaps", parent="b-first",
    urgency="normal",
)  # fmt: skip
THIRD = replace(OTHER, id="c-first", topic="geneva", topic_name="Geneva", parent="c-first")


async def test_topics_on_one_event_make_one_message(desk: Any, slack: SlackStandin) -> None:
    """Three topics match one event: one message, the gravest first; all three count as told."""
    world = await desk("world", slack_config(slack))
    apart = alert("other", topic="prisoners", topic_name="Prisoner swaps")
    await world.put(*(note(one, "world") for one in (OTHER, THIRD, FIRST, apart)))
    await world.run(60)
    posts = slack.posts()
    assert len(posts) == 2, "one for the event, one for another event"
    (joint,) = [post for post in posts if "(other)" not in shown_text(post)]
    assert "US–Russia Ukraine talks · Prisoner swaps · Geneva" in shown_text(joint)
    assert sorted(slack.told()) == ["a-first", "b-first", "c-first", "other"]
    status = await delivery_status(world.outbox, "b-first@world")
    assert status is not None and (status.state, status.digest) == ("sent", "a-first@world")
    assert await world.count(DeliveryReason.JOINED) == 3
    assert await world.outbox.waiting("world") == 0


async def test_what_is_new_for_all_topics_is_one_reply(desk: Any, slack: SlackStandin) -> None:
    """An update on the event, for each of its topics, is one reply; the first message names all."""
    world = await desk("world", slack_config(slack))
    await world.put(note(FIRST, "world"), note(OTHER, "world"))
    await world.run(60)
    second = replace(
        UPDATE, id="b-update", topic=OTHER.topic, topic_name=OTHER.topic_name, parent=OTHER.id
    )
    await world.put(note(UPDATE, "world", "update"), note(second, "world", "update"))
    await world.run(60)
    (first,) = [post for post in slack.posts() if "thread_ts" not in post]
    replies = [post for post in slack.posts() if "thread_ts" in post]
    assert len(replies) == 1
    assert "US–Russia Ukraine talks · Prisoner swaps" in shown_text(first)
    assert sorted(slack.told()) == ["a-first", "a-update", "b-first", "b-update"]


async def test_a_joint_message_that_is_refused_is_kept_whole(
    desk: Any, slack: SlackStandin
) -> None:
    """A message that the service never takes becomes one dead letter with all its alerts."""
    world = await desk("world", slack_config(slack))
    slack.fail("chat.postMessage", *[SlackFault("error", error="invalid_blocks")] * 3)
    await world.put(note(FIRST, "world"), note(OTHER, "world"))
    await world.run(600)
    for name in ("a-first@world", "b-first@world"):
        status = await delivery_status(world.outbox, name)
        assert status is not None and status.state == "dead", name


async def test_a_mail_names_all_topics(desk: Any) -> None:
    """By mail as well: one message, both topics in its subject and text."""
    async with SmtpStandin() as smtp:
        settings = MAIL | {"port": smtp.port, "to": "a@x.example"}
        world = await desk("post", config(channels={"post": settings}))
        await world.put(note(FIRST, "post"), note(OTHER, "post"))
        await world.run(60)
        (taken,) = smtp.mails
        names = "US–Russia Ukraine talks · Prisoner swaps"
        assert names in taken.mail["Subject"]
        assert names in taken.mail.get_body(("plain",)).get_content()


async def test_an_update_waits_for_the_message_its_topic_went_into(
    desk: Any, slack: SlackStandin
) -> None:
    """While the joint message is put off, an update of any of its topics is put off as well."""
    world = await desk("world", slack_config(slack))
    members = [note(FIRST, "world"), note(OTHER, "world")]
    await world.put(*members)
    later = replace(digest.joined(members), due=world.clock.now() + 4)
    await world.outbox.fold(world.lease, members, [later], DeliveryReason.JOINED, 0.0)
    update = replace(UPDATE, id="b-update", topic=OTHER.topic, parent=OTHER.id)
    await world.put(note(update, "world", "update"))
    await world.run(3)
    assert slack.told() == []
    await world.run(60)
    assert slack.told() == ["a-first", "b-first", "b-update"]
    assert "thread_ts" in slack.posts()[-1]
