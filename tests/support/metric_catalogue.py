"""Every metric of the service, as a scrape shows it."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Info

from monitor.observability import metrics


def catalogue() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return (name, type, labels, help) of every metric, as the pages and rules name it.

    Names are as scraped: counters end in `_total`, histograms stand for their `_bucket`,
    `_sum` and `_count` series.
    """
    rows = []
    for value in vars(metrics).values():
        if isinstance(value, Counter | Gauge | Histogram | Info):
            described = next(iter(value.describe()))
            suffix = {"counter": "_total", "info": "_info"}.get(described.type, "")
            labels = tuple(getattr(value, "_labelnames", ()))
            rows.append((described.name + suffix, described.type, labels, described.documentation))
    return sorted(rows)
