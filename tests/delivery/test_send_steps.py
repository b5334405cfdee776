"""The steps of a send, and the decision on what follows its result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from monitor.delivery.channel import SendResult
from monitor.delivery.channels.http import retry_after
from monitor.delivery.send_decision import (
    BROKEN_PAUSE,
    ChannelHealth,
    GiveUp,
    NextStep,
    RestChannel,
    Sent,
    TryAgain,
    next_step,
)
from monitor.reasons import DeliveryReason as Why
from tests.support.alerts import NOW, alert, config, note


def after(result: SendResult, *, resend: bool = False, **health: Any) -> NextStep:
    """What follows `result` of a first try at NOW."""
    return next_step(
        result,
        notification="a@world",
        channel="world",
        attempts=1,
        failing_since=0.0,
        resend=resend,
        unknown=0,
        resend_after=(),
        parts=1,
        health=ChannelHealth(**health),
        now=NOW,
    )


def test_a_result_decides_the_next_step() -> None:
    """Each kind of result leads to its own step, as the table of `send_decision` says."""
    assert after(SendResult("sent", Why.SENT)) == Sent()
    assert after(SendResult("refused", Why.REJECTED, "no")) == GiveUp(Why.REJECTED, "no")
    again = after(SendResult("retry", Why.SERVER_ERROR, "500"))
    assert isinstance(again, TryAgain) and again.marks["in_flight"] == ""
    unknown = after(SendResult("unknown", Why.TIMEOUT))
    assert isinstance(unknown, TryAgain)
    assert "in_flight" not in unknown.marks and "unknown" not in unknown.marks
    gone = after(SendResult("refused", Why.CHANNEL_GONE, whole_channel=True))
    assert isinstance(gone, RestChannel) and gone.broken and gone.wait >= BROKEN_PAUSE
    limited = after(SendResult("retry", Why.RATE_LIMITED, after=30.0, whole_channel=True))
    assert isinstance(limited, RestChannel) and not limited.broken
    assert (limited.wait, limited.health.failures) == (30.0, 0), "a rate limit is no failure"


def test_a_mark_stays_while_an_earlier_try_may_have_arrived() -> None:
    """A resend that surely failed does not clear the mark of the try before it."""
    step = after(SendResult("retry", Why.SERVER_ERROR), resend=True)
    assert isinstance(step, TryAgain) and "in_flight" not in step.marks


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("Thu, 01 Jan 2026 00:00:40 GMT", 40.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 1.0),
        ("soon", 1.0),
        ("", 1.0),
        ("999999999", 3600.0),
    ],
)
def test_retry_after_counts_from_the_clock_that_is_given(value: str, seconds: float) -> None:
    """Seconds or a date, from 1 s to an hour; a date counts from the given instant."""
    assert retry_after(value, NOW) == seconds


async def test_a_message_that_cannot_be_rendered_stops_no_other(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own rendering sets one message aside, named; the next one goes out."""
    world = await desk("world", config(channels={"world": {"type": "terminal"}}))
    render = world.channel.render

    def fail_on_one(notification: Any, context: Any) -> str:
        if notification.id == "one@world":
            raise KeyError("title")
        return str(render(notification, context))

    monkeypatch.setattr(world.channel, "render", fail_on_one)
    await world.put(note(alert("one"), "world"), note(alert("two"), "world"))
    await world.run(60)
    assert await world.store.hexists(world.keys("dead"), "notifier:one@world")
    assert await world.count(Why.RENDER_FAILED) == 1
    receipt = await world.outbox.receipt("two@world")
    assert receipt is not None and receipt.ref


async def test_an_endless_answer_is_not_read(desk: Any) -> None:
    """A webhook that answers without end costs its first kilobytes, and counts as sent."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
        try:
            while sent < 50_000_000:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    world = await desk("world", config(channels={"world": {"type": "webhook", "url": url}}))
    await world.put(note(alert("one"), "world"))
    await world.run(60)
    server.close()
    assert await world.count(Why.SENT) == 1
    assert sent < 20_000_000
