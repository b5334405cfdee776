"""How strongly two stories speak of the same happening: five features, their weights, and why.

A logistic model. The weights were learned on `events_dev` and slices of `uci_news_stories` (see
docs/explanation/events.md); `python benchmarks/events.py --fit` learns them anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.events.features import TERMS, Member
from monitor.events.text import BUCKETS, NUMBER, TITLE, bucket

Floats = npt.NDArray[np.float32]

FREQUENCIES = Path(__file__).with_name("frequencies.txt")
_ASIDE = 0.6  # what a word counts that stands in the text below a headline only

#: meaning   cosine in the evened-out space (see `space`)
#: rarest    weight (idf / 10) of the rarest word both use
#: second    the same of the second rarest
#: clash     1 if each headline has a number that the other story lacks
#: gap       days between them, at most 5
FEATURES = ("meaning", "rarest", "second", "clash", "gap")
WEIGHTS = np.array([11.9, 0.2, 2.6, -1.45, -2.1], np.float32)
BIAS = -5.7


@cache
def prior() -> tuple[Floats, float]:
    """Return document frequencies known beforehand, by bucket, and the number of documents."""
    counts = np.zeros(BUCKETS, np.float32)
    _, size, *lines = FREQUENCIES.read_text(encoding="utf-8").splitlines()
    for line in lines:
        word, count = line.split()
        counts[bucket(word)] += float(count)
    return counts, float(size)


def pad(member: Member) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Return a member's terms and flags padded with zeros to `TERMS`."""
    terms, flags = np.zeros(TERMS, np.int32), np.zeros(TERMS, np.uint8)
    terms[: len(member.terms)], flags[: len(member.flags)] = member.terms, member.flags
    return terms, flags


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
    same = terms[:, :, None] == story.terms[None, None, :]  # (n, used, k)
    weight = np.where(flags & TITLE, 1.0, _ASIDE)
    mine = idf[story.terms] * np.where(story.flags & TITLE, 1.0, _ASIDE)
    shared = (same * weight[:, :, None]).max(axis=1, initial=0.0) * mine  # (n, k)
    shared.sort(axis=1)
    rarest = shared[:, -1] if shared.shape[1] > 0 else np.zeros(len(terms))
    second = shared[:, -2] if shared.shape[1] > 1 else np.zeros(len(terms))
    in_title = TITLE | NUMBER
    theirs_only = ((flags & in_title) == in_title) & ~same.any(axis=2)
    mine_only = ((story.flags & in_title) == in_title) & ~same.any(axis=1)
    clash = theirs_only.any(axis=1) & mine_only.any(axis=1)
    gap = np.minimum(np.abs(times - story.time) / 86400.0, 5.0)
    return np.stack([meaning, rarest / 10, second / 10, clash, gap], axis=1).astype(np.float32)


def probabilities(table: Floats) -> Floats:
    """Return the probability that each compared pair speaks of one happening."""
    odds = np.clip(table @ WEIGHTS + BIAS, -30, 30)
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float32)
