"""docs/how-to/backup.md: data written, backed up while it runs, changed, restored, and found again.

With Compose: a store whose every key is remembered, its type and its content. With the embedded
store: the service that the pages share; a second one is started on what was restored, with the same
feed and a Slack of its own, and must tell what is new and nothing that was told before.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import redis
import yaml

from tests.docs.plans import Plan, Step
from tests.docs.terminal import DocsTerminal
from tests.docs.world import CABLE, NEXT, DocsWorld
from tests.support.docker.engine import Engine
from tests.support.slack_standin import SlackStandin

_SILENCE = "wirewatch silence add feed=nowhere --for 6h --reason"


async def _laid_out(world: DocsWorld, terminal: DocsTerminal) -> None:
    """A checkout named wirewatch, its containers up; ./data is that of the shared service."""
    world.check_out(terminal.folder)
    (terminal.folder / "config").symlink_to(world.service.config)
    (terminal.folder / "data").symlink_to(world.service.folder / "data")
    secrets = f"STORE_PASSWORD=letters0and9digits\nSLACK_BOT_TOKEN={world.slack.bot_token}\n"
    (terminal.folder / ".env").write_text(secrets)
    terminal.env["SLACK_BOT_TOKEN"] = world.slack.bot_token
    up = await terminal.run("docker compose up -d")
    assert up.code == 0, up.said


def _store(terminal: DocsTerminal) -> redis.Redis:
    engine = Engine(Path(terminal.env["STANDIN_FOLDER"]))
    (store,) = [item for item in engine.containers() if item.service == "store"]
    return redis.Redis(port=store.port, password="letters0and9digits")


def _content(store: redis.Redis) -> dict[bytes, Any]:
    """Every key of a store with what it holds, whatever its type."""
    read: dict[bytes, Any] = {
        b"string": store.get,
        b"hash": store.hgetall,
        b"list": lambda key: store.lrange(key, 0, -1),
        b"set": store.smembers,
        b"zset": lambda key: store.zrange(key, 0, -1, withscores=True),
        b"stream": store.xrange,
    }
    return {key: read[store.type(key)](key) for key in store.scan_iter(count=1000)}


def _is_whole(archive: Path) -> None:
    """An archive has the files its manifest names, and nothing half-made."""
    with tarfile.open(archive) as found:
        files = {Path(item.name).name: item for item in found if item.isfile()}
        text = found.extractfile(files["appendonly.aof.manifest"]).read().decode()  # type: ignore[union-attr]
    named = {line.split()[1] for line in text.splitlines() if line}
    assert named and {name for name in files if name.endswith((".aof", ".rdb"))} == named


async def _write_data(world: DocsWorld, terminal: DocsTerminal) -> None:
    """Keys of every type; rewriting them takes a second, as where they are many."""
    inside = f"docker compose exec notifier {_SILENCE} 'before the backup' --config /config"
    assert (await terminal.run(inside)).code == 0
    store = _store(terminal)
    pipe = store.pipeline(transaction=False)
    for number in range(2000):
        pipe.set(f"key:{number}", f"{number}" * 40)
    pipe.hset("hash", mapping={"a": "1", "b": "2"})
    pipe.rpush("list", *range(1000))
    pipe.zadd("zset", {"x": 1.5, "y": -2})
    pipe.xadd("stream", {"data": b"\x00\xff"})
    pipe.config_set("rdb-key-save-delay", 600)  # microseconds for each key
    pipe.execute()
    world.values["content"] = _content(store)


async def _the_rewrite_is_over(world: DocsWorld, terminal: DocsTerminal) -> None:
    """Nothing is under way when the copy begins; the store is written to, as it is by stages."""
    now = _store(terminal).info("persistence")
    assert now["aof_rewrites"] == 1 and now["aof_last_bgrewrite_status"] == "ok"
    assert not now["aof_rewrite_in_progress"], "a copy made now may lack a file"
    _store(terminal).rpush("list", "one more")
    world.values["content"] = _content(_store(terminal))


async def _the_copy_is_whole(world: DocsWorld, terminal: DocsTerminal) -> None:
    _is_whole(terminal.folder / "store.tar.gz")


async def _change_the_data(world: DocsWorld, terminal: DocsTerminal) -> None:
    store = _store(terminal)
    assert _content(store) == world.values["content"], "the backup itself changes nothing"
    store.delete("hash", *[f"key:{number}" for number in range(1000)])
    store.set("key:1500", "changed")
    store.set("new", "made after the backup")


async def _the_data_is_as_it_was(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert _content(_store(terminal)) == world.values.pop("content")
    inside = "docker compose exec notifier wirewatch silence list --config /config"
    assert "before the backup" in (await terminal.run(inside)).said
    assert (await terminal.run("docker compose down")).code == 0


async def _tell_the_service(world: DocsWorld, terminal: DocsTerminal) -> None:
    assert world.told(CABLE) == 1
    assert (await terminal.run(f"{_SILENCE} 'before the copy'")).code == 0


async def _told_stays_told(world: DocsWorld, terminal: DocsTerminal) -> None:
    """Restore beside the service that still runs, and start another on it."""
    archive = terminal.folder / "wirewatch-backup.tar.gz"
    _is_whole(archive)
    folder = terminal.folder.with_name("restored")
    second = world.terminal(folder, SLACK_BOT_TOKEN=world.slack.bot_token)
    shutil.copytree(world.service.config, folder / "config")
    restored = await second.run(f"tar -xzf {archive}")
    assert restored.code == 0, restored.said
    async with SlackStandin() as slack:
        path = folder / "config/wirewatch.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["channels"] = {"world-desk": settings["channels"]["world-desk"]}
        settings["channels"]["world-desk"]["api_url"] = slack.api_url
        settings["store"] = {}  # ./data
        path.write_text(yaml.safe_dump(settings))
        await second.start("wirewatch run", works="window_restored")
        world.outlets.publish("wire", NEXT, guid="next")
        await slack.until(lambda: NEXT in str(slack.posts()), 60)
        told = await second.run("wirewatch explain https://wire.example/cable")
        assert "world-desk: sent" in told.said, told.said
        assert "before the copy" in (await second.run("wirewatch silence list")).said
        await second.stop()
        assert CABLE not in str(slack.posts()), "told again after the restore"
    await world.slack.until(lambda: world.told(NEXT) == 1, 60)  # the other one tells it as well


BACKUP = Plan(
    _laid_out,
    {
        "docker compose exec store sh -c": Step(
            before=_write_data, says="rewriting started", after=_the_rewrite_is_over
        ),
        'docker run --rm -v wirewatch_store:/data:ro -v "$PWD":/backup': Step(
            after=_the_copy_is_whole
        ),
        "docker compose stop poller embedder triage triage-standby notifier": Step(
            says="triage-standby-1  Stopped"
        ),
        "docker compose down": Step(before=_change_the_data),
        "docker volume rm wirewatch_store && docker volume create wirewatch_store": Step(),
        'docker run --rm -v wirewatch_store:/data -v "$PWD":/backup': Step(),
        "docker compose up -d": Step(after=_the_data_is_as_it_was),
        "tar -czf wirewatch-backup.tar.gz data/appendonlydir": Step(
            before=_tell_the_service, after=_told_stays_told
        ),
    },
    shared=True,
    folder="wirewatch",
)
