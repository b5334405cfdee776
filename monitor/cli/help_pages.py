"""Which page of the documentation says more about an error."""

from __future__ import annotations

from monitor.errors import (
    ConfigError,
    DataFolderHeld,
    DeliveryError,
    FetchError,
    ModelError,
    ParseError,
    StoreError,
    StoreUnsafe,
)

MISTAKES = "docs/how-to/mistakes.md"
SETTINGS = "docs/reference/configuration.md"
# The first that fits: narrower kinds of errors come before wider ones.
_PAGES: tuple[tuple[type[Exception], str], ...] = (
    (ConfigError, f"{MISTAKES}, {SETTINGS}"),
    (StoreUnsafe, "docs/how-to/deploy.md#the-store-elsewhere"),
    (DataFolderHeld, "docs/how-to/operators.md#one-process"),
    (StoreError, "docs/how-to/operators.md#the-store"),
    (ModelError, "docs/explanation/matching.md#models"),
    (ParseError, "docs/explanation/intake.md"),
    (FetchError, "docs/how-to/analysts.md#feeds"),
    (DeliveryError, "docs/how-to/newsrooms.md#try-a-channel"),
)


def page_for(error: Exception) -> str:
    """Return the page (several: separated by commas) on an error of Wirewatch's, or ""."""
    return next((page for kind, page in _PAGES if isinstance(error, kind)), "")


def with_page(error: Exception) -> str:
    """Return what an error says, and below it where to read on."""
    page = page_for(error)
    return f"{error}\nMore: {page}" if page else str(error)
