"""A stand-in for Slack: a real HTTP and WebSocket server that keeps Slack's own rules.

It knows tokens and their scopes, channels by ID, people and the conversations with them (opened by
conversations.open; for posting alone, the person's own ID will do), message limits, one message a
second for each channel, threads, edits, message metadata in the history, incoming webhooks and the
handshake of Socket Mode. Faults can be laid on: refusals, 500s, answers lost after the message was
taken.

    async with SlackStandin() as slack:
        slack.api_url, slack.bot_token, slack.channel
        slack.fail("chat.postMessage", SlackFault("drop", after=True))
        slack.posts()          # what the newsroom sees

As a program: `python -m tests.support.slack_standin --port 8999` serves until stopped and prints
each message; `GET /_messages` gives them all as JSON.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import WSMsgType, web

from tests.support.slack_faults import SlackFault, SlackFaults, go_wrong
from tests.support.slack_rules import check_message, mentions


@dataclass(slots=True)
class Room:
    """One channel of the workspace."""

    id: str
    member: bool = True
    archived: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)
    allowance: float = 0.0
    counted_at: float = 0.0


class SlackStandin:
    """The server. Use as an async context manager, or `start()` and `stop()`.

    Args:
        per_second: messages a second for each channel; 0 for no limit.
        burst: how many at once before that counts.
        edit_window: seconds for which a message may be edited; 0 for ever.
        clock: time.
    """

    def __init__(
        self,
        per_second: float = 0.0,
        burst: int = 3,
        edit_window: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.bot_token = "xoxb-standin-0123456789"
        self.app_token = "xapp-standin-0123456789"
        self.signing_secret = "8f742231b10e8888abcd99yyyzzz85a5"
        self.scopes = {
            "chat:write", "channels:history", "connections:write", "im:write", "im:history",
        }  # fmt: skip
        self.revoked = False
        self.channel = "C0NEWSDESK"
        self.rooms: dict[str, Room] = {self.channel: Room(self.channel)}
        self.people: dict[str, str] = {"U0ANA": "", "U0BEN": ""}  # member ID → error on opening
        self.webhook_dead = False
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refusals: list[tuple[str, list[str]]] = []
        self.acks: list[dict[str, Any]] = []
        self.ephemeral: list[dict[str, Any]] = []
        self.faults = SlackFaults()
        self.per_second, self.burst, self.edit_window = per_second, burst, edit_window
        self._clock = clock
        self._last_ts = 0.0
        self._sockets: list[web.WebSocketResponse] = []
        self._runner: web.AppRunner | None = None
        self._changed = asyncio.Event()
        self.port = 0
        self.quiet = True

    # --- life

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen, on loopback unless told otherwise."""
        app = web.Application(client_max_size=10_000_000)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/services/{tail:.*}", self._webhook)
        app.router.add_post("/response/{tail:.*}", self._response_url)
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/_messages", self._dump)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        for socket in self._sockets:
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """What to configure as `api_url`."""
        return f"{self.url}/api/"

    @property
    def webhook_url(self) -> str:
        """An incoming webhook of the first channel."""
        return f"{self.url}/services/T000/B000/standinwebhooksecret"

    # --- what a test may ask and do

    def fail(self, method: str, *faults: SlackFault) -> None:
        """Have the next calls of `method` go wrong, one fault a call."""
        self.faults.lay(method, *faults)

    def posts(self, channel: str = "") -> list[dict[str, Any]]:
        """Return the messages of a channel as they stand now, oldest first."""
        return list(self.rooms[channel or self.channel].messages)

    def direct(self, person: str) -> list[dict[str, Any]]:
        """Return the messages of the bot's conversation with a person, oldest first."""
        room = self.rooms.get(_conversation(person))
        return list(room.messages) if room else []

    def told(self) -> list[str]:
        """Return the ids of alerts told; a duplicate stands twice."""
        return [
            alert
            for room in self.rooms.values()
            for row in room.messages
            for alert in (row.get("metadata") or {}).get("event_payload", {}).get("alerts", [])
        ]

    def notifications(self) -> list[str]:
        """Return the notification ids of all messages, in the order they were posted."""
        return [
            (row.get("metadata") or {}).get("event_payload", {}).get("id", "")
            for row in self.posts()
        ]

    async def until(self, condition: Callable[[], bool], seconds: float = 90.0) -> None:
        """Wait until `condition` holds; looked at after every change."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def push(self, kind: str, payload: dict[str, Any]) -> str:
        """Send an envelope over Socket Mode; return its id once a client is connected."""
        await self.until(lambda: any(not socket.closed for socket in self._sockets))
        envelope = str(uuid.uuid4())
        socket = next(socket for socket in self._sockets if not socket.closed)
        await socket.send_json(
            {
                "envelope_id": envelope,
                "type": kind,
                "payload": payload,
                "accepts_response_payload": kind == "slash_commands",
            }
        )
        return envelope

    # --- Web API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args = await _arguments(request)
        self.calls.append((method, args))
        self._changed.set()
        fault = self.faults.next(method)
        if fault is not None and not fault.after:
            return await go_wrong(request, fault)
        answer, status, headers = self.answer(method, request, args)
        self._changed.set()
        if fault is not None:
            return await go_wrong(request, fault)
        return web.json_response(answer, status=status, headers=headers)

    def answer(
        self, method: str, request: web.Request, args: dict[str, Any]
    ) -> tuple[dict[str, Any], int, dict[str, str]]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = token or str(args.get("token", ""))
        if not token:
            return {"ok": False, "error": "not_authed"}, 200, {}
        wanted = self.app_token if method == "apps.connections.open" else self.bot_token
        if token != wanted:
            code = "not_allowed_token_type" if token == self.app_token else "invalid_auth"
            return {"ok": False, "error": code}, 200, {}
        if self.revoked:
            return {"ok": False, "error": "token_revoked"}, 200, {}
        known = {
            "auth.test": ("", self._auth_test),
            "chat.postMessage": ("chat:write", self.post),
            "chat.update": ("chat:write", self._update),
            "chat.postEphemeral": ("chat:write", self._post_ephemeral),
            "conversations.open": ("im:write", self._open_direct),
            "conversations.history": ("channels:history", self._history),
            "conversations.replies": ("channels:history", self._replies),
            "apps.connections.open": ("connections:write", self._open_socket),
        }
        if method not in known:
            return {"ok": False, "error": "unknown_method"}, 200, {}
        scope, handler = known[method]
        if scope == "channels:history" and str(args.get("channel", "")).startswith("D"):
            scope = "im:history"
        if scope and scope not in self.scopes:
            refusal = {"ok": False, "error": "missing_scope", "needed": scope}
            return {**refusal, "provided": ",".join(sorted(self.scopes))}, 200, {}
        answer = handler(args)
        if answer.get("error") == "ratelimited":
            return answer, 429, {"Retry-After": str(answer.pop("after"))}
        return answer, 200, {}

    def _auth_test(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "team": "Stand-in", "user": "wirewatch", "user_id": "UBOT"}

    def _room(self, args: dict[str, Any]) -> Room | str:
        room = self.rooms.get(str(args.get("channel", "")))
        if room is None:
            return "channel_not_found"
        if room.archived:
            return "is_archived"
        return room if room.member else "not_in_channel"

    def _open_direct(self, args: dict[str, Any]) -> dict[str, Any]:
        person = str(args.get("users", ""))
        if person not in self.people:
            return {"ok": False, "error": "user_not_found"}
        if self.people[person]:
            return {"ok": False, "error": self.people[person]}
        room = self.rooms.setdefault(_conversation(person), Room(_conversation(person)))
        return {"ok": True, "channel": {"id": room.id}}

    def post(self, args: dict[str, Any]) -> dict[str, Any]:
        if args.get("channel") in self.people:  # to post, the person's own ID will do
            opened = self._open_direct({"users": args["channel"]})
            args = {**args, "channel": opened.get("channel", {}).get("id", "")}
        room = self._room(args)
        if isinstance(room, str):
            return {"ok": False, "error": room}
        if self._over_limit(room):
            return {"ok": False, "error": "ratelimited", "after": 1}
        wrong = check_message(args)
        if wrong:
            self.refusals.append(("chat.postMessage", wrong))
            code = wrong[0] if wrong[0] in ("no_text", "msg_too_long") else "invalid_blocks"
            return {"ok": False, "error": code, "response_metadata": {"messages": wrong}}
        thread = args.get("thread_ts")
        if thread and not any(row["ts"] == thread for row in room.messages):
            return {"ok": False, "error": "thread_not_found"}
        row = {
            "type": "message",
            "ts": self._ts(),
            "user": "UBOT",
            "text": args.get("text", ""),
            "blocks": args.get("blocks") or [],
            "mentions": mentions(args),
        }
        if args.get("metadata"):
            row["metadata"] = args["metadata"]
        if thread:
            row |= {"thread_ts": thread, "broadcast": bool(args.get("reply_broadcast"))}
        room.messages.append(row)
        self._say(row)
        return {"ok": True, "channel": room.id, "ts": row["ts"], "message": row}

    def _update(self, args: dict[str, Any]) -> dict[str, Any]:
        room = self._room(args)
        if isinstance(room, str):
            return {"ok": False, "error": room}
        found = next((row for row in room.messages if row["ts"] == args.get("ts")), None)
        if found is None:
            return {"ok": False, "error": "message_not_found"}
        if self.edit_window and self._clock() - float(found["ts"]) > self.edit_window:
            return {"ok": False, "error": "edit_window_closed"}
        wrong = check_message({**args, "metadata": args.get("metadata")})
        if wrong:
            self.refusals.append(("chat.update", wrong))
            return {"ok": False, "error": "invalid_blocks"}
        found |= {"text": args.get("text", ""), "edited": {"ts": self._ts()}}
        if "blocks" in args:
            found["blocks"] = args["blocks"]
        if "metadata" in args:  # left out, the message keeps what it had
            found["metadata"] = args["metadata"]
        return {"ok": True, "channel": room.id, "ts": found["ts"]}

    def _post_ephemeral(self, args: dict[str, Any]) -> dict[str, Any]:
        room = self._room(args)
        if isinstance(room, str):
            return {"ok": False, "error": room}
        self.ephemeral.append(args)
        return {"ok": True, "message_ts": self._ts()}

    def _history(self, args: dict[str, Any]) -> dict[str, Any]:
        room = self._room(args)
        if isinstance(room, str):
            return {"ok": False, "error": room}
        rows = [r for r in room.messages if not r.get("thread_ts") or r.get("broadcast")]
        return self._page(list(reversed(rows)), args)

    def _replies(self, args: dict[str, Any]) -> dict[str, Any]:
        room = self._room(args)
        if isinstance(room, str):
            return {"ok": False, "error": room}
        parent = [row for row in room.messages if row["ts"] == args.get("ts")]
        if not parent:
            return {"ok": False, "error": "thread_not_found"}
        rows = [row for row in room.messages if row.get("thread_ts") == args.get("ts")]
        return self._page(parent + rows, args)

    def _page(self, rows: list[dict[str, Any]], args: dict[str, Any]) -> dict[str, Any]:
        oldest = float(args.get("oldest") or 0)
        rows = [row for row in rows if float(row["ts"]) > oldest]
        start, limit = int(args.get("cursor") or 0), min(999, int(args.get("limit") or 100))
        page = [dict(row) for row in rows[start : start + limit]]
        if str(args.get("include_all_metadata", "")).lower() not in ("1", "true"):
            for row in page:
                row.pop("metadata", None)
        more = start + limit < len(rows)
        return {
            "ok": True,
            "messages": page,
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + limit) if more else ""},
        }

    def _open_socket(self, args: dict[str, Any]) -> dict[str, Any]:
        ticket = uuid.uuid4().hex
        return {"ok": True, "url": f"ws://127.0.0.1:{self.port}/socket?ticket={ticket}"}

    # --- Socket Mode, webhooks, response_url

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not request.query.get("ticket"):
            return web.Response(status=403)
        socket = web.WebSocketResponse(heartbeat=10)
        await socket.prepare(request)
        await socket.send_json(
            {"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0"}}
        )
        self._sockets.append(socket)
        self._changed.set()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.acks.append(json.loads(message.data))
                self._changed.set()
        return socket

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.next("webhook")
        if fault is not None and not fault.after:
            return await go_wrong(request, fault)
        room = self.rooms[self.channel]
        status, words = self._take_webhook(await request.read(), room)
        self._changed.set()
        if fault is not None:
            return await go_wrong(request, fault)
        headers = {"Retry-After": "1"} if status == 429 else {}
        return web.Response(status=status, text=words, headers=headers)

    def _take_webhook(self, raw: bytes, room: Room) -> tuple[int, str]:
        if self.webhook_dead:
            return 404, "no_service"
        if room.archived:
            return 410, "channel_is_archived"
        try:
            payload = json.loads(raw)
        except ValueError:
            return 400, "invalid_payload"
        if self._over_limit(room):
            return 429, "rate_limited"
        wrong = check_message(payload)
        if wrong or payload.get("thread_ts"):
            self.refusals.append(("webhook", wrong))
            return 400, "invalid_blocks" if wrong else "invalid_payload"
        row = {"type": "message", "ts": self._ts(), **payload, "mentions": mentions(payload)}
        row.pop("metadata", None)
        room.messages.append(row)
        self._say(row)
        return 200, "ok"

    async def _response_url(self, request: web.Request) -> web.StreamResponse:
        self.ephemeral.append(await request.json())
        self._changed.set()
        return web.json_response({"ok": True})

    async def _dump(self, request: web.Request) -> web.StreamResponse:
        rooms = {room.id: room.messages for room in self.rooms.values()}
        return web.json_response({"rooms": rooms, "refusals": self.refusals})

    # --- rules

    def _over_limit(self, room: Room) -> bool:
        if not self.per_second:
            return False
        now = self._clock()
        gained = (now - room.counted_at) * self.per_second
        room.allowance = min(float(self.burst), room.allowance + gained)
        if room.counted_at == 0.0:
            room.allowance = float(self.burst)
        room.counted_at = now
        if room.allowance < 1.0:
            return True
        room.allowance -= 1.0
        return False

    def _ts(self) -> str:
        self._last_ts = max(self._clock(), self._last_ts + 0.000_001)
        return f"{self._last_ts:.6f}"

    def _say(self, row: dict[str, Any]) -> None:
        if not self.quiet:
            print(("  ↳ " if row.get("thread_ts") else "") + row["text"], flush=True)


def _conversation(person: str) -> str:
    return f"D{person[1:]}"


async def _arguments(request: web.Request) -> dict[str, Any]:
    args: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json()
    elif request.method == "POST":
        args |= dict(await request.post())
    for name in ("blocks", "metadata"):
        if isinstance(args.get(name), str):
            args[name] = json.loads(args[name])
    return args


async def main(port: int, host: str) -> None:
    """Serve until stopped."""
    slack = SlackStandin(per_second=1.0)
    slack.quiet = False
    await slack.start(port, host)
    print(f"Slack stand-in: api_url {slack.api_url} token {slack.bot_token} {slack.channel}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8999)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    asyncio.run(main(options.port, options.host))
