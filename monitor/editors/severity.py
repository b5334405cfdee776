"""How grave a happening is, read from a story's vector. Pure NumPy, no store.

The five levels measure consequence, not wording (docs/explanation/severity.md). The head is four
logistic steps on the encoder's vector of headline and lead, one for each "at least this level"; it
was taught together with the encoder (training/encoder.py) and is stored with it. Stories of another
encoder have no severity: `severity_of` returns "" and nothing is held back for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt

from monitor.editors.death_toll import death_toll, level_of
from monitor.model import EmbeddedStory, Vector
from monitor.models import adapters, base
from monitor.reasons import Severity

_SHARPNESS = 10.0  # of a cosine, as in training


@dataclass(frozen=True, slots=True)
class SeverityHead:
    """Four steps over the vectors of one encoder.

    `weights` has shape (d,), `offsets` shape (4,): the probability of "at least level n + 1" is the
    logistic of `weights @ vector - offsets[n]`.
    """

    encoder: str  # what the fingerprint of its encoder begins with
    weights: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.float32]

    @classmethod
    def load(cls) -> Self:
        """Read the head that is stored with the encoder's adapter.

        Raises:
            ModelError: the file is missing or damaged.
        """
        heads = adapters.heads(adapters.ENCODER)
        name = f"{base.NAME}/{adapters.fingerprint(adapters.ENCODER)}/"
        return cls(name, _SHARPNESS * heads["severity.weight"], heads["severity.bias"])

    def at_least(self, vector: Vector) -> tuple[float, ...]:
        """Return the probabilities of routine, notable, major and flash, or more."""
        logits = float(self.weights @ vector) - self.offsets
        return tuple(float(chance) for chance in 1.0 / (1.0 + np.exp(-logits)))

    def level(self, vector: Vector) -> Severity:
        """Return the highest level that is more likely reached than not."""
        return list(Severity)[sum(chance > 0.5 for chance in self.at_least(vector))]


@cache
def shipped_head() -> SeverityHead:
    """Return the head of the packaged encoder, read once.

    Raises:
        ModelError: its file is missing or damaged.
    """
    return SeverityHead.load()


def severity_of(item: EmbeddedStory) -> str:
    """Return a story's level as its word, or "" where its encoder has no head.

    The graver of what the head says and what the headline's death toll is by itself.
    """
    head = shipped_head()
    if not item.model.startswith(head.encoder):
        return ""
    kinds = [passage.kind for passage in item.passages]
    level = head.level(item.vectors[kinds.index("lead") if "lead" in kinds else 0])
    return max(level, level_of(death_toll(item.story.title)), key=Severity.rank).value
