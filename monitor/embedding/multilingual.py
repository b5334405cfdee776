"""The encoder that comes with Wirewatch: one vector a text, in a hundred languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from monitor.embedding.passages import TEXT_VERSION
from monitor.embedding.transformer import computes_bf16
from monitor.model import Matrix
from monitor.models import adapters, base
from monitor.models.library import shared
from monitor.observability.logs import get_logger

log = get_logger(__name__)


class MultilingualEmbedder:
    """Multilingual-e5-small as we taught it: near are reports of one event, and topic and story.

    Args:
        precision: "bf16" computes in bfloat16, "auto" does so only where the processor has the
            instructions.
        batch_size: texts computed at once.
        threads: of the processor; 0 leaves the choice to the machine.

    Raises:
        ModelError: the model is not there and cannot be made.
    """

    one_view = True

    def __init__(
        self,
        *,
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        batch_size: int = 64,
        threads: int = 0,
    ) -> None:
        bf16 = precision == "bf16" or (precision == "auto" and computes_bf16())
        if threads:
            import torch

            torch.set_num_threads(threads)
        self.library = shared(bf16=bf16, batch_size=batch_size)
        self.precision = "bf16" if bf16 else "fp32"
        self.encode(["ready"])
        log.info(
            "model_loaded", model=base.NAME, precision=self.precision, fingerprint=self.fingerprint
        )

    @property
    def fingerprint(self) -> str:
        """Return `name/weights/tN`; the weights are those of the base model and the adapter."""
        return f"{base.NAME}/{adapters.fingerprint(adapters.ENCODER)}/t{TEXT_VERSION}"

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return self.library.dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector for each text, shape (len(texts), dimension), same order."""
        return self.library.encode(texts)

    def encode_happenings(self, texts: Sequence[str]) -> Matrix:
        """Return the same vectors: this model needs no second view."""
        return self.library.encode(texts)
