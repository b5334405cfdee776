"""What goes wrong at the stand-ins for Slack and webhooks: refusals, 500s, answers lost."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict, deque
from dataclasses import dataclass, field

from aiohttp import web

POSTING = ("chat.postMessage", "webhook")


@dataclass(slots=True)
class SlackFault:
    """What goes wrong with a call.

    `kind`: "status" answers `status`; "error" answers ok=false with `error`; "drop" closes the
    connection without an answer; "hang" answers after `seconds`. `after` says that the call is
    carried out all the same, so the caller cannot know.
    """

    kind: str
    after: bool = False
    status: int = 500
    error: str = ""
    seconds: float = 30.0
    headers: dict[str, str] = field(default_factory=dict)


class SlackFaults:
    """The faults laid on a server: those waiting for a method's next calls, or at random.

    `rate` is the share of posts that go wrong by themselves.
    """

    def __init__(self) -> None:
        self.rate = 0.0
        self._waiting: dict[str, deque[SlackFault]] = defaultdict(deque)
        self._dice = random.Random(0)

    def lay(self, method: str, *faults: SlackFault) -> None:
        """Have the next calls of `method` go wrong, one fault a call."""
        self._waiting[method].extend(faults)

    def next(self, method: str) -> SlackFault | None:
        """Return what goes wrong with this call of `method`, or None."""
        if self._waiting[method]:
            return self._waiting[method].popleft()
        if self.rate and method in POSTING and self._dice.random() < self.rate:
            after = self._dice.random() < 0.5
            kind = self._dice.choice(("status", "drop", "ratelimited"))
            if kind == "ratelimited":
                return SlackFault("status", status=429, headers={"Retry-After": "1"})
            return SlackFault(kind, after=after, status=self._dice.choice((500, 502, 503)))
        return None


async def go_wrong(request: web.Request, fault: SlackFault) -> web.StreamResponse:
    """Answer as the fault has it."""
    if fault.kind == "error":
        return web.json_response({"ok": False, "error": fault.error}, headers=fault.headers)
    if fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
    if fault.kind in ("drop", "hang"):
        if request.transport is not None:  # else the caller has given up
            request.transport.abort()
        return web.Response()
    if fault.status == 429:
        answer = {"ok": False, "error": "ratelimited"}
        headers = {"Retry-After": "1"} | fault.headers
        return web.json_response(answer, status=429, headers=headers)
    return web.Response(status=fault.status, text="upstream trouble", headers=fault.headers)
