"""What the poller is built of: its settings are in force, its pushes and articles at work."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from email.utils import formatdate
from urllib.parse import parse_qs

import pytest
from feedlab import FeedRequest, Publisher, rss
from pollerlab import Start, config, until

from monitor.clock import ManualClock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.net.routes import Request
from monitor.polling.poll import longest
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from workers.poller import LEASE_MARGIN

pytestmark = pytest.mark.slow

RECENT = formatdate(time.time() - 600, usegmt=True)
ITEM = ("1", "Ferry sinks", RECENT)
CALLED = "https://desk.example/ww"
ARTICLE = "<html><body><article><h1>Port closed</h1>" + "".join(
    f"<p>Paragraph {n} says what happened at the port that night.</p>" for n in range(9)
)


async def test_one_host_is_asked_by_the_settings(
    publisher: Publisher,
    keys: Keys,
    settings: PollingSettings,
    store: Redis,
    start: Start,
    clock: ManualClock,
) -> None:
    """Claims and commits keep `host_spacing`, and no poll outlasts the lease of its claim."""
    go_on = asyncio.Event()

    async def slow(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    publisher.pages = {"/a": slow, "/b": slow}
    spaced = settings.model_copy(update={"host_spacing": 5.0})
    feeds = [FeedSource(id=name, url=publisher.url(f"/{name}")) for name in "ab"]
    running = start(config(keys, spaced, *feeds), clock)

    async def synced() -> bool:
        return await store.zcard(keys("due")) == 2

    async def asked() -> bool:
        return bool(publisher.asked)

    await until(synced)
    clock.advance(1.0)
    await until(asked)
    first = publisher.asked[0].path[1:]
    second = "b" if first == "a" else "a"
    assert await store.zscore(keys("due"), second) == clock.now() + 5.0
    assert await store.zscore(keys("due"), first) >= clock.now() + longest(spaced) + LEASE_MARGIN
    go_on.set()
    await until(lambda: running.polls(first))
    free = f"f {clock.now() + 5.0:.3f}"
    assert (await store.get(keys("host", "127.0.0.1"))).decode() == free


@pytest.mark.parametrize("said_in", ["header", "document"])
async def test_a_feed_with_a_hub_is_subscribed_and_pushed(
    publisher: Publisher, keys: Keys, settings: PollingSettings, start: Start, said_in: str
) -> None:
    """The hub is asked after the poll, verified over HTTP, and its push brings the next poll.

    That poll keeps the least interval of the feed.
    """
    hub, topic = publisher.url("/hub"), publisher.url("/topic")
    atom = "xmlns:a='http://www.w3.org/2005/Atom'"
    links = f"<a:link {atom} rel='hub' href='{hub}'/><a:link {atom} rel='self' href='{topic}'/>"
    if said_in == "document":
        publisher.serve("/feed", rss(ITEM, extra=links))
    else:
        publisher.serve("/feed", rss(ITEM), Link=f'<{hub}>; rel="hub", <{topic}>; rel="self"')
    publisher.serve("/hub", "", status="202 Accepted")
    reachable = settings.model_copy(update={"public_url": CALLED, "min_interval": 0.5})
    running = start(config(keys, reachable, FeedSource(id="paper", url=publisher.url())))

    async def subscription() -> dict[str, str]:
        bodies = [asked.body.decode() for asked in publisher.asked if asked.path == "/hub"]
        return {name: values[0] for name, values in parse_qs(bodies[0]).items()} if bodies else {}

    form = await until(subscription)
    assert form["hub.topic"] == topic
    path = form["hub.callback"].removeprefix(CALLED)
    handler = running.runtime.mounts.find(path)
    assert handler is not None
    query = {"hub.mode": "subscribe", "hub.topic": topic, "hub.challenge": "echo"}
    assert (await handler(Request("GET", path, query))).body == "echo"
    before = await running.polls("paper")
    signature = "sha256=" + hmac.new(form["hub.secret"].encode(), b"x", hashlib.sha256).hexdigest()
    await handler(Request("POST", path, {}, {"x-hub-signature": signature}, b"x"))

    async def again() -> bool:
        return await running.polls("paper") > before

    await until(again)


async def test_full_texts_are_read_where_a_feed_wants_them(
    publisher: Publisher,
    keys: Keys,
    settings: PollingSettings,
    store: Redis,
    start: Start,
) -> None:
    """A new story goes on its way with the text of its article's page."""
    publisher.serve("/feed", rss(ITEM))
    running = start(
        config(keys, settings, FeedSource(id="paper", url=publisher.url(), full_text=True))
    )
    await until(lambda: running.polls("paper"))
    text = rss(ITEM, ("2", "Port closed", RECENT))
    publisher.serve("/feed", text.replace("https://paper.example/2", publisher.url("/2")))
    publisher.serve("/2", ARTICLE)
    await running.again("paper")
    rows = await store.xrange(keys("stream", "stories"))
    stories = [json.loads(fields[b"story"]) for _, fields in rows]
    bodies = {story["title"]: story.get("body", "") for story in stories}
    assert "Paragraph 8" in bodies["Port closed"]
    assert "/1" not in [asked.path for asked in publisher.asked]
