"""`wirewatch check` on gates whose words can never stand in a feed's language."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.check import check

FEEDS = """\
- {url: https://a.example/rss, id: moscow, language: ru}
- {url: https://b.example/rss, id: kyiv, language: uk}
- {url: https://c.example/rss, id: london, language: en}
- {url: https://d.example/rss, id: tokyo, language: ja}
- {url: https://e.example/rss, id: unsaid}
"""


def said(tmp_path: Path, topic: str) -> str:
    """What check says of one topic over these feeds."""
    (tmp_path / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    (tmp_path / "topics.yaml").write_text(f"- {topic}\n", encoding="utf-8")
    run = CliRunner().invoke(check, ["--config", str(tmp_path), "--no-model"])
    return run.output


@pytest.mark.parametrize(
    ("topic", "names"),
    [
        ("{name: Drones, require: {any: [drone*]}}", {"Russian", "Ukrainian", "Japanese"}),
        ("{name: Drones, require: {any: [NATO]}}", set()),  # capitals cross scripts
        ("{name: Drones, require: {any: [drone*, беспилотник*]}}", {"Japanese"}),
        ("{name: Drones, require: {any: [drone*, беспилотник*]}, languages: [en, ru]}", set()),
        ("{name: Drones, require: {any: [безпілотник*]}, feeds: [moscow]}", {"Russian"}),
        ("{name: Drones, require: {any: [безпілотник*]}, feeds: [kyiv]}", set()),
        ("{name: Drones, require: {all: [NATO, дрон]}, feeds: [london]}", {"English"}),
        ("{name: Drones, require: {any: [無人機]}, feeds: [tokyo]}", set()),
        ("{name: Drones, exclude: {any: [спорт]}}", set()),
    ],
)
def test_words_that_can_never_occur_are_named(tmp_path: Path, topic: str, names: set[str]) -> None:
    """Each language is named in which the gate would let nothing through, and no other."""
    text = said(tmp_path, topic)
    assert {name for name in ("Russian", "Ukrainian", "English", "Japanese") if name in text} == (
        names
    )
    assert text.count("topics.yaml:1: warning") >= len(names)
