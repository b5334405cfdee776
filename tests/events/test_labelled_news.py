"""Labelled news: our labels are numbers only, fit the data, and events come out as documented."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import labelled
from benchmarks.events import ours
from monitor.events import Owners


def test_labels_hold_no_text() -> None:
    """What is shipped are numbers of rows, happenings and levels, and hashes: no words."""
    for path in sorted((Path(labelled.__file__).parent / "labels").iterdir()):
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        assert head.endswith(("event", "level"))
        assert all(re.fullmatch(r"[0-9a-f\t]+", line) for line in lines), path


@pytest.mark.parametrize(
    ("found", "expected"),
    [("aabb", (1, 1, 1, 1, 1, 1)), ("aaaa", (1 / 3, 1, 0.5, 0.5, 1, 2 / 3)),
     ("abcd", (0, 0, 0, 1, 0.5, 2 / 3))],
)  # fmt: skip
def test_the_measures_are_the_published_ones(found: str, expected: tuple[float, ...]) -> None:
    """Pairwise and B-cubed figures of a case counted by hand."""
    assert labelled.measure("xxyy", found) == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.data
def test_labels_fit_the_data(data_folder: Path) -> None:
    """Every label finds its story."""
    own, (day,) = labelled.read_own(data_folder), labelled.read_day(data_folder)
    assert sum(len(part.stories) for part in own) == 31220
    assert len(day.stories) == len(day.gold) == 321
    assert all(part.stories == sorted(part.stories, key=lambda s: s.published) for part in own)


@pytest.mark.data
@pytest.mark.slow
def test_events_come_out_as_documented(data_folder: Path, tmp_path: Path) -> None:
    """Windows that the encoder has not learned from come out as documented; the link has."""
    owners = Owners.load()
    parts = [labelled.embed(part, tmp_path) for part in labelled.read_dev(data_folder)]
    figures = np.mean([labelled.measure(p.gold, ours(p.items, owners)) for p in parts], axis=0)
    assert figures[2] >= 0.71
    assert figures[5] >= 0.87
