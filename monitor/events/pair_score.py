"""How strongly two stories speak of the same event: features, their weights, and why.

A logistic model, learned from labelled news (docs/explanation/events.md); `python -m
benchmarks.fit_events` learns the weights anew. Its probability is what vectors, words and names
can tell. Near the threshold the pair judge (`pair_judge`) reads both reports, and `with_judge`
weighs its answer in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.events.features import Member
from monitor.events.place_names import places
from monitor.events.text import BUCKETS, NAME, NUMBER, TITLE, bucket

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

FREQUENCIES = Path(__file__).with_name("frequencies.txt")
_ASIDE = 0.6  # what a word counts that stands in the text below a headline only

#: meaning    cosine in the space of events (see `vector_space`)
#: rarest     weight (idf / 10) of the rarest word both use
#: clash      1 if each headline has a number that the other story lacks
#: leads      1 if both have text below the headline: then more of all they say is alike
#: gap        days between them, at most 5
#: elsewhere  1 if each names places, in countries that the other does not name
#: town       1 if each headline names a town or region of the same country, but not the other's
#: here       1 if both name the same town or region
#: others     1 if each headline has names that the other story lacks, and they share none
FEATURES = ("meaning", "rarest", "clash", "leads", "gap", "elsewhere", "town", "here", "others")
WEIGHTS = np.array([11.3, 2.5, -0.55, -0.9, -0.9, -1.0, -0.5, 0.3, 0.0], np.float32)
BIAS = -7.75
#: The encoder taught for events has cosines of another scale.
ENCODER = "multilingual-e5-small"
ENCODER_WEIGHTS = np.array([12.3, 3.2, -1.2, -0.5, -1.3, -2.0, -0.8, 1.4, 0.0], np.float32)
ENCODER_BIAS = -11.9
# Log odds after the judge has read both: share of those before, share of the judge's logit, a
# constant, and what other countries and towns take off once more: the judge is weak there, too.
JUDGED = (0.5, 0.5, 0.5, -2.5, -0.8)


@dataclass(frozen=True, slots=True)
class Others:
    """What one story is compared with: n others, one row each (see `index_rows`)."""

    terms: npt.NDArray[np.int32]
    flags: npt.NDArray[np.uint8]
    times: npt.NDArray[np.float64]
    places: npt.NDArray[np.uint16]
    main: npt.NDArray[np.uint8]


@cache
def prior() -> tuple[Floats, float]:
    """Return document frequencies known beforehand, by bucket, and the number of documents."""
    counts = np.zeros(BUCKETS, np.float32)
    _, size, *lines = FREQUENCIES.read_text(encoding="utf-8").splitlines()
    for line in lines:
        word, count = line.split()
        counts[bucket(word)] += float(count)
    return counts, float(size)


@cache
def _countries() -> npt.NDArray[np.uint16]:
    return np.asarray(places().country, np.uint16)


def features(story: Member, meaning: Floats, others: Others, idf: Floats) -> Floats:
    """Compare one story with n others; returns shape (n, len(FEATURES)).

    `meaning` holds n similarities, `idf` one weight for each vocabulary bucket (0 for the padding
    bucket).
    """
    terms, flags = others.terms, others.flags
    used = int(np.count_nonzero(terms, axis=1).max(initial=1))  # most rows are half padding
    terms, flags = terms[:, :used], flags[:, :used]
    mine_terms, mine_flags = np.asarray(story.terms), np.frombuffer(story.flags, np.uint8)
    same = terms[:, :, None] == mine_terms  # (n, used, k)
    weight = np.where(flags & TITLE, 1.0, _ASIDE)
    mine = idf[mine_terms] * np.where(mine_flags & TITLE, 1.0, _ASIDE)
    shared = (same * weight[:, :, None]).max(axis=1, initial=0.0) * mine  # (n, k)
    rarest = shared.max(axis=1, initial=0.0)
    leads = _below(flags, terms).any(axis=1) & _below(mine_flags, mine_terms).any()
    gap = np.minimum(np.abs(others.times - story.time) / 86400.0, 5.0)
    clash = _each_alone(flags, mine_flags, same, TITLE | NUMBER)
    others_named = _each_alone(flags, mine_flags, same, TITLE | NAME) & ~_both(
        flags, mine_flags, same, NAME
    )
    table = [meaning, rarest / 10, clash, leads, gap, *_places(story, others), others_named]
    return np.stack(table, axis=1).astype(np.float32)


def _each_alone(
    flags: npt.NDArray[np.uint8], mine: npt.NDArray[np.uint8], same: Bools, wanted: int
) -> Bools:
    """Return where each of two headlines has a term of a kind that the other story lacks."""
    theirs_only = ((flags & wanted) == wanted) & ~same.any(axis=2)
    mine_only = ((mine & wanted) == wanted) & ~same.any(axis=1)
    return np.asarray(theirs_only.any(axis=1) & mine_only.any(axis=1), np.bool_)


def _both(
    flags: npt.NDArray[np.uint8], mine: npt.NDArray[np.uint8], same: Bools, kind: int
) -> Bools:
    """Return where two stories share a term that is of a kind in either."""
    either = ((flags & kind) > 0)[:, :, None] | ((mine & kind) > 0)
    return np.asarray((same & either).any(axis=(1, 2)), np.bool_)


def _places(story: Member, others: Others) -> tuple[Bools, Bools, Bools]:
    """Return where two stories are `elsewhere`, in another `town`, and `here` (see FEATURES)."""
    country = _countries()
    theirs = others.places  # (n, p), 0 where there is none
    none = np.zeros(len(theirs), np.bool_)
    if not len(story.places):
        return none, none, none
    mine = np.asarray(story.places, np.uint16)
    main_theirs = np.arange(theirs.shape[1]) < others.main[:, None]
    main_mine = np.arange(len(mine)) < story.main
    both = (others.main > 0) & (story.main > 0)

    def meets(same: Bools) -> Bools:
        """Whether a main place of either is among all places of the other."""
        counts = same & (main_theirs[:, :, None] | main_mine)
        return np.asarray(counts.any(axis=(1, 2)), np.bool_)

    known = (theirs > 0)[:, :, None]
    elsewhere = both & ~meets(known & (country[theirs][:, :, None] == country[mine]))
    town_theirs, town_mine = country[theirs] != theirs, country[mine] != mine
    towns = known & (theirs[:, :, None] == mine) & town_mine
    here = np.asarray(towns.any(axis=(1, 2)), np.bool_)
    each = (main_theirs & town_theirs).any(axis=1) & bool((main_mine & town_mine).any())
    town = both & ~elsewhere & each & ~meets(towns)
    return elsewhere, town, here


def _below(flags: npt.NDArray[np.uint8], terms: npt.NDArray[np.int32]) -> Bools:
    """Return which terms stand below the headline only."""
    return np.asarray((terms > 0) & (flags & TITLE == 0), np.bool_)


def doubtful(table: Floats) -> Bools:
    """Return which pairs have evidence against them: enough not to count as confirmation."""
    column = {name: table[:, at] > 0 for at, name in enumerate(FEATURES) if name != "meaning"}
    differ = (column["clash"] | column["others"]) & ~column["here"]
    return np.asarray(column["elsewhere"] | column["town"] | differ, np.bool_)


def distance(table: Floats) -> Floats:
    """Return what the places of each pair take off its log odds beside the judge's answer."""
    countries, towns = JUDGED[3:]
    apart = table[:, FEATURES.index("elsewhere")], table[:, FEATURES.index("town")]
    return np.asarray(countries * apart[0] + towns * apart[1], np.float32)


def probabilities(table: Floats, model: str = "") -> Floats:
    """Return the probability that each compared pair speaks of one event.

    `model` names what made the vectors: weights belong to it.
    """
    taught = model.startswith(ENCODER)
    weights, bias = (ENCODER_WEIGHTS, ENCODER_BIAS) if taught else (WEIGHTS, BIAS)
    odds = np.clip(table @ weights + bias, -30, 30)
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float32)


def logit(probability: float) -> float:
    """Return the log odds of a probability."""
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(bounded / (1 - bounded)))


def judged_shift(probability: float, judge: float, distance: float) -> float:
    """Return by how much the judge's logit and the `distance` of places move the log odds."""
    before = logit(probability)
    old, new, constant = JUDGED[:3]
    return old * before + new * judge + constant + distance - before


def shifted(probability: float, shift: float) -> float:
    """Return a probability whose log odds are moved by `shift`."""
    return float(1.0 / (1.0 + np.exp(-np.clip(logit(probability) + shift, -30, 30))))
