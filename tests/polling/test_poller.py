"""The poller end to end: a real publisher, a real store, real parser processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from email.utils import formatdate

import pytest
from feedlab import FeedRequest, Publisher, rss
from pollerlab import Start, config, handed_over, until

from monitor.clock import ManualClock
from monitor.config.schema import FeedSource, PollingSettings
from monitor.polling.feed_store import FeedStore
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.loglines import logged
from tests.support.waiting import hold_the_loop, takes
from workers.poller import TICK, ticking

pytestmark = pytest.mark.slow

RECENT = formatdate(time.time() - 600, usegmt=True)


async def test_a_new_item_becomes_a_story_once(
    publisher: Publisher, keys: Keys, settings: PollingSettings, start: Start
) -> None:
    """Baseline, new item, the same item again, an edit: the stream holds what it should."""
    items = [("1", "Ferry sinks", RECENT)]
    publisher.serve("/feed", rss(*items), ETag='"1"')
    running = start(config(keys, settings, FeedSource(id="paper", url=publisher.url())))

    async def baseline() -> list[str]:
        return await running.titles()

    assert await until(baseline) == ["Ferry sinks"]
    items.insert(0, ("2", "Port closed", RECENT))
    publisher.serve("/feed", rss(*items), ETag='"2"')
    await running.again("paper")
    await running.again("paper")
    assert await running.titles() == ["Ferry sinks", "Port closed"]
    assert publisher.asked[1].headers["if-none-match"] == '"1"'
    state = (await running.feeds.load_states(["paper"]))[0]
    assert (state.last_reason, state.unchanged) == ("unchanged", 1)


async def test_one_bad_feed_stops_no_other(
    publisher: Publisher, keys: Keys, settings: PollingSettings, start: Start
) -> None:
    """Hanging, hostile and absent feeds are named each; the good one is polled meanwhile."""

    async def hang(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        await writer.drain()
        await asyncio.Event().wait()

    publisher.pages["/hang"] = hang
    publisher.serve(
        "/author",
        "<!DOCTYPE rss><rss><channel><item><author>"
        + "a" * 90_000
        + "</author></item></channel></rss>",
    )
    publisher.serve("/wall", "<html><title>Just a moment...</title></html>")
    publisher.serve("/challenge", "", status="403 Forbidden", cf_mitigated="challenge")
    publisher.serve("/slow-down", "", status="429 Too Many", Retry_After="3600")
    publisher.serve("/gone", "", status="410 Gone")
    publisher.serve("/good", rss(("1", "Ferry sinks", RECENT)))
    quick = settings.model_copy(update={"timeout": 1.0, "parse_timeout": 0.5})
    names = ("hang", "author", "wall", "challenge", "slow-down", "gone", "good", "absent")
    feeds = [
        FeedSource(id=name, url=publisher.url(f"/{name}", f"127.0.0.{n + 1}"))
        for n, name in enumerate(names)
    ]
    running = start(config(keys, quick, *feeds, FeedSource(id="inside", url="http://10.0.0.1/")))

    async def all_polled() -> bool:
        states = await running.feeds.load_states([*names, "inside"])
        return all(state.polls for state in states)

    await until(all_polled)
    states = await running.feeds.load_states([*names, "inside"])
    reasons = {state.feed_id: state.last_reason for state in states}
    assert reasons == {
        "hang": "timeout",
        "author": "parse_timeout",
        "wall": "bot_wall",
        "challenge": "bot_wall",
        "slow-down": "rate_limited",
        "gone": "gone",
        "good": "ok",
        "absent": "client_error",
        "inside": "blocked_address",
    }
    assert await running.titles() == ["Ferry sinks"]


async def test_a_failed_poll_is_logged_with_its_trace(
    publisher: Publisher, keys: Keys, settings: PollingSettings, start: Start
) -> None:
    """The line of a poll that failed has an id, and another poll has another."""
    with logged() as lines:
        running = start(config(keys, settings, FeedSource(id="absent", url=publisher.url("/x"))))
        await until(lambda: running.polls("absent"))
        await running.again("absent")
        await running.stop()
    first, second = [line["trace"] for line in lines("poll_failed")]
    assert first != second
    assert len(first) == len(second) == 16, "samplers of traces go by 64 bits of their ids"


async def test_two_pollers_share_the_work(
    publisher: Publisher, keys: Keys, settings: PollingSettings, start: Start
) -> None:
    """Every feed is polled by one of them, every story handed over once."""
    feeds = []
    for n in range(30):
        publisher.serve(f"/{n}", rss((str(n), f"Headline number {n}", RECENT)))
        feeds.append(FeedSource(id=f"f{n}", url=publisher.url(f"/{n}", f"127.0.0.{n + 1}")))
    both = [start(config(keys, settings, *feeds)) for _ in range(2)]

    async def all_there() -> bool:
        return len(await both[0].titles()) >= 30

    await until(all_there)
    assert sorted(await both[0].titles()) == sorted(f"Headline number {n}" for n in range(30))
    assert len(publisher.asked) == 30


async def test_a_reload_takes_effect_live(
    publisher: Publisher, keys: Keys, settings: PollingSettings, start: Start
) -> None:
    """A feed added in the configuration is polled, one taken out is not, without a restart."""
    publisher.serve("/a", rss(("1", "Ferry sinks", RECENT)))
    publisher.serve("/b", rss(("2", "Port closed", RECENT)))
    a = FeedSource(id="a", url=publisher.url("/a"))
    b = FeedSource(id="b", url=publisher.url("/b", "127.0.0.2"))
    running = start(config(keys, settings, a))
    await until(lambda: running.polls("a"))
    await running.runtime.reload(config(keys, settings, b))
    await until(lambda: running.polls("b"))
    members = await running.store.zrange(keys("due"), 0, -1)
    assert members == [b"b"]


@pytest.mark.parametrize("lost", ["everything", "due times"])
async def test_polling_goes_on_when_the_store_comes_back_empty(
    publisher: Publisher,
    keys: Keys,
    settings: PollingSettings,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    """All keys gone, or only the due times: the feeds are polled again, and the log says so."""
    monkeypatch.setattr("workers.poller.RECONCILE_EVERY", 0.05)
    publisher.serve("/feed", rss(("1", "Ferry sinks", RECENT)))
    with logged() as lines:
        running = start(config(keys, settings, FeedSource(id="paper", url=publisher.url())))
        await until(lambda: running.polls("paper"))
        asked = len(publisher.asked)
        names = [key async for key in running.store.scan_iter(keys("*"))]
        await running.store.delete(*(names if lost == "everything" else [keys("due")]))
        await until(running.feeds.scheduled)
        await running.feeds.poll_now(["paper"], 0.0)

        async def again() -> bool:
            return len(publisher.asked) > asked

        await until(again)
        await running.stop()
    assert [line["feeds"] for line in lines("schedule_lost")] == [1]


async def test_due_times_of_a_wrong_clock_are_put_right_while_running(
    publisher: Publisher,
    keys: Keys,
    settings: PollingSettings,
    start: Start,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock jumps a day ahead, is put right, and the feed is due by its own interval again."""
    monkeypatch.setattr("workers.poller.RECONCILE_EVERY", 0.02)
    publisher.serve("/feed", rss(("1", "Ferry sinks", RECENT)))
    running = start(config(keys, settings, FeedSource(id="paper", url=publisher.url())), clock)

    async def due_in() -> float:
        return float(await running.store.zscore(keys("due"), "paper") or 0) - clock.now()

    await until(running.feeds.scheduled)
    clock.advance(86400.0 + 60)
    await until(lambda: running.polls("paper"))
    clock.advance(-86400.0)
    assert await due_in() > 86400

    async def soon() -> bool:
        return await due_in() < 1000

    await until(soon)


