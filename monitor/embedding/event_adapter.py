"""The second view of the packaged model: headlines near where they tell of one happening.

A sentence model puts texts near that are about the same things; two raids in two towns are about
the same things and are two happenings. Low-rank changes to the model's weights (LoRA, Hu et al.
2021), learned from labelled headlines, move it from the one to the other. They are small
enough to be shipped; `benchmarks/fit_events.py` learns them anew.
"""

from __future__ import annotations

import copy
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from monitor.errors import ModelError

FILE = Path(__file__).with_name("event_adapter.npz")


def weights_of() -> str:
    """Return the hash of the weights that the changes were learned for."""
    with np.load(FILE) as data:
        return str(data["weights"])


@cache
def version() -> str:
    """Return a short name of the changes."""
    return hashlib.blake2b(FILE.read_bytes(), digest_size=4).hexdigest()


def adapted(model: Any, changes: Path = FILE) -> Any:
    """Return a copy of a loaded model with the changes applied; both share the word vectors.

    Raises:
        ModelError: the installed library names the model's parts otherwise.
    """
    import torch

    shared = [module for name, module in model.named_modules() if name.endswith("embeddings")]
    changed = copy.deepcopy(model, {id(module): module for module in shared})
    parameters = dict(changed.named_parameters())
    with np.load(changes) as data, torch.no_grad():
        for name in (key.removesuffix("/down") for key in data.files if key.endswith("/down")):
            down, up = (torch.from_numpy(data[f"{name}/{part}"]).float() for part in ("down", "up"))
            weight = next((one for key, one in parameters.items() if key.endswith(name)), None)
            if weight is None:
                raise ModelError(f"the model has no part {name}; reinstall sentence-transformers")
            weight += (up @ down).to(weight.dtype)
    return changed
