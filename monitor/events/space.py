"""The space in which stories are compared: a model's vectors with ordinary news evened out.

Plain cosines are dominated by what all news has in common. Subtracting the mean of ordinary
headlines and shrinking their strongest directions (a power of PCA whitening, exponent 0.35; cf.
Su et al. 2021, "Whitening sentence representations") makes what is particular to a happening
count: see docs/explanation/events.md for what it gains. `space.npz` holds mean and projection for
the packaged model; vectors of any other model are compared as they are.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.model import Vector

_FILE = Path(__file__).with_name("space.npz")
# A plain cosine c of another model is read as _SLOPE * c + _OFFSET in the evened-out space: the
# least-squares line between the two for the packaged model. Good enough to start from.
_SLOPE, _OFFSET = 1.03, -0.18
NOTHING: Vector = np.zeros(0, np.float32)


@cache
def _fitted() -> tuple[str, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    with np.load(_FILE) as data:
        mean, projection = data["mean"].astype(np.float32), data["projection"].astype(np.float32)
        return str(data["model"]), mean, projection


def is_fitted(model: str) -> bool:
    """Whether the space was fitted to the model of this fingerprint (`name/weights/…`)."""
    weights = _fitted()[0].rpartition("/")[2]
    return weights in model.split("/")


def project(vector: Vector, model: str) -> Vector:
    """Return the unit vector by which a story is compared, as exact as it is stored (float16)."""
    if is_fitted(model):
        _, mean, projection = _fitted()
        vector = np.asarray((vector - mean) @ projection, dtype=np.float32)
    length = float(np.linalg.norm(vector))
    unit = vector / length if length else vector
    return np.asarray(unit.astype(np.float16), dtype=np.float32)


def level(cosines: npt.NDArray[np.float32], model: str) -> npt.NDArray[np.float32]:
    """Return similarities on the scale of the fitted space."""
    if is_fitted(model):
        return cosines
    return np.where(cosines == 0, 0, _SLOPE * cosines + _OFFSET).astype(np.float32)
