"""Tokens, passwords and webhook addresses: in no log, no state, no notice, no dead letter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.alerts import alert, config, note
from tests.support.http_sink import HttpSink
from tests.support.slack_faults import SlackFault
from tests.support.slack_standin import SlackStandin
from tests.support.smtp_standin import SmtpStandin

CANARY = "canary7f3a9c"


async def _stored(desk: Any) -> str:
    """Everything under the test's prefix, as one text."""
    parts = []
    async for key in desk.store.scan_iter(desk.keys("*")):
        kind = (await desk.store.type(key)).decode()
        if kind == "hash":
            parts.append(str(await desk.store.hgetall(key)))
        elif kind == "list":
            parts.append(str(await desk.store.lrange(key, 0, -1)))
        elif kind == "string":
            parts.append(str(await desk.store.get(key)))
        elif kind == "zset":
            parts.append(str(await desk.store.zrange(key, 0, -1)))
    return " ".join(parts)


@pytest.mark.parametrize("answer", ["closed", 400, 401, 404, 500])
async def test_no_channel_tells_its_secrets(
    desk: Any, capfd: pytest.CaptureFixture[str], answer: str | int
) -> None:
    """Whatever the far side answers, or if nothing does, the canary stays where it is."""
    async with HttpSink() as sink, SmtpStandin(login=("u", "other")) as smtp:
        port = sink.port if answer != "closed" else 9
        if answer != "closed":
            sink.faults.extend(SlackFault("status", status=int(answer)) for _ in range(200))
        base = f"127.0.0.1:{port}"
        channels = {
            "slack": {"type": "slack", "token": f"xoxb-{CANARY}", "channel": "C1",
                      "api_url": f"http://{base}/api/"},
            "hook": {"type": "slack_webhook", "url": f"http://{base}/services/{CANARY}"},
            "web": {"type": "webhook", "url": f"http://{base}/?token={CANARY}", "secret": CANARY},
            "any": {"type": "apprise", "url": f"json://user:{CANARY}@{base}/{CANARY}"},
            "mail": {"type": "email", "host": "127.0.0.1", "security": "none", "username": "u",
                     "port": smtp.port if answer != "closed" else 9, "password": CANARY,
                     "from": "a@example.org", "to": "b@example.org"},
        }  # fmt: skip
        settings = config(channels=channels)
        for name in channels:
            made = await desk(name, settings)
            await made.put(note(alert("one"), name), note(alert("two"), name))
            await made.run(20)
            assert (await made.outbox.state(name)).get("state") != "ok"
    stored = await _stored(made)
    assert "one@mail" in stored
    said = capfd.readouterr()
    for text in (stored, said.out, said.err):
        assert CANARY not in text


async def test_slack_says_what_is_wrong_without_the_token(
    desk: Any, slack: SlackStandin, capfd: pytest.CaptureFixture[str]
) -> None:
    """A token of another workspace is refused by name, and not repeated."""
    channel = {"type": "slack", "token": f"xoxb-{CANARY}", "channel": slack.channel,
               "api_url": slack.api_url}  # fmt: skip
    made = await desk("slack", config(channels={"slack": channel}))
    await made.put(note(alert("one"), "slack"))
    await made.run(5)
    assert "invalid_auth" in (await made.outbox.state("slack"))["detail"]
    assert CANARY not in await _stored(made) + "".join(capfd.readouterr())
