"""`wirewatch feeds`: inspect, list, import, export, discover."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from feedlab import Publisher, rss

from monitor.cli.feed_lists import discover_feeds
from monitor.cli.feeds import feeds
from monitor.clock import ManualClock
from monitor.config.load import load_config
from monitor.config.schema import PollingSettings
from monitor.model import FeedState
from monitor.polling.feed_store import FeedStore
from monitor.polling.host_slot_store import HostSlot
from monitor.polling.poll_decision import PollDecision
from monitor.reasons import FetchReason
from monitor.store.client import connect
from monitor.store.embedded.server import EmbeddedStore
from monitor.store.keys import Keys

FEED = rss(("1", "Ferry sinks", "Thu, 01 Jan 2026 00:00:00 GMT"), ("2", "Port closed", ""))

AT_ONCE = "polling: {host_spacing: 1ms}\n"


def run(*arguments: str) -> Result:
    """Run `wirewatch feeds ...`."""
    return CliRunner().invoke(feeds, arguments, catch_exceptions=False)


@pytest.fixture
def site() -> Iterator[Publisher]:
    """A publisher on a thread of its own, for commands with an event loop of theirs."""
    publisher, loop = Publisher(), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(publisher.handle, "127.0.0.1", 0))
    publisher.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield publisher
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    server.close()
    loop.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration folder with two feeds."""
    (tmp_path / "feeds.yaml").write_text(
        "feeds:\n"
        "  - {id: paper, url: 'https://paper.example/rss', name: The Paper, tags: [world, asia]}\n"
        "  - {id: wire, url: 'https://wire.example/rss', tags: [wires]}\n"
    )
    (tmp_path / "topics.yaml").write_text("topics: [{id: ferries, name: Ferry accidents}]\n")
    (tmp_path / "wirewatch.yaml").write_text(f"store: {{data_dir: '{tmp_path / 'data'}'}}\n")
    return tmp_path


def test_inspect_prints_the_promised_shape(tmp_path: Path) -> None:
    """From a file: the feed, its entries with all eight fields, and warnings."""
    path = tmp_path / "feed.xml"
    path.write_text(FEED)
    data = json.loads(run("inspect", str(path), "--json", "--config", str(tmp_path)).output)
    assert set(data) == {"feed", "entries", "warnings"}
    assert data["feed"]["title"] == "The Paper"
    assert data["entries"][0] == {
        "id": "1",
        "title": "Ferry sinks",
        "link": "https://paper.example/1",
        "summary": "Report on Ferry sinks, as told by our desk this morning.",
        "content": "",
        "published": "2026-01-01T00:00:00Z",
        "author": "",
        "language": "",
    }
    assert data["entries"][1]["published"] is None


def test_inspect_fetches_as_the_poller_would(site: Publisher, tmp_path: Path) -> None:
    """From an address: the guard refuses loopback unless allowed, and problems are named."""
    site.serve("/feed", FEED)
    config = ("--config", str(tmp_path))
    refused = run("inspect", site.url(), "--json", *config)
    assert refused.exit_code == 1
    assert json.loads(refused.output)["error"]["reason"] == "blocked_address"
    allowed = run("inspect", site.url(), "--allow", "127.0.0.1", *config)
    assert allowed.exit_code == 0
    assert "Ferry sinks" in allowed.output
    assert run("inspect", "no-such-thing", *config).exit_code == 2


def test_list_shows_every_feed(folder: Path) -> None:
    """Feeds never polled are new; the table and the JSON hold one row for each."""
    rows = json.loads(run("list", "--json", "--config", str(folder)).output)
    assert [(row["id"], row["health"]) for row in rows] == [("paper", "new"), ("wire", "new")]
    assert "never" in run("list", "--config", str(folder)).output


