"""A change on disk beside the configuration in force: the good is taken over, the bad stays old."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config.load import load_config, load_tolerant
from monitor.config.reload import read_beside
from monitor.config.schema import Config

TOPICS = "topics:\n  - {name: Floods, description: Rivers rise.}\n  - Fires\n"
FEEDS = "feeds:\n  - {id: wire, url: https://wire.example/rss}\n"
SETTINGS = "polling: {timeout: 7s}\nchannels: {hook: {type: webhook, url: https://h.example/}}\n"


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
    config, problems = read_beside(folder, old, {})
    assert (ids(config), problems) == (["fires", "storms"], [])
    assert config == load_config(folder, {})


def test_a_broken_topic_keeps_its_last_good_form(folder: Path) -> None:
    """A mistake in one topic leaves it as it was, and the others follow the file."""
    old = load_config(folder, {})
    (folder / "topics.yaml").write_text("topics:\n  - {name: Floods, wrong: 1}\n  - Storms\n")
    config, problems = read_beside(folder, old, {})
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
    config, problems = read_beside(folder, old, {})
    assert problems and ids(config) == ["fires", "floods"]
    assert [feed.url for feed in config.feeds] == ["https://other.example/rss"]
    assert config.polling.timeout == 9.0 and config.channels == {}


def test_bad_settings_stay_as_they_were_as_a_whole(folder: Path) -> None:
    """One mistake in wirewatch.yaml keeps all of its old content; topics change all the same."""
    old = load_config(folder, {})
    (folder / "wirewatch.yaml").write_text("polling: {timeout: soon}\nops: {log_level: debug}\n")
    (folder / "topics.yaml").write_text("- Storms\n")
    config, problems = read_beside(folder, old, {})
    assert problems and ids(config) == ["storms"]
    assert (config.polling, config.channels, config.ops) == (old.polling, old.channels, old.ops)


def test_a_mistake_from_the_start_does_not_stop_edits(folder: Path) -> None:
    """A service started without a broken channel still takes over changed topics."""
    text = "channels:\n  hook: {type: webhook, url: https://h.example/}\n  bad: {type: slak}\n"
    (folder / "wirewatch.yaml").write_text(text)
    old, _ = load_tolerant(folder, {})
    (folder / "topics.yaml").write_text("- Storms\n")
    config, problems = read_beside(folder, old, {})
    assert ids(config) == ["storms"] and set(config.channels) == {"hook"}
    assert len(problems) == 1


def test_a_folder_that_is_gone_changes_nothing(folder: Path) -> None:
    """While the folder is away (a volume, a checkout), everything stays."""
    old = load_config(folder, {})
    config, problems = read_beside(folder / "gone", old, {})
    assert config == old and problems
