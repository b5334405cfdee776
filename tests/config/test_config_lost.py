"""A configuration file that is empty or gone is an accident: what it held stays in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.config.load import examine, load_config
from monitor.config.reload import read_beside
from monitor.config.schema import Config
from monitor.errors import ConfigError
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from workers.reload import ConfigWatch, refuse_lost_files
from workers.runtime import Runtime

FILES = {
    "wirewatch.yaml": "channels: {hook: {type: webhook, url: https://h.example/}}\n"
    "ops: {notices_to: hook}\n",
    "feeds.yaml": "feeds:\n  - https://wire.example/rss\n  - https://other.example/rss\n",
    "topics.yaml": "topics: [Floods]\n",
}
NOTHING = {"wirewatch.yaml": "{}", "feeds.yaml": "feeds: []", "topics.yaml": "topics: []"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration of three files."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def spoil(path: Path, how: str) -> None:
    """Delete a file, or leave nothing in it that says anything."""
    if how == "gone":
        path.unlink()
    else:
        path.write_text({"empty": "", "blank": " \n\n", "comments": "# was here\n",
                         "key": f"{path.stem}:\n"}[how])  # fmt: skip


@pytest.mark.parametrize("how", ["gone", "empty", "blank", "comments"])
@pytest.mark.parametrize("name", FILES)
def test_a_lost_file_changes_nothing_and_is_an_error(folder: Path, name: str, how: str) -> None:
    """Whichever file is lost, the configuration in force is what it was, and the report names the
    file, what stays, and what to write if it is meant."""
    old = load_config(folder, {})
    spoil(folder / name, how)
    config, problems, _ = read_beside(folder, old, {})
    assert config == old
    (said,) = [problem for problem in problems if problem.severity == "error"]
    assert said.file == str(folder / name)
    assert "stay" in said.message and NOTHING[name] in said.message


@pytest.mark.parametrize("name", ["feeds.yaml", "topics.yaml"])
def test_a_list_without_items_is_no_intention_either(folder: Path, name: str) -> None:
    """`feeds:` with nothing below it is what an editor leaves half-way."""
    old = load_config(folder, {})
    spoil(folder / name, "key")
    assert read_beside(folder, old, {})[0] == old


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_taken_over_when_it_is_written_down(folder: Path, name: str) -> None:
    """`feeds: []`, `topics: []` and `{}` are intentions, and no mistake."""
    old = load_config(folder, {})
    (folder / name).write_text(NOTHING[name])
    config, problems, _ = read_beside(folder, old, {})
    assert config == load_config(folder, {}) != old
    assert [problem for problem in problems if problem.severity == "error"] == []


def test_all_three_lost_at_once_change_nothing(folder: Path) -> None:
    """An empty folder, as an unmounted volume leaves it, is three errors and no change."""
    old = load_config(folder, {})
    for name in FILES:
        spoil(folder / name, "gone")
    config, problems, _ = read_beside(folder, old, {})
    assert config == old
    assert sum(problem.severity == "error" for problem in problems) == 3


def test_one_of_several_feed_files_may_be_deleted(folder: Path) -> None:
    """Deleting a file of the feeds folder takes its feeds out; emptying it does not."""
    (folder / "feeds").mkdir()
    more = folder / "feeds" / "more.yaml"
    more.write_text("- https://third.example/rss\n")
    old = load_config(folder, {})
    more.write_text("")
    assert len(read_beside(folder, old, {})[0].feeds) == 3
    more.unlink()
    assert len(read_beside(folder, old, {})[0].feeds) == 2


def test_without_a_settings_file_from_the_start_nothing_is_lost(folder: Path) -> None:
    """What the environment sets (REDIS_URL) is not missed in a file that never was."""
    (folder / "wirewatch.yaml").unlink()
    env = {"REDIS_URL": "redis://one.example", "WIREWATCH_HTTP": "127.0.0.1:9001"}
    old = load_config(folder, env)
    assert read_beside(folder, old, env)[0::2] == (old, ())
    assert not [one for one in read_beside(folder, old, env)[1] if one.severity == "error"]


def test_check_names_an_empty_file(folder: Path) -> None:
    """Without a service beside it, an empty file is a warning of `check` at its first line."""
    spoil(folder / "topics.yaml", "empty")
    (said,) = [one for one in examine(folder, {}).problems if one.file.endswith("topics.yaml")]
    assert (said.line, said.severity) == (1, "warning") and "empty" in said.message


async def start(store: Redis, keys: Keys, folder: Path, clock: ManualClock) -> Config:
    """What a start does with the configuration before any stage runs."""
    config = load_config(folder, {})
    config = config.model_copy(
        update={"store": config.store.model_copy(update={"prefix": keys.prefix})}
    )
    runtime = Runtime(config, store, "", clock)
    await refuse_lost_files(runtime, folder)
    await ConfigWatch(runtime, folder).publish([])
    return config


@pytest.mark.parametrize("how", ["gone", "empty"])
@pytest.mark.parametrize("name", FILES)
async def test_a_start_is_refused_where_a_file_was_lost_since_the_last(
    store: Redis, keys: Keys, clock: ManualClock, folder: Path, name: str, how: str
) -> None:
    """The first start needs no file; a later one that lost a file stops with its name, until it is
    back or its absence is written down."""
    await start(store, keys, folder, clock)
    spoil(folder / name, how)
    with pytest.raises(ConfigError, match=f"{name}:1: the file is {how}, but this store was last"):
        await start(store, keys, folder, clock)
    (folder / name).write_text(NOTHING[name])
    await start(store, keys, folder, clock)


async def test_a_first_start_needs_no_files(
    store: Redis, keys: Keys, clock: ManualClock, tmp_path: Path
) -> None:
    """On a fresh store an empty folder is fine, and so is the second start on it."""
    for _ in range(2):
        assert (await start(store, keys, tmp_path, clock)).channels == {}
