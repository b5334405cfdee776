"""The Slack of a walk: the stand-in in a process of its own, and a person who writes in it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlencode

import httpx

from tests.docs.pages import ROOT
from tests.support.waiting import until

LIMIT = 60.0  # seconds: a limit on hangs
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # of a stand-in: it opens nothing
TOKEN = "xoxb-standin-0123456789"


class WalkSlack:
    """A workspace with one channel and Ana (U0ANA). Use as a context manager."""

    def __init__(self) -> None:
        self.port, self.http = _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = 0

    def __enter__(self) -> Self:
        program = [sys.executable, "-m", "tests.support.slack_standin", "--port", str(self.port)]
        self._process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.DEVNULL)
        _wait(lambda: self._messages() is not None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)

    @property
    def settings(self) -> dict[str, Any]:
        """What goes into wirewatch.yaml: the channel, and `/slack` over HTTP."""
        channel = {
            "type": "slack",
            "token": "${SLACK_BOT_TOKEN}",
            "signing_secret": "${SLACK_SIGNING_SECRET}",
            "channel": "C0NEWSDESK",
            "api_url": f"http://127.0.0.1:{self.port}/api/",
        }
        return {
            "channels": {"world-desk": channel},
            "route": {"to": ["terminal", "world-desk"]},
            "ops": {"http_port": self.http, "notices_to": ["world-desk"]},
        }

    @property
    def exported(self) -> dict[str, str]:
        """What the reader has in the environment."""
        return {"SLACK_BOT_TOKEN": TOKEN, "SLACK_SIGNING_SECRET": SECRET}

    def ask(self, text: str) -> list[str]:
        """Have Ana write `/wirewatch TEXT`; return the answer, which she alone sees."""
        form = {"command": "/wirewatch", "text": text, "user_id": "U0ANA", "user_name": "ana"}
        body = urlencode(form).encode()
        at = str(int(time.time()))
        digest = hmac.new(SECRET.encode(), f"v0:{at}:".encode() + body, hashlib.sha256)
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": at,
            "x-slack-signature": f"v0={digest.hexdigest()}",
        }
        url = f"http://127.0.0.1:{self.http}/slack"
        reply = httpx.post(url, content=body, headers=headers, timeout=LIMIT)
        return str(reply.json()["text"]).splitlines()

    def next_direct(self) -> list[str]:
        """Wait for Ana's next direct message; return its words."""
        _wait(lambda: len(self._direct()) > self._seen)
        message = self._direct()[self._seen]
        self._seen += 1
        return _words(message.get("blocks") or [])

    def _direct(self) -> list[dict[str, Any]]:
        return list((self._messages() or {}).get("D0ANA", []))

    def _messages(self) -> dict[str, Any] | None:
        try:
            reply = httpx.get(f"http://127.0.0.1:{self.port}/_messages", timeout=LIMIT)
        except httpx.TransportError:
            return None
        return dict(reply.json()["rooms"])


def _words(blocks: list[dict[str, Any]]) -> list[str]:
    """Return the text of a message's blocks, a line for each line that Slack shows."""
    rows: list[str] = []
    for block in blocks:
        if block["type"] == "actions":
            rows.append(" ".join(f"[{one['text']['text']}]" for one in block["elements"]))
            continue
        text = "".join(re.findall(r'"(?:text|fallback)": "((?:[^"\\]|\\.)*)"', json.dumps(block)))
        shown = str(json.loads(f'"{text}"'))
        rows += re.sub(r"<!date\^[^|>]*\|([^>]*)>", r"\1", shown).splitlines()
    return rows


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(condition: Callable[[], bool]) -> None:
    try:
        asyncio.run(until(condition, limit=LIMIT))
    except TimeoutError:
        raise SystemExit("what the walk waits for in Slack does not come") from None
