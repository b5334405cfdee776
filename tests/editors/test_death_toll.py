"""The dead that a headline newly reports: numbers count, wording and background do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.death_toll import death_toll
from monitor.editors.severity import level_of


@pytest.mark.parametrize(
    ("headline", "dead"),
    [
        ("Quake death toll surpasses 240", 240),
        ("Tower fire: death toll rises to 1,146 as city mourns", 1146),
        ("At least 15 dead, dozens missing as ferry capsizes", 15),
        ("At least 15 dead after overcrowded ferry capsizes", 15),
        ("Night club fire kills at least twelve", 12),
        ("Hundreds killed as dam bursts", 200),
        ("Helicopter crashes, killing two people and sparking a fire", 2),
        ("BREAKING: SHOCK as horror crash stuns nation", 0),
        ("One killed in strike", 0),
        ("Province orders probe after night club fire kills 25", 0),
        ("Company admits fault in collision that killed 67", 0),
        ("Hundreds feared dead in landslide", 0),
        ("A year on, families of the 346 killed still wait", 0),
        ("Man sentenced for killing 12", 0),
        ("Attack of 1944 killed 642", 0),
        ("Seven elephants killed by train", 0),
        ("30 wounded and 2 killed in raid", 2),
        ("Team kills off hopes with 3 late goals", 0),
        ("Killed 15 minutes before dawn", 0),
    ],
)
def test_what_a_headline_newly_reports(headline: str, dead: int) -> None:
    """New tolls are read in digits and words; looking back, fearing and animals are no toll."""
    assert death_toll(headline) == dead


@given(st.text(max_size=300))
def test_any_headline_gives_a_number(headline: str) -> None:
    """No text of a publisher's raises."""
    assert level_of(death_toll(headline))


@pytest.mark.parametrize(
    ("toll", "level"),
    [(0, "none"), (1, "none"), (2, "notable"), (9, "notable"), (10, "major"), (99, "major"),
     (100, "flash")],
)  # fmt: skip
def test_levels_by_number(toll: int, level: str) -> None:
    """The numbers of the rules: 2, 10 and 100."""
    assert level_of(toll) == level