async def test_stopping_finishes_what_is_in_flight(
    publisher: Publisher, keys: Keys, settings: PollingSettings, start: Start
) -> None:
    """A poll that has begun is committed before the poller leaves."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    body = rss(("1", "Ferry sinks", RECENT)).encode()

    async def slow(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    publisher.pages["/feed"] = slow
    running = start(config(keys, settings, FeedSource(id="paper", url=publisher.url())))
    await asyncio.wait_for(asked.wait(), 20)
    running.runtime.stopping.set()
    go_on.set()
    await running.task
    assert await running.titles() == ["Ferry sinks"]


async def test_a_stop_in_the_middle_of_a_tick_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    """The scheduler ends a moment later; a tick that began meanwhile ended in a traceback."""
    for rounds in range(6):
        wake = asyncio.Event()
        with ticking(wake):
            await asyncio.wait_for(wake.wait(), 20)
            hold_the_loop(1.5 * TICK)  # the next tick is due in the loop's next round
            for _ in range(rounds):
                await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
    assert not [row.message for row in caplog.records if row.exc_info]


async def test_no_secret_reaches_the_store(
    publisher: Publisher, keys: Keys, settings: PollingSettings, start: Start
) -> None:
    """Credentials in the address and in headers are found in no key."""
    publisher.serve("/feed", rss(("1", "Ferry sinks", RECENT)), status="302 F", Location="/x")
    publisher.serve("/x", rss(("1", "Ferry sinks", RECENT)))
    feed = FeedSource.model_validate(
        {
            "id": "paper",
            "url": publisher.url().replace("http://", "http://desk:canary-one@"),
            "headers": {"X-Key": "canary-two"},
        }
    )
    running = start(config(keys, settings, feed))
    await until(lambda: running.polls("paper"))
    store = running.store
    async for key in store.scan_iter(keys("*")):
        assert b"canary" not in await store.dump(key)
    assert publisher.asked[0].headers["x-key"] == "canary-two"


POLLER = textwrap.dedent("""
    import asyncio, sys
    from monitor.config.schema import Config, FeedSource, PollingSettings, StoreSettings
    from monitor.observability import logs
    from monitor.store.client import connect
    from workers.poller import Poller
    from workers.runtime import Runtime
    logs.configure()
    url, prefix, feed = sys.argv[1:]
    settings = PollingSettings(allow_hosts=("127.0.0.0/8",), host_spacing=0, parser_processes=1)
    config = Config(store=StoreSettings(prefix=prefix), polling=settings,
                    feeds=(FeedSource(id="paper", url=feed, interval=1),))
    async def main():
        runtime = Runtime(config=config, store=connect(url), store_url=url)
        await Poller(runtime).run()
    asyncio.run(main())
