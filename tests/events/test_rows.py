"""The window's arrays: exact search in blocks finds what a look at every row finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events import index_rows
from monitor.events.features import Member
from monitor.events.index_rows import Rows


def member(name: str, vector: np.ndarray, time: float) -> Member:
    """Return a story that is nothing but a vector and a time."""
    terms, flags = np.ones(1, np.int32), np.zeros(1, np.uint8)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return Member(name, name, "", "", time, unit, terms, flags, (), model="m")


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 300), st.integers(1, 20), st.sampled_from([0.0, 0.4])
)
def test_search_finds_the_nearest_and_nothing_else(
    seed: int, count: int, most: int, floor: float
) -> None:
    """For every query: the most similar rows at or above the floor and recent enough, exactly."""
    made = np.random.default_rng(seed)
    held = Rows()
    held.expect("m", 8)
    for at in range(count):
        held.add(member(f"s{at}", made.standard_normal(8), float(at)))
    for name in made.permutation(count)[: count // 4]:
        held.drop(f"s{name}")
    queries = [member("q", made.standard_normal(8), 0.0).vector for _ in range(5)]
    since = count / 3
    for query, (found, sims) in zip(
        [*queries, np.zeros(3, np.float32)],
        held.search([*queries, np.zeros(3, np.float32)], floor, most, since),
        strict=True,
    ):
        if len(query) != 8:
            assert len(found) == 0
            continue
        every = held.vectors[: held.size] @ query
        good = [at for at in range(held.size) if every[at] >= floor and held.times[at] >= since]
        best = sorted((every[at] for at in good), reverse=True)[:most]
        assert sorted(sims.tolist(), reverse=True) == pytest.approx(best, abs=1e-6)
        assert every[found] == pytest.approx(sims, abs=1e-6)
        assert len(set(found.tolist())) == len(found)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of many blocks gives what one block gives."""
    made = np.random.default_rng(3)
    held = Rows()
    held.expect("m", 16)
    for at in range(2000):
        held.add(member(f"s{at}", made.standard_normal(16), float(at)))
    queries = [member("q", made.standard_normal(16), 0.0).vector for _ in range(20)]
    whole = held.search(queries, 0.1, 12)
    monkeypatch.setattr(index_rows, "BLOCK", 70)
    for (ours, _), (theirs, _) in zip(held.search(queries, 0.1, 12), whole, strict=True):
        assert set(ours.tolist()) == set(theirs.tolist())
