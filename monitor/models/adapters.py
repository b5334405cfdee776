"""What we taught the base model: low-rank changes (LoRA, Hu et al. 2021), stored beside this file.

`training/` makes them, `weights/CARD.md` says from what and how good they are.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from monitor.errors import ModelError
from monitor.models import base

WEIGHTS = Path(__file__).parent / "weights"
ENCODER, TOPIC_JUDGE, PAIR_JUDGE, SEVERITY = "encoder", "topic_judge", "pair_judge", "severity"

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Adapter:
    """Changes by layer, (out, r) and (r, in) each, and the parts beside them ("head.bias", …)."""

    name: str
    fingerprint: str
    changes: dict[str, tuple[Array, Array]]
    heads: dict[str, Array]


@cache
def fingerprint(name: str) -> str:
    """Return what names the vectors or judgements of an adapter: base model and changes."""
    digest = hashlib.sha256(base.DATA_HASH.encode())
    digest.update((WEIGHTS / f"{name}.npz").read_bytes())
    return digest.hexdigest()[:12]


def read(name: str) -> Adapter:
    """Read an adapter.

    Raises:
        ModelError: its file is missing or damaged.
    """
    path = WEIGHTS / f"{name}.npz"
    try:
        with np.load(path) as data:
            stored = {key: data[key].astype(np.float32) for key in data.files}
        ups = {key.removesuffix(".up"): part for key, part in stored.items() if key.endswith(".up")}
        changes = {layer: (up, stored[f"{layer}.down"]) for layer, up in ups.items()}
        named = fingerprint(name)
    except (OSError, ValueError, KeyError, BadZipFile, zlib.error) as error:
        raise ModelError(f"cannot read {path} ({error}); reinstall wirewatch") from error
    heads = {key: value for key, value in stored.items() if not key.endswith((".up", ".down"))}
    return Adapter(name, named, changes, heads)
