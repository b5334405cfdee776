"""A desk on a real store with a day's news of our own making, for the tests of its pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import uvicorn

from monitor.alerting.silences import Matcher, Silence
from monitor.clock import ManualClock
from monitor.config.schema import Config
from monitor.desk.app import create_app
from monitor.desk.guard import COOKIE
from monitor.desk.live import LiveHub
from monitor.desk.services import Services
from monitor.history.records import Action, StoryRecord
from monitor.model import Alert, Assignment, Receipt, Story
from monitor.reasons import AlertReason
from monitor.store.client import connect_blocking
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from tests.support.waiting import until
from workers.desk import listen

HOST = "http://desk.test"
HEADLINES = (
    ("Drones strike two power stations near Odesa, 200,000 homes dark", "critical", "energy"),
    ("Envoys meet in Geneva for a third round of talks on a ceasefire", "high", "talks"),
    ("Strait closed to tankers after a collision, harbour master says", "normal", "shipping"),
    ("Ministers agree on a price cap for gas from January", "low", "energy"),
)
HOSTILE = (
    "<script>alert('told')</script><img src=x onerror=alert(1)> Minister resigns",
    "Attack \u202egnip.exe\u202c reported \u200bat the border\x07",
    "محادثات السلام تستأنف في جنيف يوم الخميس",
    "A" * 10_000,
    "{{ 7 * 7 }} ${7*7} <%= 7*7 %> ' onmouseover='alert(1)",
)


def settings(keys: Keys, **desk: object) -> Config:
    """A configuration with topics, feeds and a channel."""
    return Config.model_validate(
        {
            "store": {"prefix": keys.prefix},
            "desk": desk,
            "topics": [
                {"id": "energy", "name": "Energy infrastructure strikes"},
                {"id": "talks", "name": "Talks on a ceasefire"},
                {"id": "shipping", "name": "Shipping & straits"},
            ],
            "feeds": [
                {"id": "example-world", "url": "https://news.example.org/rss", "name": "Example"},
                {"id": "coast", "url": "https://coast.example.org/rss", "name": "Coast Radio"},
            ],
            "channels": {"world": {"type": "slack", "token": "xoxb-1", "channel": "C0123ABCD"}},
        }
    )


def told(
    number: int, title: str, now: float, *, urgency: str = "normal", topic: str = "energy",
    event: str = "",
) -> Alert:  # fmt: skip
    """An alert on a story of its own."""
    at = now - 240.0 * number
    story = Story(
        id=f"s{number}", title=title, url=f"https://news.example.org/{number}",
        summary="The grid operator says repairs will take days. More than 200,000 homes are dark.",
        feed_id="example-world", source="Example World News", owner="example", language="en",
        published=at - 300, seen_at=at - 12,
    )  # fmt: skip
    return Alert(
        id=f"a{number}", topic=topic, topic_name=topic.title(), event=event or f"e{number}",
        reason=AlertReason.FIRST, story=story, score=0.83, line=0.6, urgency=urgency,
        evidence="Two power stations were hit.", nearest="Missiles damage a power plant",
        sources=("Example World News",), decided_at=at, parent=f"a{number}",
    )  # fmt: skip


class DeskWorld:
    """The desk, its store, and people who are signed in."""

    def __init__(self, store: Redis, url: str, keys: Keys, config: Config) -> None:
        self.store, self.url, self.keys, self.config = store, url, keys, config
        self.clock = ManualClock()
        self.blocking = connect_blocking(url)
        self.live = LiveHub(store, self.blocking, keys)
        self.desk = Services(
            lambda: self.config, store, keys, self.clock, Path("config"), self.live
        )
        self.app = create_app(self.desk)

    async def tell(self, *alerts: Alert, channel: str = "world") -> None:
        """Decide alerts as triage does, and deliver them as the notifier does."""
        now = self.clock.now()
        history = self.desk.history
        for alert in alerts:
            row = StoryRecord.of(
                alert.story,
                Assignment(alert.story.id, alert.event, novelty=alert.novelty),
                ((alert.topic, alert.reason.value),),
            )
            await apply(self.store, history.story_commands(alert.event, row))
        await apply(self.store, history.alert_commands(alerts, now))
        for alert in alerts:
            receipt = Receipt(f"{alert.id}@{channel}", channel, alert.decided_at + 2, ref="C1:1.2")
            await apply(self.store, history.sent_commands(alert, receipt))

    async def ordinary_day(self) -> None:
        """Fill the desk: several urgencies, an update, a copy, a silence, a claim."""
        now = self.clock.now()
        for number, (title, urgency, topic) in enumerate(HEADLINES):
            await self.tell(told(number, title, now, urgency=urgency, topic=topic))
        first = told(0, HEADLINES[0][0], now, urgency="critical")
        copy = replace(first.story, id="s0c", source="Coast Radio", seen_at=first.story.seen_at + 9)
        row = StoryRecord.of(
            copy, Assignment("s0c", "e0", copy_of="s0", copy_kind="exact"), (("energy", "copy"),)
        )
        await apply(self.store, self.desk.history.story_commands("e0", row))
        update = replace(
            first, id="a0u", reason=AlertReason.CORROBORATED, parent="a0", decided_at=now,
            story=replace(first.story, id="s0u", source="Harbour Daily", seen_at=now - 5,
                          title="Power stations near Odesa hit, grid operator confirms"),
            novelty="The grid operator confirms damage to two power stations.",
            sources=("Example World News", "Harbour Daily"),
        )  # fmt: skip
        await self.tell(update)
        await self.desk.history.claim("e1", "Anna", now)
        await self.desk.history.note("e1", Action("claim", "Anna", now, "is on it"))
        silence = Silence(
            "q1", (Matcher("topic", "shipping"),), now - 60, now + 7200, "Boris", "too noisy"
        )
        await self.desk.silences.add(silence, now)
        letter = (
            '{"stage":"notifier","why":"channel_gone","detail":"channel_not_found","at":%f,'
            '"notification":{"id":"x@world","channel":"world","kind":"notice","notice":"lost"}}'
        )
        await self.store.hset(self.keys("dead"), "notifier:x@world", letter % (now - 600))

    async def hostile(self) -> None:
        """Headlines that want to be more than text."""
        now = self.clock.now()
        for number, title in enumerate(HOSTILE):
            await self.tell(told(100 + number, title, now - number, topic="talks"))

    async def session(self, name: str = "Anna", role: str = "editor") -> str:
        """Sign someone in; return the session's secret."""
        session = await self.desk.sign_in.use_link(await self.desk.sign_in.make_link(name, role))
        assert session is not None
        return session

    async def someone(self, name: str = "Anna", role: str = "editor") -> httpx.AsyncClient:
        """Return the browser of someone who is signed in, as far as HTTP goes."""
        return self.browser(cookies={COOKIE: await self.session(name, role)})

    def browser(
        self, cookies: dict[str, str] | None = None, headers: dict[str, str] | None = None,
        peer: str = "127.0.0.1",
    ) -> httpx.AsyncClient:  # fmt: skip
        """Return a browser that sends Sec-Fetch-Site as one does, at an address of choice."""
        transport = httpx.ASGITransport(self.app, client=(peer, 40_000))
        sent = {"sec-fetch-site": "same-origin"} if headers is None else headers
        return httpx.AsyncClient(transport=transport, base_url=HOST, cookies=cookies, headers=sent)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve the desk on a real port; yield its address."""
        listener = listen(self.config.desk.model_copy(update={"port": 0}))
        server = uvicorn.Server(
            uvicorn.Config(self.app, log_config=None, access_log=False, lifespan="off",
                           timeout_graceful_shutdown=1)
        )  # fmt: skip
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        following = asyncio.create_task(self.live.run())
        await until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            self.live.close()
            server.should_exit = True
            await serving
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            listener.close()