def test_list_tells_how_each_feed_does(folder: Path, valkey_url: str, keys: Keys) -> None:
    """Share of unchanged polls, items a day and errors are those of the store; some need help."""
    now = time.time()
    well = FeedState("paper", "", version=1, polls=8, unchanged=6, started=now - 86400.0)
    rhythm = (5.0, *(0.0 for _ in range(167)))
    states = (
        replace(well, rhythm=rhythm, rhythm_at=now, last_success=now - 600.0, latency=0.25),
        FeedState("wire", "", version=1, polls=2, failures=2, last_reason="timeout"),
        FeedState("old", "", version=1, polls=3, ended=True, last_reason="gone"),
    )

    async def remember() -> None:
        client = connect(valkey_url)
        for state in states:
            decision = PollDecision(state=state, reason=FetchReason.OK)
            place = HostSlot(state.feed_id, "")
            assert await FeedStore(client, keys).commit(decision, 0, place, now=now, spacing=0.0)
        await client.aclose()

    asyncio.run(remember())
    with (folder / "feeds.yaml").open("a") as file:
        file.write("  - {id: old, url: 'https://old.example/rss'}\n")
    store = f"store: {{url: '{valkey_url}', prefix: {keys.prefix}}}\n"
    (folder / "wirewatch.yaml").write_text(store)
    rows = json.loads(run("list", "--json", "--config", str(folder)).output)
    assert [(row["id"], row["health"], row["unchanged_share"]) for row in rows] == [
        ("paper", "ok", 0.75),
        ("wire", "failing", 0.0),
        ("old", "ended", 0.0),
    ]
    assert rows[0]["items_per_day"] == pytest.approx(5.0, abs=0.2)
    assert rows[0]["latency_ms"] == 250
    failing = json.loads(run("list", "--json", "--failing", "--config", str(folder)).output)
    assert [row["id"] for row in failing] == ["wire", "old"]
    shown = run("list", "--config", str(folder)).output
    assert "10 min ago" in shown


