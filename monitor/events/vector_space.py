"""The space in which stories are compared: what they are about, and which happening they tell.

A story has two views: the mean of its headline's and lead's vectors, and the vector of the event
adapter (`monitor.embedding.event_adapter`), in which reports of one event are near. Their cosines
are mixed, `SHARE` of the second to the rest of the first, which is the cosine of the two vectors
laid end to end; the projection keeps the strongest directions of those and loses nothing that can
be measured (docs/explanation/events.md). `vector_space.npz` holds it for the packaged model;
stories of any other model are compared by their plain vectors.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.model import Matrix, Vector

FILE = Path(__file__).with_name("vector_space.npz")
SHARE = 0.6  # of the second view in a cosine
# A plain cosine c of another model is read as _SLOPE * c + _OFFSET in the fitted space: the
# least-squares line between the two for the packaged model. Good enough to start from.
_SLOPE, _OFFSET = 1.05, -0.02
NOTHING: Vector = np.zeros(0, np.float32)


@cache
def _fitted() -> tuple[str, str, npt.NDArray[np.float32]]:
    with np.load(FILE) as data:
        return str(data["model"]), str(data["version"]), data["projection"].astype(np.float32)


def is_fitted(model: str) -> bool:
    """Whether the space was fitted to the model of this fingerprint (`name/weights/…`)."""
    return _fitted()[0] in model.split("/")


def name(model: str) -> str:
    """Return by what name a model's vectors are known here: only like may be compared with like."""
    return f"{model}/s{_fitted()[1]}" if is_fitted(model) else model


def place(mean: Vector, happening: Vector, model: str) -> Vector:
    """Return the unit vector by which a story is compared, as exact as it is stored (float16).

    Args:
        mean: of its headline's and lead's vectors, shape (d,).
        happening: its vector in the second view, shape (e,); empty if the model has none.
        model: fingerprint of the model that made them.

    A story of the packaged model that lacks the second view (it was embedded by an earlier release)
    has no place: it is compared by its words only.
    """
    vector = _unit(mean)
    if is_fitted(model):
        if not len(happening):
            return NOTHING
        vector = _unit(joined(vector, happening) @ _fitted()[2])
    return np.asarray(vector.astype(np.float16), dtype=np.float32)


def joined(mean: Vector, happening: Vector) -> Matrix:
    """Lay the unit vectors of both views end to end, so that their products are mixed."""
    both = (SHARE**0.5 * happening, (1 - SHARE) ** 0.5 * mean)
    return np.concatenate(both, axis=-1, dtype=np.float32)


def _unit(vector: Vector) -> Vector:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, dtype=np.float32)


def level(cosines: npt.NDArray[np.float32], model: str) -> npt.NDArray[np.float32]:
    """Return similarities on the scale of the fitted space."""
    if is_fitted(model):
        return cosines
    return np.where(cosines == 0, 0, _SLOPE * cosines + _OFFSET).astype(np.float32)
