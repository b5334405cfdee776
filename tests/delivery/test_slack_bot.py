"""A Slack channel through its own rules: posts, threads, edits, limits, and unknown outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from monitor.reasons import AlertReason, DeliveryReason
from tests.support.alerts import FIRST, UPDATE, alert, config, note
from tests.support.loglines import logged
from tests.support.slack_faults import SlackFault
from tests.support.slack_rules import shown_text
from tests.support.slack_standin import SlackStandin


def slack_config(slack: SlackStandin, **more: Any) -> Any:
    """A configuration whose channel `world` is the stand-in."""
    channel = {
        "type": "slack",
        "token": slack.bot_token,
        "channel": slack.channel,
        "api_url": slack.api_url,
    }
    return config(channels={"world": {**channel, **more.pop("channel", {})}}, **more)


async def test_an_alert_is_posted_once_and_recorded(desk: Any, slack: SlackStandin) -> None:
    """An alert reaches the channel with its metadata; the receipt names channel and timestamp."""
    world = await desk("world", slack_config(slack))
    assert await world.put(note(FIRST, "world")) == 1
    await world.run()
    assert slack.told() == ["a-first"]
    receipt = await world.outbox.receipt("a-first@world")
    assert receipt is not None and receipt.ref == f"{slack.channel}:{slack.posts()[0]['ts']}"
    assert await world.put(note(FIRST, "world")) == 0, "told once for ever"
    assert slack.refusals == []


async def test_updates_thread_and_edit_the_parent(desk: Any, slack: SlackStandin) -> None:
    """An update is a reply under the first message, which then shows the new number of sources."""
    world = await desk("world", slack_config(slack))
    await world.put(note(FIRST, "world"), note(UPDATE, "world", "update"))
    await world.run(60)
    parent, reply = slack.posts()
    assert reply["thread_ts"] == parent["ts"] and not reply["broadcast"]
    assert "3 independent sources" in shown_text(parent) and "edited" in parent
    assert "240 prisoners" in shown_text(reply)
    correction = replace(UPDATE, id="a-fix", reason=AlertReason.CORRECTION, sources=())
    await world.put(note(correction, "world", "update"))
    await world.run(60)
    text = shown_text(slack.posts()[0])
    assert "correction" in text and "3 independent sources" in text
    assert parent["metadata"]["event_payload"]["alerts"] == ["a-first"], "an edit keeps metadata"


async def test_a_critical_update_is_broadcast(desk: Any, slack: SlackStandin) -> None:
    """An update that escalates to critical is shown in the channel too."""
    world = await desk("world", slack_config(slack))
    await world.put(note(FIRST, "world"))
    await world.run(10)
    await world.put(note(replace(UPDATE, urgency="critical"), "world", "update"))
    await world.run(10)
    assert slack.posts()[1]["broadcast"]
    still = replace(UPDATE, id="a-still", urgency="critical")
    await world.put(note(still, "world", "update"))
    await world.run(10)
    assert not slack.posts()[2]["broadcast"], "told once that it is critical"
    assert shown_text(slack.posts()[0]).startswith("🔴"), "the first message shows it as well"


@pytest.mark.parametrize("refusal", ["edit_window_closed", "is_archived"])
async def test_a_refused_edit_costs_nothing(desk: Any, slack: SlackStandin, refusal: str) -> None:
    """When the first message cannot be edited any more, the reply is still posted, once."""
    world = await desk("world", slack_config(slack))
    await world.put(note(FIRST, "world"))
    await world.run(10)
    slack.fail("chat.update", SlackFault("error", error=refusal))
    await world.put(note(UPDATE, "world", "update"))
    await world.run(60)
    assert slack.told() == ["a-first", "a-update"]
    receipt = await world.outbox.receipt("a-update@world")
    assert refusal in receipt.note


@pytest.mark.parametrize("kind", ["drop", "status"])
@pytest.mark.parametrize("after", [True, False])
async def test_an_unknown_outcome_is_looked_up_before_a_resend(
    desk: Any, slack: SlackStandin, kind: str, after: bool
) -> None:
    """Whether the post arrived before the answer was lost or not, it stands there exactly once."""
    world = await desk("world", slack_config(slack))
    slack.fail("chat.postMessage", SlackFault(kind, after=after, status=500))
    await world.put(note(FIRST, "world"), note(alert("b"), "world"))
    await world.run(60)
    assert sorted(slack.told()) == ["a-first", "b"]
    found = await world.count(DeliveryReason.ALREADY_SENT)
    assert found == (1 if after else 0)
    assert await world.count(DeliveryReason.RESENT) == 0


async def test_a_delivery_found_out_later_is_logged_with_its_trace(
    desk: Any, slack: SlackStandin
) -> None:
    """The receipt of a send whose answer was lost closes the story's trace like any other."""
    world = await desk("world", slack_config(slack))
    slack.fail("chat.postMessage", SlackFault("drop", after=True))
    await world.put(replace(note(FIRST, "world"), trace="aa01"))
    with logged() as lines:
        await world.run(60)
    (line,) = lines("delivered")
    assert (line["reason"], line["trace"]) == (DeliveryReason.ALREADY_SENT, "aa01")


