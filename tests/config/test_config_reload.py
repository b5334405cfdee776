"""A change on disk beside the configuration in force: the good is taken over, the bad stays old."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.config.load import load_config, load_tolerant
from monitor.config.reload import FIXED, read_beside
from monitor.config.schema import Config, Settings, WirewatchFile

TOPICS = "topics:\n  - {name: Floods, description: Rivers rise.}\n  - Fires\n"
FEEDS = "feeds:\n  - {id: wire, url: https://wire.example/rss}\n"
SETTINGS = """\
polling: {timeout: 7s}
channels: {hook: {type: webhook, url: https://h.example/}}
ops: {notices_to: hook}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good configuration."""
    (tmp_path / "topics.yaml").write_text(TOPICS)
    (tmp_path / "feeds.yaml").write_text(FEEDS)
    (tmp_path / "wirewatch.yaml").write_text(SETTINGS)
    return tmp_path


def ids(config: Config) -> list[str]:
    """The ids of the topics."""
    return sorted(topic.id for topic in config.topics)


def test_a_good_change_is_taken_over_as_it_is(folder: Path) -> None:
    """Without mistakes, what is on disk is what counts: additions, edits and deletions."""
    old = load_config(folder, {})
    (folder / "topics.yaml").write_text("- Fires\n- Storms\n")
    config, problems, _ = read_beside(folder, old, {})
    assert (ids(config), problems) == (["fires", "storms"], [])
    assert config == load_config(folder, {})


def test_a_broken_topic_keeps_its_last_good_form(folder: Path) -> None:
    """A mistake in one topic leaves it as it was, and the others follow the file."""
    old = load_config(folder, {})
    (folder / "topics.yaml").write_text("topics:\n  - {name: Floods, wrong: 1}\n  - Storms\n")
    config, problems, _ = read_beside(folder, old, {})
    assert ids(config) == ["fires", "floods", "storms"]
    floods = config.topic("floods")
    assert floods is not None and floods.description == "Rivers rise."
    assert [problem.line for problem in problems] == [2]


@pytest.mark.parametrize("text", ["topics: [\n", "\t", "\x00"])
def test_a_file_that_cannot_be_read_takes_nothing_away(folder: Path, text: str) -> None:
    """With the topic file torn, every topic stays; feeds and settings change all the same."""
    old = load_config(folder, {})
    (folder / "topics.yaml").write_text(text)
    (folder / "feeds.yaml").write_text("- https://other.example/rss\n")
    (folder / "wirewatch.yaml").write_text("polling: {timeout: 9s}\n")
    config, problems, _ = read_beside(folder, old, {})
    assert problems and ids(config) == ["fires", "floods"]
    assert [feed.url for feed in config.feeds] == ["https://other.example/rss"]
    assert config.polling.timeout == 9.0 and config.channels == {}


def test_bad_settings_stay_as_they_were_as_a_whole(folder: Path) -> None:
    """One mistake in wirewatch.yaml keeps all of its old content; topics change all the same."""
    old = load_config(folder, {})
    (folder / "wirewatch.yaml").write_text("polling: {timeout: soon}\nops: {log_level: debug}\n")
    (folder / "topics.yaml").write_text("- Storms\n")
    config, problems, _ = read_beside(folder, old, {})
    assert problems and ids(config) == ["storms"]
    assert (config.polling, config.channels, config.ops) == (old.polling, old.channels, old.ops)


def test_a_mistake_from_the_start_does_not_stop_edits(folder: Path) -> None:
    """A service started without a broken channel still takes over changed topics."""
    text = "channels:\n  hook: {type: webhook, url: https://h.example/}\n  bad: {type: slak}\n"
    (folder / "wirewatch.yaml").write_text(text + "ops: {notices_to: hook}\n")
    old, _ = load_tolerant(folder, {})
    (folder / "topics.yaml").write_text("- Storms\n")
    config, problems, _ = read_beside(folder, old, {})
    assert ids(config) == ["storms"] and set(config.channels) == {"hook"}
    assert len(problems) == 1


def test_a_folder_that_is_gone_changes_nothing(folder: Path) -> None:
    """While the folder is away (a volume, a checkout), everything stays."""
    old = load_config(folder, {})
    config, problems, _ = read_beside(folder / "gone", old, {})
    assert config == old and problems


FIXED_BEFORE = """\
store:
  url: redis://one.example
  data_dir: a
  prefix: one
  keep_stories: 1d
  keep_receipts: 1d
  keep_history: 30d
events: {window: 24h, owners_file: one.yaml}
embedding: {model: hashing, precision: fp32, batch_size: 1, threads: 1}
ops: {http_host: 127.0.0.1, http_port: 9001}
desk: {enabled: true, host: 127.0.0.1, port: 9003}
"""
FIXED_AFTER = """\
store:
  url: redis://two.example
  data_dir: b
  prefix: two
  keep_stories: 2d
  keep_receipts: 2d
  keep_history: 60d
  keep_seen: 2d
events: {window: 48h, owners_file: two.yaml}
embedding: {precision: bf16, batch_size: 2, threads: 2, linger: 2s}
ops: {http_host: 0.0.0.0, http_port: 9002, log_level: debug}
desk: {enabled: false, host: "::1", port: 9004}
polling: {timeout: 9s}
"""


def test_what_a_process_stands_on_waits_for_a_restart(folder: Path) -> None:
    """Every setting that is fixed while the service runs keeps its old value and is a warning at
    its line; whatever else stands in the same sections and files is taken over."""
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text("Group: [A, B]\n")
    (folder / "wirewatch.yaml").write_text(FIXED_BEFORE)
    old = load_config(folder, {})
    (folder / "wirewatch.yaml").write_text(FIXED_AFTER)
    (folder / "topics.yaml").write_text("- Storms\n")
    config, problems, held = read_beside(folder, old, {})
    assert held == FIXED
    before, after = old.model_dump(), config.model_dump()
    for name in FIXED:
        section, key = name.split(".")
        assert after[section][key] == before[section][key], name
    assert (config.store.keep_seen, config.embedding.linger) == (2 * 86400.0, 2.0)
    assert (config.ops.log_level, config.polling.timeout) == ("debug", 9.0)
    assert ids(config) == ["storms"]
    assert {problem.severity for problem in problems} == {"warning"}
    said = next(problem for problem in problems if "store.prefix" in problem.message)
    assert (Path(said.file).name, said.line) == ("wirewatch.yaml", 4)
    assert "restart" in said.message


def test_nothing_waits_for_a_restart_once_it_is_taken_back(folder: Path) -> None:
    """A section taken out is a change to its defaults; with the old value back, all is well."""
    text = (folder / "wirewatch.yaml").read_text()
    (folder / "wirewatch.yaml").write_text(text + "store: {prefix: one}\n")
    old = load_config(folder, {})
    (folder / "wirewatch.yaml").write_text(text)
    config, problems, held = read_beside(folder, old, {})
    assert held == ("store.prefix",) and config == old and len(problems) == 1
    (folder / "wirewatch.yaml").write_text(text + "store: {prefix: one}\n")
    assert read_beside(folder, config, {}) == (old, [], ())


@pytest.mark.parametrize("name", FIXED)
def test_a_setting_that_needs_a_restart_is_one_of_the_schema(name: str) -> None:
    """The list of fixed settings names what exists, each once."""
    section, _, key = name.partition(".")
    part = WirewatchFile.model_fields[section].annotation
    assert isinstance(part, type) and issubclass(part, Settings)
    assert key in part.model_fields and FIXED.count(name) == 1


def test_operators_are_told_which_settings_need_a_restart() -> None:
    """The table in the operators' guide names exactly the settings on the list."""
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "operators.md"
    table = guide.read_text().partition("need a restart")[2].partition("\n\n| | |\n|---|---|\n")[2]
    named = set()
    for row in table.partition("\n\n")[0].splitlines():
        section, *keys = re.findall("`([a-z_]+)`", row)
        named |= {f"{section}.{key}" for key in keys}
    assert named == set(FIXED)
