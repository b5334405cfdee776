"""The history is written by senders too: their fixtures are used here."""

from tests.delivery.conftest import desk, slack

__all__ = ["desk", "slack"]