async def test_a_lost_reply_in_a_thread_is_found_there(desk: Any, slack: SlackStandin) -> None:
    """A reply whose answer was lost is looked for in its thread; the parent is edited still."""
    world = await desk("world", slack_config(slack))
    await world.put(note(FIRST, "world"))
    await world.run(10)
    slack.fail("chat.postMessage", SlackFault("drop", after=True))
    await world.put(note(UPDATE, "world", "update"))
    await world.run(60)
    assert slack.told() == ["a-first", "a-update"]
    assert "3 independent sources" in shown_text(slack.posts()[0])


async def test_a_killed_send_is_looked_up_by_the_next_process(
    desk: Any, slack: SlackStandin
) -> None:
    """A process that dies between post and record leaves a mark; its successor asks Slack first."""
    world = await desk("world", slack_config(slack))
    await world.put(note(FIRST, "world"))
    await world.outbox.begin(world.lease, note(FIRST, "world"), world.clock.now())
    from monitor.delivery.channel import SendContext

    context = SendContext(now=world.clock.now())
    message = world.channel.render(note(FIRST, "world"), context)
    await world.channel.send(message, note(FIRST, "world"), context)
    world.another()
    await world.run(60)
    assert slack.told() == ["a-first"]
    assert await world.count(DeliveryReason.ALREADY_SENT) == 1


async def test_without_history_scope_a_resend_is_marked_and_counted(
    desk: Any, slack: SlackStandin
) -> None:
    """Where Slack will not show its history, the message is sent again, and says so."""
    slack.scopes.discard("channels:history")
    world = await desk("world", slack_config(slack))
    slack.fail("chat.postMessage", SlackFault("drop", after=True))
    await world.put(note(FIRST, "world"))
    await world.run(60)
    assert slack.told() == ["a-first", "a-first"], "a duplicate, for nobody could know"
    assert await world.count(DeliveryReason.RESENT) == 1
    assert "sent again" in (await world.outbox.receipt("a-first@world")).note


