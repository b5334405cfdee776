"""`/metrics`: what this process has counted, in Prometheus' format, for whoever may read."""

from __future__ import annotations

from starlette.responses import Response

from monitor.desk.ask import Ask
from monitor.observability import metrics


async def show(ask: Ask) -> Response:
    """Send the metrics of the process that serves the desk."""
    page, content_type = metrics.exposition()
    return Response(page, headers={"Content-Type": content_type})
