"""The errors a caller may meet.

    WirewatchError
    ├── ConfigError          the configuration is wrong; carries every problem found
    ├── StoreError           Redis/Valkey: unreachable, unsafe, or held by another service
    │   ├── StoreUnsafe
    │   ├── DataFolderHeld
    │   └── LeaseLost        another process took over; what this one was about to write was refused
    ├── ModelError           the embedding model is missing, altered or unusable
    ├── FetchError           one fetch failed; `.reason` is a `FetchReason`
    ├── ParseError           one document could not be parsed; `.reason` is a `FetchReason`
    └── DeliveryError        one channel could not be set up or used

Messages are for people: what is wrong, where, what to do. They never carry a secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.reasons import FetchReason


class WirewatchError(Exception):
    """Anything Wirewatch raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration, as `file:line: what is wrong; what to do`."""

    file: str
    line: int
    message: str
    severity: str = "error"  # "error" stops the service; "warning" only speaks

    def __str__(self) -> str:
        mark = "" if self.severity == "error" else f"{self.severity}: "
        return f"{self.file}:{self.line}: {mark}{self.message}"


class ConfigError(WirewatchError):
    """The configuration cannot be used. `problems` holds every mistake, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class StoreError(WirewatchError):
    """The store cannot be reached or used."""


class StoreUnsafe(StoreError):
    """The store would lose or evict data (no append-only file, or an eviction policy)."""


class DataFolderHeld(StoreError):
    """Another running service holds this data folder."""


class LeaseLost(StoreError):
    """A newer holder owns the lease: nothing of this write was applied."""


class ModelError(WirewatchError):
    """The embedding model is missing, altered or cannot be loaded."""


class FetchError(WirewatchError):
    """A fetch failed for a named reason."""

    def __init__(self, reason: FetchReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class ParseError(FetchError):
    """A document was fetched but could not be turned into entries."""


class DeliveryError(WirewatchError):
    """A channel could not be set up or used."""
