"""From stories to vectors: what is embedded, and the models that do it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from monitor.embedding.passages import event_passage, event_text, passages
from monitor.model import EmbeddedStory
from monitor.models import base

if TYPE_CHECKING:
    from monitor.config.schema import EmbeddingSettings
    from monitor.model import Matrix, Story, Vector
    from monitor.models.library import Library


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

    @property
    def one_view(self) -> bool:
        """Whether a text's one vector serves topics and events alike."""
        ...

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector for each text, in the same order, shape (len(texts), dimension).

        Empty text gives a vector as well. Raises ModelError when the model cannot compute.
        """
        ...

    def encode_happenings(self, texts: Sequence[str]) -> Matrix:
        """Return a unit vector for each headline (with lead): near where one happening is told.

        Shape (len(texts), e); (len(texts), 0) from a model that has no such view. Raises ModelError
        when the model cannot compute.
        """
        ...


class PairJudge(Protocol):
    """Reads two reports together and says whether they tell of one event."""

    @property
    def fingerprint(self) -> str:
        """Return what names its answers."""
        ...

    def score(self, first: Sequence[str], second: Sequence[str]) -> Vector:
        """Return the logit of "one event" for each pair. Raises ModelError."""
        ...


def library_of(model: Embedder) -> Library | None:
    """Return the models that come with an encoder; only the packaged one has others beside it."""
    return getattr(model, "library", None)


def pair_judge(model: Embedder) -> PairJudge | None:
    """Return the pair judge that comes with a model, or None; it is loaded when first asked."""
    library = library_of(model)
    return library.pair_judge if library is not None else None


def embed_stories(model: Embedder, stories: Sequence[Story], limit: int) -> list[EmbeddedStory]:
    """Return stories with the vectors of their passages, at most `limit` passages each.

    Raises:
        ModelError: the model cannot compute.
    """
    groups = [passages(story, limit) for story in stories]
    vectors = model.encode([part.embedded for parts in groups for part in parts])
    second = None
    if not model.one_view:
        second = model.encode_happenings([event_text(parts) for parts in groups])
    embedded, at = [], 0
    for place, (story, parts) in enumerate(zip(stories, groups, strict=True)):
        rows = vectors[at : at + len(parts)]
        happening = rows[event_passage(parts)] if second is None else second[place]
        embedded.append(EmbeddedStory(story, parts, rows, model.fingerprint, happening))
        at += len(parts)
    return embedded


def open_embedder(settings: EmbeddingSettings) -> Embedder:
    """Return the embedder that the settings ask for; the model `hashing` needs no weights.

    Raises:
        ModelError: the model is missing, altered or unusable; says what to do.
    """
    if settings.model == "hashing":
        from monitor.embedding.hashing import HashingEmbedder

        return HashingEmbedder()
    if settings.model == base.NAME:
        from monitor.embedding.multilingual import MultilingualEmbedder

        return MultilingualEmbedder(
            precision=settings.precision,
            batch_size=settings.batch_size,
            threads=settings.threads,
        )
    from monitor.embedding.transformer import TransformerEmbedder

    return TransformerEmbedder(
        settings.model,
        precision=settings.precision,
        batch_size=settings.batch_size,
        threads=settings.threads,
    )
