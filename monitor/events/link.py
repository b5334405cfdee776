"""How strongly two stories speak of the same happening: features, weights, and why.

A small logistic model over a handful of readable features (weights in `weights.json`, learned by
`benchmarks/events.py --fit`; see docs/explanation/events.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.events.features import TERMS, Member
from monitor.events.text import BUCKETS, NAME, NUMBER, TITLE

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

FEATURES = ("dense", "sparse", "rarest", "names", "numbers", "clash", "gap")
_WEIGHTS = np.array([14.0, 5.0, 0.0, 0.0, 0.0, 0.0, -0.3], np.float32)
_BIAS = -9.0


@dataclass(frozen=True, slots=True)
class Query:
    """A story as one side of many comparisons."""

    terms: Ints
    flags: Bytes
    time: float


def pad(member: Member) -> tuple[Ints, Bytes]:
    """Return a member's terms and flags padded with zeros to `TERMS`."""
    terms, flags = np.zeros(TERMS, np.int32), np.zeros(TERMS, np.uint8)
    terms[: len(member.terms)], flags[: len(member.flags)] = member.terms, member.flags
    return terms, flags


def features(
    query: Member,
    dense: Floats,
    terms: Ints,
    flags: Bytes,
    times: npt.NDArray[np.float64],
    idf: Floats,
) -> Floats:
    """Compare one story with n others; returns shape (n, len(FEATURES)).

    `terms` and `flags` have shape (n, TERMS), `dense` holds n cosines, `idf` one weight for each
    vocabulary bucket (0 for the padding bucket).
    """
    mine, mine_flags = query.terms, query.flags
    same = terms[:, :, None] == mine[None, None, :]  # (n, TERMS, k)
    theirs_hit, mine_hit = same.any(axis=2), same.any(axis=1)  # (n, TERMS), (n, k)
    theirs_weight = idf[terms] * np.where(flags & TITLE, 1.0, 0.5)
    mine_weight = idf[mine] * np.where(mine_flags & TITLE, 1.0, 0.5)
    shared = (same * (theirs_weight[:, :, None] * mine_weight[None, None, :])).sum(axis=(1, 2))
    norms = np.sqrt((theirs_weight**2).sum(axis=1) * (mine_weight**2).sum()) + 1e-6
    mine_idf = idf[mine]
    hit_idf = np.where(mine_hit, mine_idf[None, :], 0.0)
    number = (mine_flags & NUMBER) > 0
    name = ((mine_flags & NAME) > 0) & ~number
    shared_names = (hit_idf * name).sum(axis=1) / 10.0
    shared_numbers = (mine_hit & number).sum(axis=1)
    their_numbers = ((flags & NUMBER) > 0) & ((flags & TITLE) > 0)
    clash = (their_numbers & ~theirs_hit).any(axis=1) & bool(
        (number & ((mine_flags & TITLE) > 0)).any()
    )
    clash &= shared_numbers == 0
    gap = np.abs(times - query.time) / 86400.0
    return np.stack(
        [
            dense,
            shared / norms,
            hit_idf.max(axis=1, initial=0.0) / 10.0,
            shared_names,
            np.minimum(shared_numbers, 2),
            clash,
            np.minimum(gap, 5.0),
        ],
        axis=1,
    ).astype(np.float32)


def logits(table: Floats) -> Floats:
    """Return the log-odds that each compared pair speaks of one happening."""
    return np.asarray(table @ _WEIGHTS + _BIAS, dtype=np.float32)


def probability(logit: float) -> float:
    """Return the probability of a log-odds."""
    return float(1.0 / (1.0 + np.exp(-np.clip(logit, -30, 30))))


def prior() -> tuple[npt.NDArray[np.float32], float]:
    """Return document frequencies known beforehand, by bucket, and the number of documents."""
    return _PRIOR, _PRIOR_SIZE


_PRIOR = np.zeros(BUCKETS, np.float32)
_PRIOR_SIZE = 1000.0