def test_an_imported_list_gets_none_of_our_secrets(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables in a stranger's list stay the words they are, in addresses and in names."""
    monkeypatch.setenv("MY_SECRET", "canary-value")
    opml = folder / "list.opml"
    opml.write_text(
        "<opml version='2.0'><body><outline text='Evil ${MY_SECRET} $${x}' "
        "xmlUrl='https://evil.example/rss?t=${MY_SECRET}&amp;u=${UNSET}'/></body></opml>"
    )
    assert run("import", str(opml), "--config", str(folder)).exit_code == 0
    evil = load_config(folder).feeds[-1]
    assert evil.url == "https://evil.example/rss?t=${MY_SECRET}&u=${UNSET}"
    assert evil.name == "Evil ${MY_SECRET} $${x}"


def test_import_keeps_folders_as_tags_and_leaves_out_what_is_known(folder: Path) -> None:
    """The list becomes a feeds file; importing again imports nothing; export gives it back."""
    opml = folder / "my list.opml"
    opml.write_text(
        "<opml version='2.0'><body><outline text='Europe'><outline text='Baltic'>"
        "<outline text='Daily Port' type='rss' xmlUrl='https://port.example/rss'/></outline>"
        "<outline text='Known' xmlUrl='http://www.paper.example/rss'/></outline></body></opml>"
    )
    config = ("--config", str(folder))
    first = json.loads(run("import", str(opml), "--json", *config).output)
    assert (first["imported"], first["known"]) == (1, 1)
    written = (folder / "feeds" / "my-list.yaml").read_text()
    assert "https://port.example/rss" in written
    again = run("import", str(opml), "--as", "other", *config)
    assert "already configured" in again.output
    exported = run("export", *config).output
    assert "https://port.example/rss" in exported
    assert "europe" in exported
    assert "baltic" in exported


def test_export_leaves_out_passwords(folder: Path) -> None:
    """A subscription list is passed round; credentials are not."""
    (folder / "feeds.yaml").write_text("feeds: ['https://me:canary@paper.example/rss']\n")
    output = run("export", "--config", str(folder)).output
    assert "paper.example/rss" in output
    assert "canary" not in output


def test_real_lists_import(data_folder: Path, folder: Path) -> None:
    """A real OPML list of every country is taken over whole."""
    taken = 0
    for at, path in enumerate(sorted((data_folder / "opml").rglob("*.opml"))[:12]):
        result = run("import", str(path), "--as", f"n{at}", "--json", "--config", str(folder))
        taken += json.loads(result.output)["imported"]
    assert taken > 100
    assert f'"{"paper"}"' in run("list", "--json", "--config", str(folder)).output


def test_discover_finds_what_a_site_names(site: Publisher, tmp_path: Path) -> None:
    """Declared feeds and a news sitemap are found and read; dead links and pages are left out."""
    site.serve(
        "/",
        "<html><head><link rel='alternate' type='application/rss+xml' href='/feed'>"
        "<link rel='alternate' type='application/rss+xml' href='/dead'></head>"
        "<body><a href='/rss-info.html'>About RSS</a></body></html>",
    )
    site.serve("/feed", FEED)
    site.serve("/rss-info.html", "<html>What is RSS?</html>")
    site.serve("/robots.txt", f"User-agent: *\nSitemap: {site.url('/news.xml')}\n")
    site.serve(
        "/news.xml",
        "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' "
        "xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'><url>"
        "<loc>https://paper.example/1</loc><news:news><news:title>Ferry</news:title>"
        "<news:publication_date>2026-01-01</news:publication_date></news:news></url></urlset>",
    )
    (tmp_path / "wirewatch.yaml").write_text(AT_ONCE)
    options = ("--allow", "127.0.0.1", "--json", "--config", str(tmp_path))
    found = json.loads(run("discover", site.url("/"), *options).output)
    assert {row["url"].rsplit("/", 1)[1]: row["entries"] for row in found} == {
        "feed": 2,
        "news.xml": 1,
    }


async def test_discover_has_a_polls_manners(
    publisher: Publisher, settings: PollingSettings, clock: ManualClock
) -> None:
    """One host is asked for one thing at a time, spaced, the page itself once, robots.txt too."""
    spaced = settings.model_copy(update={"host_spacing": 2.0})
    links = "".join(f"<a href='/rss/{n}'>RSS</a>" for n in range(5))
    publisher.serve("/", f"<html><body>{links}</body></html>")
    publisher.serve("/rss/3", FEED)
    found, _ = await discover_feeds(publisher.url("/"), spaced, clock)
    assert [row["url"] for row in found] == [publisher.url("/rss/3")]
    asked = [request.path for request in publisher.asked]
    assert asked == ["/", "/robots.txt", *(f"/rss/{n}" for n in range(5))]
    times = [request.at for request in publisher.asked]
    assert all(later - sooner >= 2.0 for sooner, later in pairwise(times))


async def test_discover_stops_where_it_is_refused(
    publisher: Publisher, settings: PollingSettings, clock: ManualClock
) -> None:
    """After a 429 the site is asked for nothing more, and that is why nothing was found."""
    publisher.serve("/", "<html><body><a href='/rss/1'>RSS</a><a href='/rss/2'>RSS</a></body>")
    publisher.serve("/rss/1", "", status="429 Slow")
    found, problem = await discover_feeds(publisher.url("/"), settings, clock)
    assert found == []
    assert "429" in problem
    assert [request.path for request in publisher.asked] == ["/", "/robots.txt", "/rss/1"]


def test_discover_tries_the_usual_places_last(site: Publisher, tmp_path: Path) -> None:
    """A page that names nothing: /feed and its like; nothing at all: said so, exit code 1."""
    site.serve("/", "<html><body>Welcome</body></html>")
    (tmp_path / "wirewatch.yaml").write_text(AT_ONCE)
    options = ("--allow", "127.0.0.1", "--config", str(tmp_path))
    nothing = run("discover", site.url("/"), *options)
    assert nothing.exit_code == 1
    site.serve("/rss.xml", FEED)
    assert "/rss.xml" in run("discover", site.url("/"), *options, "--json").output


def test_people_may_poll_pause_and_resume_feeds(folder: Path) -> None:
    """A pause holds over polls and restarts, ends by itself or when told, and the list shows it."""

    async def due() -> tuple[dict[bytes, float], list[str]]:
        server = EmbeddedStore(str(folder / "data"))
        client = connect(await asyncio.to_thread(server.start))
        try:
            store, now = FeedStore(client, Keys()), time.time()
            config = load_config(folder)
            places = {feed.id: HostSlot(feed.id, "") for feed in config.feeds}
            await store.sync(config.feeds, places, now)
            claim = await store.claim_due(now + 5, 9, 0.0, spacing=0.0, max_backlog=99)
            rows = await client.zrange(Keys()("due"), 0, -1, withscores=True)
            return dict(rows), sorted(name for name, _ in claim.feeds)
        finally:
            await client.aclose()
            await asyncio.to_thread(server.stop)

    at = ("--config", str(folder))
    assert asyncio.run(due())[1] == ["paper", "wire"]
    assert "paper is paused until resumed" in run("pause", "paper", *at).output
    scores, claimed = asyncio.run(due())
    assert (scores[b"paper"], claimed) == (float("inf"), ["wire"])
    rows = json.loads(run("list", "--json", *at).output)
    assert [row["health"] for row in rows] == ["paused", "new"]
    assert "paper is polled again" in run("resume", *at).output
    assert "None of these feeds is paused" in run("resume", *at).output
    assert asyncio.run(due())[1] == ["paper", "wire"]
    run("pause", "paper", "--for", "1ms", *at)
    assert asyncio.run(due())[1] == ["paper", "wire"]
    assert "2 feeds are due now" in run("poll", *at).output
    assert 'no enabled feed "papr"' in run("poll", "papr", *at).output
