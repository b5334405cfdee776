"""One contract for every channel, over every failure.

A message whose send failed for certain is told once, later. One whose outcome is unknown is told
at least once; twice only where the service cannot be asked, and then it is counted as resent. A
refused message is set aside and the next one goes out; a broken channel loses nothing.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from monitor.config.schema import TerminalChannel
from monitor.delivery.channel import Channel
from monitor.delivery.channels.terminal import Terminal
from monitor.reasons import DeliveryReason
from tests.delivery.test_slack_bot import slack_config
from tests.support.alerts import alert, config, note
from tests.support.http_sink import HttpSink
from tests.support.slack_faults import SlackFault
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin


@dataclass(slots=True)
class ChannelService:
    """One kind of channel and the far side of it. `fail` lays one named failure on."""

    settings: Any
    came: Callable[[], list[str]]
    fail: Callable[[str], None]
    can_look: bool = False
    channel: Channel | None = None


HTTP_FAULTS = {
    "server_error": SlackFault("status", status=500),
    "rate_limited": SlackFault("status", status=429, headers={"Retry-After": "3"}),
    "lost_reply": SlackFault("drop", after=True),
    "lost_request": SlackFault("drop"),
    "refused_message": SlackFault("status", status=400),
    "gone": SlackFault("status", status=404),
    "revoked": SlackFault("status", status=403),
}
SLACK_FAULTS = HTTP_FAULTS | {
    "refused_message": SlackFault("error", error="invalid_blocks"),
    "gone": SlackFault("error", error="is_archived"),
    "revoked": SlackFault("error", error="token_revoked"),
}
SMTP_FAULTS = {
    "server_error": ("DATA", "451 4.3.0 try again"),
    "rate_limited": ("MAIL", "421 4.7.0 too many"),
    "lost_reply": ("DATA", "drop"),
    "refused_message": ("DATA", "554 5.7.1 looks like spam"),
    "gone": ("RCPT", "550 5.1.1 no such box"),
    "revoked": ("MAIL", "530 5.7.0 authentication required"),
}
# Apprise says yes or no and nothing more, so to it a lost reply and a refusal are the same "no".
CAN_FAIL = {
    "slack": SLACK_FAULTS,
    "slack_direct": SLACK_FAULTS,
    "slack_webhook": HTTP_FAULTS,
    "email": SMTP_FAULTS,
    "webhook": HTTP_FAULTS,
    "apprise": ("server_error", "rate_limited", "lost_request"),
    "terminal": ("server_error",),
}


@pytest.fixture(
    params=["slack", "slack_direct", "slack_webhook", "email", "webhook", "apprise", "terminal"]
)
async def service(request: pytest.FixtureRequest) -> AsyncIterator[ChannelService]:
    """Every channel in turn, with a real server behind it."""
    async with AsyncExitStack() as stack:
        yield await _MAKERS[request.param](stack)


async def _slack(stack: AsyncExitStack) -> ChannelService:
    slack = await stack.enter_async_context(SlackStandin())
    return ChannelService(
        slack_config(slack),
        slack.told,
        lambda kind: slack.fail("chat.postMessage", SLACK_FAULTS[kind]),
        can_look=True,
    )


async def _direct(stack: AsyncExitStack) -> ChannelService:
    """A person who subscribes: a Slack channel of one."""
    slack = await stack.enter_async_context(SlackStandin())
    return ChannelService(
        slack_config(slack, channel={"channel": "U0ANA"}),
        slack.told,
        lambda kind: slack.fail("chat.postMessage", SLACK_FAULTS[kind]),
        can_look=True,
    )


async def _webhook_of_slack(stack: AsyncExitStack) -> ChannelService:
    slack = await stack.enter_async_context(SlackStandin())
    return ChannelService(
        config(channels={"world": {"type": "slack_webhook", "url": slack.webhook_url}}),
        lambda: _names([row["text"] for row in slack.posts()]),
        lambda kind: slack.fail("webhook", HTTP_FAULTS[kind]),
    )


async def _mail(stack: AsyncExitStack) -> ChannelService:
    smtp = await stack.enter_async_context(SmtpStandin())
    settings = {
        "type": "email",
        "host": "127.0.0.1",
        "port": smtp.port,
        "security": "none",
        "from": "alerts@example.org",
        "to": "desk@example.org",
    }
    return ChannelService(
        config(channels={"world": settings}),
        lambda: [name.partition("@")[0] for name in smtp.told()],
        lambda kind: smtp.fail(*SMTP_FAULTS[kind]),
    )


async def _webhook(stack: AsyncExitStack) -> ChannelService:
    sink = await stack.enter_async_context(HttpSink())
    return ChannelService(
        config(channels={"world": {"type": "webhook", "url": sink.url, "secret": "canary"}}),
        lambda: [one.headers["webhook-id"].partition("@")[0] for one in sink.taken],
        lambda kind: sink.faults.append(HTTP_FAULTS[kind]),
    )


async def _apprise(stack: AsyncExitStack) -> ChannelService:
    sink = await stack.enter_async_context(HttpSink())
    url = f"json://127.0.0.1:{sink.port}/hook"
    return ChannelService(
        config(channels={"world": {"type": "apprise", "url": url}}),
        lambda: _names([one.body.decode() for one in sink.taken]),
        lambda kind: sink.faults.append(HTTP_FAULTS[kind]),
    )


class _ClosedOnce(io.StringIO):
    """A terminal whose pipe is closed for one write."""

    broken = 0

    def write(self, text: str) -> int:
        if self.broken and text:
            self.broken -= 1
            raise BrokenPipeError
        return super().write(text)


async def _terminal(stack: AsyncExitStack) -> ChannelService:
    out = _ClosedOnce()
    console = Console(file=out, width=120, highlight=False)

    def fail(kind: str) -> None:
        out.broken = 1

    return ChannelService(
        config(channels={"world": {"type": "terminal"}}),
        lambda: _names(out.getvalue().split("\n\n")),
        fail,
        channel=Terminal(TerminalChannel(type="terminal"), console),
    )


_MAKERS = {
    "slack": _slack,
    "slack_direct": _direct,
    "slack_webhook": _webhook_of_slack,
    "email": _mail,
    "webhook": _webhook,
    "apprise": _apprise,
    "terminal": _terminal,
}


def _names(texts: list[str]) -> list[str]:
    return [name for text in texts for name in ("one", "two", "three") if f"({name})" in text]


async def test_in_order_and_once(desk: Any, service: ChannelService) -> None:
    """Without failures every alert comes once, in the order decided, with a receipt."""
    world = await desk("world", service.settings, service.channel)
    await world.put(*(note(alert(name), "world") for name in ("one", "two", "three")))
    await world.run(60)
    assert service.came() == ["one", "two", "three"]
    for name in ("one", "two", "three"):
        assert await world.outbox.receipt(f"{name}@world") is not None
    assert await world.outbox.waiting("world") == 0
    assert (await world.outbox.state("world"))["state"] == "ok"


@pytest.mark.parametrize(
    ("service", "failure"),
    [(kind, failure) for kind, failures in CAN_FAIL.items() for failure in failures],
    indirect=["service"],
)
async def test_every_failure(desk: Any, service: ChannelService, failure: str) -> None:
    """Whatever goes wrong once, nothing is lost, and doubles only where nobody can know."""
    world = await desk("world", service.settings, service.channel)
    service.fail(failure)
    await world.put(*(note(alert(name), "world") for name in ("one", "two")))
    await world.run(3600)
    came = service.came()
    if failure == "refused_message":
        assert came == ["two"]
        assert await world.store.hexists(world.keys("dead"), "notifier:one@world")
    elif failure == "lost_reply" and not service.can_look:
        assert sorted(came) == ["one", "one", "two"]
        assert await world.count(DeliveryReason.RESENT) == 1
    else:
        assert sorted(came) == ["one", "two"]
        lost = failure == "lost_request" and not service.can_look
        known = await world.count(DeliveryReason.SENT) + await world.count(DeliveryReason.RESENT)
        found = await world.count(DeliveryReason.ALREADY_SENT)
        assert known + found == 2
        assert lost or await world.count(DeliveryReason.RESENT) == 0
    assert await world.outbox.waiting("world") == 0


async def test_a_killed_send(desk: Any, service: ChannelService) -> None:
    """A process that dies before its send leaves a mark; the alert is told once all the same."""
    world = await desk("world", service.settings, service.channel)
    await world.put(note(alert("one"), "world"))
    await world.outbox.begin(world.lease, note(alert("one"), "world"), world.clock.now())
    world.another()
    await world.run(60)
    assert service.came() == ["one"]
    receipt = await world.outbox.receipt("one@world")
    assert receipt.attempts == 2
    assert ("sent again" in receipt.note) is not service.can_look


async def test_digests_and_notices_too(desk: Any, service: ChannelService) -> None:
    """Every channel takes a digest and a word from operations as well as an alert."""
    from monitor.delivery.digest import Fold, fold
    from monitor.model import Notification

    world = await desk("world", service.settings, service.channel)
    members = [note(alert(name), "world") for name in ("one", "two", "three")]
    notice = Notification("n@world", "world", "notice", notice="Feed x is silent.")
    await world.put(*fold(Fold(tuple(members), "Held during quiet hours"), 0.0), notice)
    await world.run(60)
    assert await world.outbox.waiting("world") == 0
    assert await world.outbox.receipt("n@world") is not None
    assert await world.outbox.receipt("two@world") is not None
