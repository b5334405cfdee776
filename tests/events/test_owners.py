from __future__ import annotations

from pathlib import Path

import pytest
from eventtools import axis, index, owners, story

from monitor.errors import ConfigError
from monitor.events import Owners
from monitor.model import Story


@pytest.mark.parametrize(
    ("fields", "owner"),
    [
        ({"source": "BBC Sport"}, "BBC"),
        ({"source": "the guardian"}, "Guardian Media Group"),
        ({"url": "https://www.bbc.co.uk/news/1"}, "BBC"),
        ({"source": "Smallville Gazette"}, "Smallville Gazette"),
        ({"url": "https://news.smallville.co.uk/a"}, "smallville.co.uk"),
        ({"source": "Smallville Gazette", "owner": "Lane Family"}, "Lane Family"),
        ({"source": "Gazette", "summary": "KYIV (AP) — The mayor said"}, "Gazette"),
        ({"source": "Smallville Gazette", "author": "Reuters"}, "Smallville Gazette"),
        ({"feed_id": "feed-7"}, "feed-7"),
    ],
)  # fmt: skip
def test_who_answers_for_a_story(fields: dict[str, str], owner: str) -> None:
    """Its feed, outlet or address says who a story counts for; never a byline or a credit."""
    assert owners().of(Story(id="a", title="t", **fields)) == owner  # type: ignore[arg-type]


def test_a_users_table_adds_to_the_shipped_one(tmp_path: Path) -> None:
    """`events.owners_file` names further outlets; the shipped ones stay."""
    mine = tmp_path / "owners.yaml"
    mine.write_text("Lane Family: [Smallville Gazette, smallville.example]\n", encoding="utf-8")
    table = Owners.load(str(mine))
    assert table.of(Story(id="a", title="t", source="Smallville Gazette")) == "Lane Family"
    assert table.of(Story(id="a", title="t", source="BBC News")) == "BBC"


@pytest.mark.parametrize("text", ["- a list", "Lane: [1, 2]", "Lane: {a: b}", "a: [b"])
def test_a_wrong_table_is_explained(tmp_path: Path, text: str) -> None:
    """A mistake names file and remedy instead of a traceback."""
    wrong = tmp_path / "owners.yaml"
    wrong.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"owners\.yaml"):
        Owners.load(str(wrong))


def test_a_missing_table_is_explained(tmp_path: Path) -> None:
    """The message names the setting to correct."""
    with pytest.raises(ConfigError, match="owners_file"):
        Owners.load(str(tmp_path / "none.yaml"))


def test_an_agencys_report_is_one_source_and_a_byline_adds_none() -> None:
    """Two outlets with one agency's text are one source; one outlet with three credits is one."""
    held = index()
    *_, reprint, third = held.assign(
        [
            story("a", "Ferry aground off Northport", 0, axis(1), source="A", author="Reuters"),
            story("b", "Ferry aground near Northport pier", 1, axis(1), source="A", author="AFP"),
            story("c", "Northport ferry still stuck", 2, axis(1), source="B", author="Reuters"),
            story("d", "Ferry off Northport still aground", 3, axis(1), source="C"),
        ]
    )
    assert reprint.sources == ("A",)
    assert third.sources == ("A", "C")


def test_each_source_has_the_name_of_its_outlet() -> None:
    """Readers know NBC News, not Comcast: assignments name the outlet of each source, in order."""
    held = index()
    *_, last = held.assign(
        [
            story("a", "Ferry aground off Northport", 0, axis(1), source="NBC News"),
            story("b", "Ferry aground near Northport pier", 1, axis(1), source="NBC"),
            story("c", "Northport ferry still stuck", 2, axis(1), source="The Guardian"),
        ]
    )
    assert last.sources == ("Comcast NBCUniversal", "Guardian Media Group")
    assert last.outlets == ("NBC News", "The Guardian")


def test_outlets_survive_a_restart() -> None:
    """An index that is read from the store names the same outlets for what follows."""
    held, again = index(), index()
    first = [
        story("a", "Ferry aground off Northport", 0, axis(1), source="NBC News"),
        story("b", "Northport ferry still stuck", 1, axis(1), source="The Guardian"),
    ]
    held.assign(first)
    again.restore([held.pack(name) for name in held.stories()])
    (last,) = again.assign([story("c", "Ferry off Northport aground", 2, axis(1), source="Dawn")])
    assert last.outlets == ("NBC News", "The Guardian", "Dawn")
