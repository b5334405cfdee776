"""Cross-encoders of sentence-transformers, for the second look."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from monitor.errors import ModelError

Judge = Callable[[Sequence[tuple[str, str]]], npt.NDArray[np.float32]]


def load_judge(model: str) -> Judge:
    """Load a cross-encoder (a folder, or a name the library knows); return its judgement, 0 to 1.

    Raises:
        ModelError: it cannot be loaded.
    """
    try:
        import torch
        from sentence_transformers import CrossEncoder

        encoder = CrossEncoder(model, device="cpu", num_labels=1)
    except Exception as error:  # the library raises whatever its parts raise
        raise ModelError(
            f"the cross-encoder {model!r} cannot be loaded ({error}); "
            "set embedding.second_look to a folder or a model that is there, or leave it out"
        ) from None

    def judge(pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        found = encoder.predict(
            list(pairs), activation_fn=torch.nn.Sigmoid(), show_progress_bar=False
        )
        return np.asarray(found, dtype=np.float32).reshape(len(pairs))

    return judge