async def test_retry_after_is_kept_and_survives_a_restart(desk: Any, slack: SlackStandin) -> None:
    """After a 429 the channel rests for as long as Slack asks, a restart notwithstanding."""
    world = await desk("world", slack_config(slack))
    slack.fail("chat.postMessage", SlackFault("status", status=429, headers={"Retry-After": "40"}))
    await world.put(note(FIRST, "world"), note(alert("b"), "world"))
    await world.run()
    await world.another().start()
    world.clock.advance(39)
    await world.run()
    assert slack.told() == []
    await world.run(10)
    assert slack.told() == ["a-first", "b"], "in the order they were decided"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("token_revoked", DeliveryReason.AUTH_REVOKED),
        ("missing_scope", DeliveryReason.AUTH_REVOKED),
        ("is_archived", DeliveryReason.CHANNEL_GONE),
        ("not_in_channel", DeliveryReason.CHANNEL_GONE),
    ],
)
async def test_a_broken_channel_is_named_and_told_elsewhere(
    desk: Any, slack: SlackStandin, fault: str, reason: DeliveryReason
) -> None:
    """A revoked token or an archived channel: named in the state, told once, nothing lost."""
    world = await desk("world", slack_config(slack, ops={"notices_to": ["desk-mail"]}))
    slack.fail("chat.postMessage", *[SlackFault("error", error=fault)] * 3)
    await world.put(note(FIRST, "world"), note(alert("b"), "world"))
    await world.run(100)
    state = await world.outbox.state("world")
    assert state["state"] == f"broken:{reason}" and fault in state["detail"]
    notices = await world.outbox.read("desk-mail", world.clock.now(), 10)
    assert len(notices) == 1 and fault in notices[0].notification.notice
    await world.run(2000)
    assert slack.told() == ["a-first", "b"]
    assert (await world.outbox.state("world"))["state"] == "ok"


async def test_a_message_slack_never_takes_becomes_a_dead_letter(
    desk: Any, slack: SlackStandin
) -> None:
    """One message that is refused for its own sake is set aside; the next one goes out."""
    world = await desk("world", slack_config(slack))
    slack.fail("chat.postMessage", SlackFault("error", error="invalid_blocks"))
    await world.put(note(FIRST, "world"), note(alert("b"), "world"))
    await world.run(60)
    assert slack.told() == ["b"]
    assert await world.store.hexists(world.keys("dead"), "notifier:a-first@world")
    assert await world.put(note(FIRST, "world")) == 0, "a dead letter is not told by accident"


async def test_a_flood_becomes_one_ranked_digest(desk: Any, slack: SlackStandin) -> None:
    """More alerts than a channel can take at a second each fold into one message, best first."""
    world = await desk("world", slack_config(slack))
    flood = [alert(f"n{i:02}", urgency="low" if i % 2 else "high") for i in range(15)]
    await world.put(*(note(item, "world") for item in flood))
    await world.put(note(alert("z-critical", urgency="critical"), "world"))
    await world.run(600)
    assert sorted(slack.told()) == sorted([*(item.id for item in flood), "z-critical"])
    digests = [m for m in slack.posts() if len(m["metadata"]["event_payload"]["alerts"]) > 1]
    assert len(digests) == 1 and slack.refusals == []
    urgencies = [int(name[1:]) % 2 for name in digests[0]["metadata"]["event_payload"]["alerts"]]
    assert urgencies == sorted(urgencies), "the urgent ones first"
    update = replace(UPDATE, event=flood[0].event, parent=flood[0].id)
    await world.put(note(update, "world", "update"))
    await world.run(60)
    assert slack.posts()[-1]["thread_ts"] == digests[0]["ts"], "updates go under the digest"
    assert await world.outbox.receipt("n00@world") is not None


async def test_a_connection_reset_while_writing_is_an_unknown_outcome(
    desk: Any, slack: SlackStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reset can be noticed after Slack has read it all: the history is asked, none told twice."""
    world = await desk("world", slack_config(slack))
    real, resets = AsyncWebClient.chat_postMessage, [True]

    async def post(self: AsyncWebClient, **call: Any) -> Any:
        reply = await real(self, **call)
        if resets:
            resets.pop()
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
        return reply

    monkeypatch.setattr(AsyncWebClient, "chat_postMessage", post)
    await world.put(note(FIRST, "world"))
    await world.run(60)
    assert slack.told() == ["a-first"]
    assert await world.count(DeliveryReason.ALREADY_SENT) == 1
