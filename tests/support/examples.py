"""How many examples a property is tried with: all in `make test`, few in `make test-fast`."""

from __future__ import annotations

from hypothesis import settings

QUICK = 20  # of a property that says nothing of its number


def examples(most: int) -> settings:
    """Try `most` examples in a whole run, a fifth of them where slow tests are left out."""
    quick = settings().max_examples == QUICK
    return settings(max_examples=max(QUICK, most // 5) if quick else most)
