"""Structured logs: an event name and named values, for people or as JSON, secrets removed."""

from __future__ import annotations

from typing import Any

import structlog


def get_logger(name: str) -> Any:
    """Return a logger: `log.info("poll_failed", feed="bbc", reason="timeout")`."""
    return structlog.get_logger(name)
