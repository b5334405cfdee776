"""A running process follows its configuration on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from monitor.clock import ManualClock
from monitor.config.load import load_config
from monitor.config.schema import Config, StoreSettings
from monitor.store.client import Redis
from monitor.store.keys import Keys
from workers.reload import ConfigWatch
from workers.runtime import Runtime


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own time limit is the end of patience."""
    while not condition():
        await asyncio.sleep(0.01)


async def test_a_process_follows_good_changes_and_names_bad_ones(
    store: Redis, keys: Keys, clock: ManualClock, valkey_url: str, tmp_path: Path
) -> None:
    """A new topic is taken over and told to whoever asked; a broken one keeps its old form, the
    others change, and the problems are in the store for `status`; mended, they are gone."""
    topics = tmp_path / "topics.yaml"
    topics.write_text("- Floods\n")
    config = load_config(tmp_path, {})
    config = config.model_copy(update={"store": StoreSettings(prefix=keys.prefix)})
    runtime = Runtime(config, store, valkey_url, clock)
    told: list[Config] = []

    async def note(new: Config) -> None:
        told.append(new)

    runtime.on_reload(note)
    watch = ConfigWatch(runtime, tmp_path)
    running = asyncio.create_task(watch.run())

    def names() -> list[str]:
        return sorted(topic.name for topic in runtime.config.topics)

    topics.write_text("- Floods\n- Fires\n")
    watch.look_now()
    await until(lambda: names() == ["Fires", "Floods"] and len(told) == 1)

    topics.write_text("- {name: Floods, wrong: 1}\n- Fires\n- Storms\n")
    watch.look_now()
    await until(lambda: names() == ["Fires", "Floods", "Storms"])
    problems: list[str] = []
    while not problems:
        raw = await store.hget(runtime.keys("config"), "problems")
        problems = [one for one in json.loads(raw or b"[]") if "warning" not in one]
        await asyncio.sleep(0.01)
    assert "topics.yaml:1: unknown key" in problems[0]

    topics.write_text("- Storms\n")
    watch.look_now()
    await until(lambda: names() == ["Storms"])
    runtime.stopping.set()
    await running
