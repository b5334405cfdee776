"""How strongly two stories speak of the same happening: five features, their weights, and why.

A logistic model, learned from labelled headlines (see docs/explanation/events.md);
`python -m benchmarks.fit_events` learns the weights anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.events.features import Member
from monitor.events.text import BUCKETS, NUMBER, TITLE, bucket

Floats = npt.NDArray[np.float32]

FREQUENCIES = Path(__file__).with_name("frequencies.txt")
_ASIDE = 0.6  # what a word counts that stands in the text below a headline only

#: meaning   cosine in the space of happenings (see `space`)
#: rarest    weight (idf / 10) of the rarest word both use
#: clash     1 if each headline has a number that the other story lacks
#: leads     1 if both have text below the headline: then more of all they say is alike
#: gap       days between them, at most 5
FEATURES = ("meaning", "rarest", "clash", "leads", "gap")
WEIGHTS = np.array([11.3, 2.5, -0.55, -0.9, -0.9], np.float32)
BIAS = -7.75


@cache
def prior() -> tuple[Floats, float]:
    """Return document frequencies known beforehand, by bucket, and the number of documents."""
    counts = np.zeros(BUCKETS, np.float32)
    _, size, *lines = FREQUENCIES.read_text(encoding="utf-8").splitlines()
    for line in lines:
        word, count = line.split()
        counts[bucket(word)] += float(count)
    return counts, float(size)


def features(
    story: Member,
    meaning: Floats,
    terms: npt.NDArray[np.int32],
    flags: npt.NDArray[np.uint8],
    times: npt.NDArray[np.float64],
    idf: Floats,
) -> Floats:
    """Compare one story with n others; returns shape (n, len(FEATURES)).

    `terms` and `flags` have shape (n, TERMS), `meaning` holds n similarities, `idf` one weight for
    each vocabulary bucket (0 for the padding bucket).
    """
    used = int(np.count_nonzero(terms, axis=1).max(initial=1))  # most rows are half padding
    terms, flags = terms[:, :used], flags[:, :used]
    mine_terms, mine_flags = np.asarray(story.terms), np.frombuffer(story.flags, np.uint8)
    same = terms[:, :, None] == mine_terms  # (n, used, k)
    weight = np.where(flags & TITLE, 1.0, _ASIDE)
    mine = idf[mine_terms] * np.where(mine_flags & TITLE, 1.0, _ASIDE)
    shared = (same * weight[:, :, None]).max(axis=1, initial=0.0) * mine  # (n, k)
    rarest = shared.max(axis=1, initial=0.0)
    in_title = TITLE | NUMBER
    theirs_only = ((flags & in_title) == in_title) & ~same.any(axis=2)
    mine_only = ((mine_flags & in_title) == in_title) & ~same.any(axis=1)
    clash = theirs_only.any(axis=1) & mine_only.any(axis=1)
    leads = _below(flags, terms).any(axis=1) & _below(mine_flags, mine_terms).any()
    gap = np.minimum(np.abs(times - story.time) / 86400.0, 5.0)
    return np.stack([meaning, rarest / 10, clash, leads, gap], axis=1).astype(np.float32)


def _below(flags: npt.NDArray[np.uint8], terms: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Return which terms stand below the headline only."""
    return np.asarray((terms > 0) & (flags & TITLE == 0), np.bool_)


def probabilities(table: Floats) -> Floats:
    """Return the probability that each compared pair speaks of one happening."""
    odds = np.clip(table @ WEIGHTS + BIAS, -30, 30)
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float32)