""")


async def test_kill_9_at_any_point_loses_and_repeats_nothing(
    publisher: Publisher, keys: Keys, valkey_url: str, store: Redis
) -> None:
    """Sequence-numbered items, a poller killed again and again: each arrives exactly once."""
    feeds = FeedStore(store, keys)
    count = 0

    async def page(_: FeedRequest, writer: asyncio.StreamWriter) -> None:
        # Every answer brings one more item; the window is wide enough for what a kill delays.
        nonlocal count
        count += 1
        items = [(f"n{n}", f"Item number {n:05d}", RECENT) for n in range(count, -1, -1)][:400]
        body = rss(*items).encode()
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "%d"\r\n' % count)
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    publisher.pages["/feed"] = page
    arguments = [sys.executable, "-c", POLLER, valkey_url, keys.prefix, publisher.url()]
    process = subprocess.Popen(arguments)  # noqa: ASYNC220
    for round_ in range(6):
        target = count + 2
        async with asyncio.timeout(30):
            while count < target:
                await feeds.poll_now(["paper"], 0.0)
                await takes(0.01 + 0.004 * round_)
        os.kill(process.pid, signal.SIGKILL)  # between body and store, or after: by chance
        process.wait()
        await store.delete(keys("host", "127.0.0.1"))  # as when its lease has run out
        process = subprocess.Popen(arguments)  # noqa: ASYNC220
    before = await feeds.load_states(["paper"])
    async with asyncio.timeout(30):

        async def polled_again() -> bool:
            await feeds.poll_now(["paper"], 0.0)
            return (await feeds.load_states(["paper"]))[0].polls >= before[0].polls + 2

        await until(polled_again)
    process.terminate()
    process.kill()
    process.wait()
    titles = [story["title"] for story in await handed_over(store, keys)]
    assert len(titles) == len(set(titles))
    numbers = sorted(int(title.rsplit(" ", 1)[1]) for title in titles)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] == 0
    assert len(numbers) > 12
