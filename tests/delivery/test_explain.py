"""`wirewatch explain` tells the true end of each notification; any address finds the story."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from monitor.alerting.alert_state import AlertState
from monitor.alerting.silences import Matcher, Silence
from monitor.analysis.archive import AnalysisStore
from monitor.cli import main
from monitor.model import EmbeddedStory, Passage
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from tests.support.alerts import FIRST, NOW, STORY, config, note

Ask = Callable[..., Awaitable[str]]
SETTINGS: dict[str, Any] = {
    "channels": {"world": {"type": "terminal"}},
    "time_intervals": {"nights": [{"start": "22:00", "end": "07:00"}]},
    "topics": [{"id": FIRST.topic, "name": "talks", "alert": {"min_sources": 2}}],
}


@pytest.fixture
def ask(tmp_path: Path, valkey_url: str, keys: Keys) -> Ask:
    """Run `wirewatch explain` on the test's own key space."""
    store = {"url": valkey_url, "prefix": keys.prefix}
    whole = {"store": store, "channels": SETTINGS["channels"]}
    (tmp_path / "wirewatch.yaml").write_text(yaml.safe_dump(whole))
    (tmp_path / "topics.yaml").write_text(yaml.safe_dump({"topics": SETTINGS["topics"]}))
    (tmp_path / "feeds.yaml").write_text(
        yaml.safe_dump({"feeds": [{"id": "wire", "url": "https://news.example.org/rss"}]})
    )

    async def run(story: str, *more: str) -> str:
        words = ["explain", story, *more, "--config", str(tmp_path)]
        said = await asyncio.to_thread(CliRunner().invoke, main, words)
        assert said.exit_code == 0, said.output
        return said.output

    return run


async def archived(store: Redis, keys: Keys, **decision: Any) -> None:
    """Put the story into the archive with what triage decided about it."""
    passage = Passage(0, "title", STORY.title, STORY.title)
    item = EmbeddedStory(STORY, (passage,), np.ones((1, 4), np.float32) / 2, "m")
    record = {"at": NOW, "event": FIRST.event, "why": "", "alerts": [], "suppressions": []}
    archive = AnalysisStore(store, keys, 14 * 86400.0, 3 * 86400.0)
    await apply(store, archive.story_commands(item, json.dumps({**record, **decision})))


TOLD = {"alerts": [{"id": FIRST.id, "topic": FIRST.topic, "reason": "first", "parent": FIRST.id}]}


async def test_a_silenced_alert_is_never_called_sent(
    desk: Any, store: Redis, keys: Keys, ask: Ask
) -> None:
    """The verdict comes first and says that it was silenced; by whom and until when follows."""
    world = await desk("world", config(**SETTINGS))
    quiet = Silence("2618a17d", (Matcher.parse("topic=*"),), NOW - 1, NOW + 7200, "root")
    await world.silences.add(quiet, NOW)
    await archived(store, keys, **TOLD)
    await world.put(note(FIRST, "world"))
    await world.run(10)
    lines = (await ask(STORY.id)).splitlines()
    verdict = lines.index("Not told, it was silenced: us-russia-talks (first)")
    said = " ".join(lines[verdict : verdict + 3])
    assert "silence 2618a17d by root until 2026-01-01 02:00:00 UTC" in said
    (row,) = json.loads(await ask(STORY.id, "--json"))["notifications"]
    assert (row["state"], row["until"]) == ("silenced", NOW + 7200)


async def test_held_sent_in_a_digest_and_dead_are_told_apart(
    desk: Any, store: Redis, keys: Keys, ask: Ask
) -> None:
    """Quiet hours show until when, a digest shows which, a dead letter shows where it lies."""
    from tests.support.alerts import alert

    night = {"route": {"quiet_hours": ["nights"]}}
    world = await desk("world", config(**SETTINGS, **night))
    await archived(store, keys, **TOLD)
    await world.put(note(FIRST, "world"), note(alert("other"), "world"))
    await world.run(10)
    held = await ask(STORY.id)
    assert "To be told later" in held
    assert "held by quiet hours until 2026-01-01 07:00:00 UTC" in " ".join(held.split())
    await world.run(8 * 3600)
    assert "in the digest digest-" in " ".join((await ask(STORY.id)).split())
    await world.store.delete(keys("receipt", f"{FIRST.id}@world"))
    await world.outbox.dead_letter(world.lease, note(FIRST, "world"), "rejected", "no", NOW)
    dead = await ask(STORY.id)
    assert "Not told, no channel took it" in dead and "wirewatch dead list" in dead


async def test_severity_comes_with_its_grounds(store: Redis, keys: Keys, ask: Ask) -> None:
    """The level and what it rests on; a decision of an earlier release has the level alone."""
    await archived(store, keys, severity="notable", severity_grounds="at least notable 71%")
    assert "severity   notable (at least notable 71%)" in await ask(STORY.id)
    await archived(store, keys, severity="notable")
    assert "severity   notable\n" in await ask(STORY.id)


@pytest.mark.parametrize(
    ("state", "words"),
    [("waiting", "waits for further sources"), ("lapsed", "waited in vain for further sources")],
)
async def test_a_wait_is_explained_while_it_lasts_and_after(
    store: Redis, keys: Keys, ask: Ask, state: str, words: str
) -> None:
    """What waits for sources says until when; a wait that ended says that it ended."""
    held = [{"topic": FIRST.topic, "reason": "awaiting_sources", "detail": "1 of 2"}]
    await archived(store, keys, suppressions=held)
    archive = AnalysisStore(store, keys, 14 * 86400.0, 3 * 86400.0)
    record = json.dumps(AlertState(FIRST.topic, FIRST.event, state, NOW).to_dict())
    await apply(store, archive.alert_state_commands(FIRST.topic, FIRST.event, record))
    said = " ".join((await ask(STORY.id)).split())
    assert words in said and "until 2026-01-01 06:00:00 UTC" in said


@pytest.mark.parametrize(
    "pasted",
    [
        STORY.url,
        "https://www.news.example.org/world/2026/envoys-geneva?id=7",
        "http://news.example.org/world/2026/envoys-geneva?id=7&utm_source=x#top",
        "news.example.org/world/2026/envoys-geneva/?at_medium=RSS&id=7",
        STORY.id,
    ],
)
async def test_any_address_a_person_can_paste_finds_the_story(
    store: Redis, keys: Keys, ask: Ask, pasted: str
) -> None:
    """Tracking parameters, www, scheme, fragment and the last slash make no difference."""
    await archived(store, keys)
    assert STORY.title in await ask(pasted)


async def test_addresses_stored_by_earlier_versions_are_found(
    store: Redis, keys: Keys, ask: Ask
) -> None:
    """A story archived under its whole address is still found by it."""
    from monitor.analysis.archive import name_digest

    await archived(store, keys)
    await store.delete(*[key async for key in store.scan_iter(f"{keys('url', '*')}")])
    await store.set(keys("url", name_digest(STORY.url)), STORY.id)
    assert STORY.title in await ask(STORY.url)
