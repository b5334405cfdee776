"""A store that has lost what it held says so: in the log, in the notices and in `status`."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.errors import StoreError
from monitor.health.rules import Kind, feeds_unscheduled
from monitor.health.watch_store import WatchStore
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.embedded.server import EmbeddedStore
from monitor.store.keys import Keys
from workers.installation import Installation, Mark, lost


async def test_a_store_emptied_while_we_run_is_noticed_once(
    store: Redis, keys: Keys, clock: ManualClock
) -> None:
    """FLUSHALL, or a new server under the old address: said, remembered, and not said again."""
    watch = WatchStore(store, keys)
    installation = Installation(watch, clock.now)
    assert await installation.look() == ""
    await store.delete(keys("installation"))
    assert "was emptied" in await installation.look()
    told = await watch.loss()
    assert told is not None and told[1] == clock.now()
    assert await installation.look() == ""


async def test_a_start_on_an_emptied_store_is_noticed(
    store: Redis, keys: Keys, clock: ManualClock, tmp_path: Path
) -> None:
    """The volume was lost between two runs; the mark beside the data says that it was not new."""
    watch = WatchStore(store, keys)
    assert await Installation(watch, clock.now, tmp_path).look() == ""
    clock.advance(3600)
    assert await Installation(watch, clock.now, tmp_path).look() == "", "a restart is no loss"
    await store.delete(keys("installation"))
    clock.advance(3600)
    said = await Installation(watch, clock.now, tmp_path).look()
    assert "was emptied" in said and "60 minutes ago" in said


@pytest.mark.parametrize(
    ("keys", "hours", "started", "run", "is_lost"),
    [
        (9_943, 0.1, True, "r2", True),  # half of an append-only file
        (9_943, 0.1, True, "", True),
        (9_943, 0.1, False, "r2", True),  # a shared store that came back while we ran
        (9_943, 0.1, False, "r1", False),  # the same server: nothing goes but by itself
        (9_943, 0.1, False, "", False),  # it does not say
        (19_000, 0.1, True, "r2", False),
        (9_943, 100.0, True, "r2", False),  # what lapsed while we did not run
    ],
)
def test_a_store_that_came_back_half_is_noticed(
    keys: int, hours: float, started: bool, run: str, is_lost: bool
) -> None:
    """Two thirds of the keys are missing since minutes ago: that is no lapse."""
    known = Mark("m", 20_000, 1_000_000.0, "r1")
    seen = Mark("m", keys, 1_000_000.0 + hours * 3600, run)
    assert ("part of its data" in lost(known, seen, started=started)) is is_lost


async def test_a_shared_store_that_restarts_with_half_its_keys_is_noticed(tmp_path: Path) -> None:
    """No file of ours lies beside it: the stages that go on running have seen what it held."""
    clock, keys = ManualClock(1_000_000.0), Keys()
    server = EmbeddedStore(tmp_path / "data")
    client = connect(server.start())
    watch = Installation(WatchStore(client, keys), clock.now)
    for number in range(1_000):
        await client.set(keys("story", str(number)), "x")
    assert await watch.look() == ""
    await client.delete(*(keys("story", str(number)) for number in range(600)))
    server.stop()
    server.start()
    try:
        assert "part of its data" in await watch.look()
        assert await watch.look() == "", "said once"
    finally:
        await client.aclose()
        server.stop()


def test_feeds_without_a_due_time_are_no_health() -> None:
    """Nothing is overdue where nothing is due; that feeds are configured makes it a finding."""
    found = feeds_unscheduled(4, 0)
    assert found is not None and found.kind is Kind.FEEDS_UNSCHEDULED
    assert "4 of 4 feeds" in found.text
    assert feeds_unscheduled(4, 4) is None


def test_data_without_its_manifest_is_not_taken_for_empty(tmp_path: Path) -> None:
    """Valkey would begin anew without a word; the start is refused, with what to do."""
    first = EmbeddedStore(tmp_path / "data")
    first.start()
    first.stop()
    (tmp_path / "data" / "appendonlydir" / "appendonly.aof.manifest").unlink()
    with pytest.raises(StoreError, match="lost its manifest"):
        EmbeddedStore(tmp_path / "data").start()


def test_a_data_folder_open_to_others_is_closed(tmp_path: Path) -> None:
    """One that was made before, by hand or by a tool, as 0755: others could read the news in it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    server = EmbeddedStore(folder)
    server.start()
    try:
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
