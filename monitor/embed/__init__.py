"""From stories to vectors: what is embedded, and the models that do it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from monitor.config.schema import EmbeddingSettings
    from monitor.model import Matrix


class Embedder(Protocol):
    """A model that turns texts into unit vectors.

    The same text gives the same vector whatever else is in the batch, up to rounding of the
    precision in use. `fingerprint` changes with the model, its weights and the rules in `text.py`,
    never with precision or machine: vectors of different fingerprints are not comparable.
    """

    @property
    def fingerprint(self) -> str:
        """Return `name/weights/tN`: model, short hash of its weights, version of the text rules."""
        ...

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector for each text, in the same order, shape (len(texts), dimension).

        Empty text gives a vector as well. Raises ModelError when the model cannot compute.
        """
        ...


def open_embedder(settings: EmbeddingSettings) -> Embedder:
    """Return the embedder that the settings ask for; the model `hashing` needs no weights.

    Raises:
        ModelError: the model is missing, altered or unusable; says what to do.
    """
    if settings.model == "hashing":
        from monitor.embed.hashing import HashingEmbedder

        return HashingEmbedder()
    from monitor.embed.transformer import TransformerEmbedder

    return TransformerEmbedder(
        settings.model,
        precision=settings.precision,
        batch_size=settings.batch_size,
        threads=settings.threads,
    )
