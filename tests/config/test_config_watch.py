"""A running process follows its configuration on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.config.load import load_config
from monitor.config.schema import Config
from monitor.observability import metrics
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.loglines import logged
from tests.support.waiting import until
from workers import reload
from workers.reload import ConfigWatch
from workers.runtime import Runtime


@pytest.fixture
def runtime(
    store: Redis, keys: Keys, clock: ManualClock, valkey_url: str, tmp_path: Path
) -> Runtime:
    """What a process with one topic stands on."""
    (tmp_path / "topics.yaml").write_text("- Floods\n")
    (tmp_path / "feeds.yaml").write_text("- https://wire.example/rss\n")
    (tmp_path / "wirewatch.yaml").write_text(f"store: {{prefix: {keys.prefix}}}\n")
    return Runtime(load_config(tmp_path, {}), store, valkey_url, clock)


@asynccontextmanager
async def watching(runtime: Runtime, folder: Path) -> AsyncIterator[ConfigWatch]:
    """A watch at work, which is ended afterwards."""
    watch = ConfigWatch(runtime, folder)
    running = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        runtime.stopping.set()
        await running


async def report(runtime: Runtime, name: str) -> list[str]:
    """One list of the report that a process leaves in the store for `status`."""
    raw = await runtime.store.hget(runtime.keys("config"), name)
    found: list[str] = json.loads(raw or b"[]")
    return found


async def no_problems(runtime: Runtime) -> bool:
    """Whether the report names no problem any more."""
    return not await report(runtime, "problems")


def measured(name: str, **labels: str) -> float:
    """What a metric says now."""
    return metrics.REGISTRY.get_sample_value(f"wirewatch_{name}", labels) or 0.0


async def test_a_process_follows_good_changes_and_names_bad_ones(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to look, it takes a new topic over and tells whoever wants to know; a broken one keeps
    its old form, the others change, and the problems are in the store; mended, they are gone."""
    monkeypatch.setattr(reload, "LOOK_EVERY", 3600.0)
    topics = tmp_path / "topics.yaml"
    told: list[Config] = []

    async def note(new: Config) -> None:
        told.append(new)

    def names() -> list[str]:
        return sorted(topic.name for topic in runtime.config.topics)

    runtime.on_reload(note)
    async with watching(runtime, tmp_path) as watch:
        topics.write_text("- Floods\n- Fires\n")
        watch.look_now()
        await until(lambda: names() == ["Fires", "Floods"] and len(told) == 1)

        topics.write_text("- {name: Floods, wrong: 1}\n- Fires\n- Storms\n")
        watch.look_now()
        await until(lambda: names() == ["Fires", "Floods", "Storms"])
        problems = await until(lambda: report(runtime, "problems"))
        assert "topics.yaml:1: unknown key" in problems[0]

        topics.write_text("- Storms\n")
        watch.look_now()
        await until(lambda: names() == ["Storms"])
        await until(lambda: no_problems(runtime))


async def test_a_change_is_seen_without_being_asked(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking every so often is enough: nobody has to send a signal."""
    monkeypatch.setattr(reload, "LOOK_EVERY", 0.01)
    async with watching(runtime, tmp_path):
        (tmp_path / "topics.yaml").write_text("- Floods\n- Fires\n")
        await until(lambda: len(runtime.config.topics) == 2)


async def test_another_prefix_loses_nothing(
    runtime: Runtime, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `store.prefix` edited, every key keeps its name until the restart that a warning asks
    for, in the log and in every heartbeat; the rest of the file is in force at once."""
    monkeypatch.setattr(reload, "LOOK_EVERY", 3600.0)
    await runtime.store.xadd(runtime.keys("stream", "stories"), {"story": "before"})
    async with watching(runtime, tmp_path) as watch:
        with logged() as lines:
            text = f"store: {{prefix: {keys.prefix}-new}}\npolling: {{timeout: 9s}}\n"
            (tmp_path / "wirewatch.yaml").write_text(text)
            watch.look_now()
            await until(lambda: runtime.config.polling.timeout == 9.0)
            await until(lambda: runtime.pending_restart == ("store.prefix",))
        (line,) = lines("config_needs_restart")
        assert (line["level"], line["settings"]) == ("warning", ["store.prefix"])
        await runtime.store.xadd(runtime.keys("stream", "stories"), {"story": "after"})
        rows = await runtime.store.xrange(keys("stream", "stories"))
        assert [fields[b"story"] for _, fields in rows] == [b"before", b"after"]
        assert await runtime.store.keys(f"{{{keys.prefix}-new}}*") == []


async def test_a_refused_file_shows_in_the_metrics(
    runtime: Runtime, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes nothing sets config_ok to 0, counts as refused and leaves the time of
    the last take-over alone; a good one is counted, sets both right, and has its time."""
    monkeypatch.setattr(reload, "LOOK_EVERY", 3600.0)
    topics, good = tmp_path / "topics.yaml", clock.now()
    refused = measured("config_reloads_total", outcome="refused")
    accepted = measured("config_reloads_total", outcome="accepted")
    async with watching(runtime, tmp_path) as watch:
        await watch.publish([])
        assert (measured("config_ok"), measured("config_loaded_timestamp_seconds")) == (1, good)

        clock.advance(60)
        topics.write_text("- {name: Floods, wrong: 1}\n")
        watch.look_now()
        await until(lambda: measured("config_ok") == 0)
        await until(lambda: report(runtime, "problems"))
        assert measured("config_reloads_total", outcome="refused") == refused + 1
        assert measured("config_loaded_timestamp_seconds") == good

        clock.advance(60)
        topics.write_text("- Floods\n- Fires\n")
        watch.look_now()
        await until(lambda: measured("config_ok") == 1)
        await until(lambda: no_problems(runtime))
        assert measured("config_reloads_total", outcome="accepted") == accepted + 1
        assert measured("config_loaded_timestamp_seconds") == good + 120
