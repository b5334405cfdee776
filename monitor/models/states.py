"""The one place that computes: from tokens to the mean of the last hidden states.

Encoder and judges go through `mean_states`. A faster runtime replaces this function alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from monitor.errors import ModelError
from monitor.model import Matrix

if TYPE_CHECKING:
    from monitor.models.bert import Bert

PAD = 1  # of XLM-R's vocabulary


def mean_states(model: Bert, texts: Sequence[Sequence[int]], batch_size: int) -> Matrix:
    """Return one row for each text of tokens, shape (len(texts), hidden), in their order.

    Texts of like length are computed together, so that a batch holds little padding.

    Raises:
        ModelError: the model cannot compute.
    """
    import torch

    found = np.zeros((len(texts), model.hidden), dtype=np.float32)
    order = np.argsort([len(text) for text in texts], kind="stable")
    try:
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                part = order[start : start + batch_size]
                width = max(len(texts[at]) for at in part)
                ids = torch.full((len(part), width), PAD)
                mask = torch.zeros((len(part), width), dtype=torch.bool)
                for row, at in enumerate(part):
                    ids[row, : len(texts[at])] = torch.tensor(texts[at])
                    mask[row, : len(texts[at])] = True
                states = model(ids, mask).float()
                total = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
                found[part] = total.numpy()
    except (RuntimeError, MemoryError) as error:
        raise ModelError(f"the model failed on {len(texts)} texts: {error}") from error
    return found
