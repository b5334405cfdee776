"""The feeds screen: polls, rhythm, remedies, pausing, a pasted address, lists in and out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.responses import Response

from monitor.config.load import examine
from monitor.config.opml import read_opml
from monitor.config.schema import PollingSettings
from monitor.health.feed_remedies import remedy
from monitor.model import FeedState
from monitor.polling.fetch_result import FetchResult
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.poll_decision import decide
from monitor.polling.recent_polls import KEPT, read_polls, with_poll
from monitor.reasons import FetchReason
from tests.desk.world import DeskWorld
from workers.http_server import serve

RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Coast &lt;b&gt;Radio</title>
<item><title>Ferry service resumes</title><link>https://coast.example.org/1</link>
<pubDate>Thu, 26 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>"""


async def polled(world: DeskWorld, *reasons: FetchReason) -> None:
    """Poll the feed `coast` so many times, each ending as said."""
    source = world.config.feeds[1]
    state = FeedState(source.id, "")
    await world.desk.feeds.sync([source], {source.id: HostSlot("h", "h")}, world.clock.now())
    for reason in reasons:
        now = world.clock.now()
        result = FetchResult(reason, "the server said no" if reason != "unchanged" else "")
        decision = decide(source, state, {}, result, now, PollingSettings())
        assert await world.desk.feeds.commit(
            decision, state.version, HostSlot("h", "h"), now=now, spacing=0.0
        )
        state = decision.state
        world.clock.advance(60)


async def test_the_strip_shows_how_polls_ended(world: DeskWorld) -> None:
    """Each of the last 48 polls is a bar; a failing feed has its error and what to do about it."""
    await polled(world, *[FetchReason.UNCHANGED] * 50, FetchReason.DNS_FAILED)
    async with await world.someone() as anna:
        page = (await anna.get("/feeds?q=coast")).text
    assert page.count('class="poll-same"') == KEPT - 1 and page.count('class="poll-bad"') == 1
    assert "1 of the last 48 polls failed" in page
    assert "dns failed: the server said no" in page and "check its spelling" in page


async def test_a_feed_is_paused_and_resumed(world: DeskWorld) -> None:
    """Paused it is due no more and says so; resumed it is due now. Readers cannot."""
    await polled(world, FetchReason.UNCHANGED)
    async with await world.someone() as anna:
        await anna.post("/feeds/pause", data={"feed": "coast"})
        page = (await anna.get("/feeds?q=coast")).text
        assert ">paused<" in page and 'action="/feeds/resume"' in page
        assert await world.store.zscore(world.keys("due"), "coast") == float("inf")
        await anna.post("/feeds/resume", data={"feed": "coast"})
    assert await world.store.zscore(world.keys("due"), "coast") == world.clock.now()
    assert await world.desk.feeds.paused() == {}


@asynccontextmanager
async def feed_of(world: DeskWorld) -> AsyncIterator[str]:
    """The address of a feed on this machine that the desk may look at."""
    listener, stopping = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    port = listener.getsockname()[1]
    app = Response(RSS, media_type="application/rss+xml")
    serving = asyncio.create_task(serve(app, listener, stopping, 10))
    polling = PollingSettings(allow_hosts=("127.0.0.1",), allow_ports=(port,))
    world.config = world.config.model_copy(update={"polling": polling})
    try:
        yield f"http://127.0.0.1:{port}/rss"
    finally:
        stopping.set()
        await serving


async def test_an_address_is_looked_at(world: DeskWorld) -> None:
    """What a poll would find is shown, and the lines to add it; nothing is stored."""
    async with feed_of(world) as url, await world.someone() as anna:
        before = {key async for key in world.store.scan_iter(world.keys("*"))}
        page = (await anna.post("/feeds/inspect", data={"url": url})).text
        assert {key async for key in world.store.scan_iter(world.keys("*"))} <= before
        assert "Ferry service resumes" in page and "<b>Radio" not in page
        assert f"- url: {url}" in page


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://169.254.169.254/latest", "file:///etc/passwd", ""]
)
async def test_no_way_inside_through_a_pasted_address(world: DeskWorld, url: str) -> None:
    """Internal addresses and other schemes are refused, as polls refuse them."""
    async with await world.someone() as anna:
        answer = await anna.post("/feeds/inspect", data={"url": url})
    assert answer.status_code == 400 or "Its newest entries" not in answer.text
    assert "root:" not in answer.text


async def test_lists_go_out_and_in(world: DeskWorld, tmp_path: Path) -> None:
    """What is exported can be read; an uploaded list becomes a file of the feeds that are new."""
    world.desk.folder = tmp_path
    async with await world.someone() as anna:
        out = await anna.get("/feeds.opml")
        outlines, _ = read_opml(out.content)
        assert {one.url for one in outlines} == {feed.url for feed in world.config.feeds}
        more = out.content.replace(
            b"</body>", b'<outline text="New" xmlUrl="https://new.example.org/rss"/></body>'
        )
        sent = {"opml": ("mine.opml", more, "text/xml")}
        answer = await anna.post("/feeds/opml", data={"name": "Our List"}, files=sent)
        assert answer.headers["location"] == "/feeds?done=imported"
        bad = await anna.post("/feeds/opml", files={"opml": ("x", b"<html/>", "text/xml")})
        assert bad.status_code == 400 and "not OPML" in bad.text
        outside = await anna.post(
            "/feeds/opml", data={"name": "../../etc/passwd"}, files={"opml": ("x", more)}
        )
        assert outside.status_code == 303
    (tmp_path / "topics.yaml").write_text("topics: []\n")
    read = examine(tmp_path).config.feeds
    assert {feed.url for feed in read} == {"https://new.example.org/rss"}
    assert {path.parent for path in tmp_path.rglob("*.yaml")} <= {tmp_path, tmp_path / "feeds"}


def test_every_failure_has_a_remedy() -> None:
    """Whatever reason a poll fails for, the page says what to do; a good poll needs nothing."""
    well = {FetchReason.OK, FetchReason.NOT_MODIFIED, FetchReason.UNCHANGED}
    assert all(remedy(reason) for reason in FetchReason if reason not in well)
    assert not any(remedy(reason) for reason in [*well, "unheard of"])


@given(some.lists(some.text(max_size=30), max_size=60))
def test_whatever_stands_in_the_state_is_read(stored: list[str]) -> None:
    """Unreadable polls are left out; one more is always kept, the oldest goes."""
    assert len(read_polls(stored)) <= KEPT
    kept = with_poll(stored, 1e9, "ok", 3)
    assert len(kept) <= KEPT and read_polls(kept)[-1].new == 3


def test_a_state_without_polls_is_a_state() -> None:
    """A feed whose state is from before this was kept has none."""
    assert read_polls(FeedState("a", "").recent) == ()
