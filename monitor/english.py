"""English words: those that carry no meaning by themselves, and the stem of the others."""

from __future__ import annotations

from functools import lru_cache

import snowballstemmer

_FUNCTION_WORDS = """
a about after again against all also am amid an and any are as at be because been before being
between both but by can could did do does down during each even ever few for from further get gets
had has have he her here hers him his how i if in into is it its just may me might more most much
must my near new no nor not now of off on once only or other our out over own per said say says she
should since so some still such than that the their them then there these they this those through
to too under until up upon us very via was we were what when where which while who whom why will
with within without would yet you your s t re ve ll d m
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return the stem of a lower-case word (Snowball): "strikes", "striking" -> "strike"."""
    return str(_stemmer.stemWord(word))
