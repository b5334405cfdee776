"""`wirewatch topics new`: a topic from stories, tried before it is written; `topics try`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli import main
from monitor.config.load import load_config

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_model")]


def test_a_topic_is_asked_for_tried_and_written(tmp_path: Path) -> None:
    """Name and stories are asked for; the file has a readable id and loads as that topic; a
    second one of the same name is not written over it."""
    (tmp_path / "topics.yaml").write_text("- Floods\n")
    (tmp_path / "feeds.yaml").write_text("- https://wire.example/rss\n")
    answers = (
        "Ядерные аварии\nReactor core melts, after pump failure\n\nNuclear talks resume\n\ny\n"
    )
    command = ["topics", "new", "--config", str(tmp_path)]
    said = CliRunner().invoke(main, command, input=answers)
    assert said.exit_code == 0, said.output
    assert "Tried:" in said.output or "Look at this:" in said.output
    topic = load_config(tmp_path, {}).topic("yadernye-avarii")
    assert topic is not None and topic.name == "Ядерные аварии"
    assert topic.examples == ("Reactor core melts, after pump failure",)
    assert topic.not_ == ("Nuclear talks resume",)
    (tmp_path / "topics.yaml").write_text("- Storms\n")
    again = CliRunner().invoke(
        main, [*command, "--name", "Floods", "--example", "a b c"], input="n"
    )
    assert "Nothing was written" in again.output
    assert not (tmp_path / "topics" / "floods.yaml").exists()


def test_trying_a_text_shows_what_fires_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fires comes first with its reasons, then the nearest; the rest is one line."""
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "topics.yaml").write_text(
        "- {id: quakes, name: Strong earthquakes, examples: [Magnitude 7 earthquake hits Japan]}\n"
        "- {id: a, name: Football transfers}\n- {id: b, name: Film festivals}\n"
        "- {id: c, name: Chess championships}\n- {id: d, name: Wheat prices}\n"
        "- {id: e, name: Papal travel}\n"
    )
    said = CliRunner().invoke(
        main, ["topics", "try", "Magnitude 7.2 earthquake hits Japan", "--config", str(tmp_path)]
    )
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert lines[1].startswith("fires  quakes")
    assert sum(line.startswith("quiet") for line in lines) == 3
    assert lines[-1].startswith("and 2 more")
    assert all(len(line) <= 80 for line in lines)
