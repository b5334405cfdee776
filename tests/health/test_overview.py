"""`wirewatch status` shows what notices and alert rules send people there for."""

from __future__ import annotations

import json

from monitor.clock import ManualClock
from monitor.config.schema import Config, StoreSettings
from monitor.health.notices import Open
from monitor.health.rules import Kind
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from workers.heartbeat import Heartbeat
from workers.overview import Overview, overview
from workers.runtime import Runtime

NOW = 1_767_571_200.0


async def _look(store: Redis, keys: Keys) -> Overview:
    return await overview(store, keys, Config(store=StoreSettings(prefix=keys.prefix)), NOW)


async def test_open_troubles_are_listed_and_ended_ones_are_not(store: Redis, keys: Keys) -> None:
    """A silent feed that was spoken of is there; one that recovered, or is quite new, is not."""
    rows = {
        f"{Kind.FEED_SILENT}:bbc": Open(NOW - 60, told=NOW - 60, text="feed bbc has gone silent"),
        f"{Kind.FEED_SILENT}:cnn": Open(NOW - 90, NOW - 90, NOW - 5, "feed cnn has gone silent"),
        f"{Kind.TOPIC_QUIET}:talks": Open(NOW - 1, text="topic talks has been silent"),
        f"{Kind.MODEL_MISSING}:model": Open(NOW - 99, told=NOW - 9, text="no model is loaded"),
    }
    mapping = {name: trouble.to_json() for name, trouble in rows.items()}
    await store.hset(keys("watch", "open"), mapping=mapping)
    view = await _look(store, keys)
    assert view.notices == ["feed bbc has gone silent", "no model is loaded"]
    assert set(view.notices) <= set(view.troubles)


async def test_what_is_seen_afresh_is_not_said_twice(store: Redis, keys: Keys) -> None:
    """The watchdog's word on a missing stage is left out: `status` looks for itself."""
    text = "no poller is running; start one"
    trouble = Open(NOW - 99, told=NOW - 9, text=text)
    await store.hset(keys("watch", "open"), f"{Kind.STAGE_MISSING}:poller", trouble.to_json())
    view = await _look(store, keys)
    assert "no poller is running" in view.troubles
    assert text not in view.troubles


async def test_the_canary_and_what_the_service_refused_are_shown(store: Redis, keys: Keys) -> None:
    """The last canary is part of the page; a refusal that only the service saw is a trouble."""
    await store.hset(keys("watch", "canary"), mapping={"sent": NOW - 30, "ok": 1, "seconds": 2.1})
    said = ["feeds.yaml:3: url is missing", "topics.yaml:9: warning: matches nothing"]
    await store.hset(keys("config"), "problems", json.dumps(said))
    view = await _look(store, keys)
    assert view.to_dict()["canary"] == {"sent": str(NOW - 30), "ok": "1", "seconds": "2.1"}
    assert "configuration: feeds.yaml:3: url is missing" in view.troubles
    assert not [trouble for trouble in view.troubles if "warning" in trouble]


async def test_each_process_says_what_it_waits_to_be_restarted_for(
    store: Redis, keys: Keys
) -> None:
    """A poller that was started anew takes nothing back from the triage that was not."""
    config = Config(store=StoreSettings(prefix=keys.prefix))
    poller, triage = (
        Runtime(config, store, "", clock=ManualClock(NOW), worker_id=name) for name in "ab"
    )
    poller.pending_restart = triage.pending_restart = ("events.window", "store.keep_stories")
    await Heartbeat(poller, ["poller"]).beat()
    await Heartbeat(triage, ["triage"]).beat()
    both = "restart poller, triage to have in force: events.window, store.keep_stories"
    assert both in (await _look(store, keys)).troubles

    poller.pending_restart = ()
    await Heartbeat(poller, ["poller"]).beat()
    view = await _look(store, keys)
    assert "restart triage to have in force: events.window, store.keep_stories" in view.troubles
    assert view.to_dict()["needs_restart"] == {"triage": ["events.window", "store.keep_stories"]}
