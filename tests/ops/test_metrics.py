"""Metric names keep to Prometheus' conventions and exist from the start."""

from __future__ import annotations

import re

from monitor import metrics
from monitor.reasons import FetchReason, SuppressionReason


def test_names_follow_the_conventions() -> None:
    """One prefix, snake case, base units, a help text; counters end in _total."""
    rows = metrics.catalogue()
    assert len(rows) > 40
    for name, kind, labels, text in rows:
        assert re.fullmatch(r"wirewatch_[a-z0-9_]+", name)
        assert (kind == "counter") == name.endswith("_total")
        assert text.endswith(".")
        assert not re.search(r"_(ms|minutes|kb|percent)\b", name)
        assert not set(labels) & {"url", "feed", "story", "title"}, "unbounded label"


def test_every_reason_is_there_before_it_happens() -> None:
    """rate() and alert rules need a zero to start from."""
    page = metrics.exposition()[0].decode()
    for fetch in FetchReason:
        assert f'wirewatch_fetches_total{{reason="{fetch}"}}' in page
    for held in SuppressionReason:
        assert f'wirewatch_suppressions_total{{reason="{held}"}}' in page


def test_a_reason_counts_under_its_word() -> None:
    """A StrEnum is a label as it stands."""
    before = metrics.REGISTRY.get_sample_value("wirewatch_fetches_total", {"reason": "timeout"})
    metrics.FETCHES.labels(reason=FetchReason.TIMEOUT).inc()
    after = metrics.REGISTRY.get_sample_value("wirewatch_fetches_total", {"reason": "timeout"})
    assert after == (before or 0) + 1
