"""Average two adapters that one grew out of the other, and cut the mean back to their rank.

    python -m training.blend taught.npz start.npz --share 0.6 --out topic_judge.npz

The mean of weights before and after more teaching does better on what neither was taught than
either (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np


def blend(taught: dict[str, np.ndarray], start: dict[str, np.ndarray], share: float) -> dict[str, np.ndarray]:  # fmt: skip  # noqa: E501
    """Return `share` of the first and the rest of the second, each change of the old rank."""
    found: dict[str, np.ndarray] = {}
    for key, up in taught.items():
        if not key.endswith(".up"):
            if not key.endswith(".down"):
                found[key] = share * up + (1 - share) * start[key]
            continue
        down = key.removesuffix(".up") + ".down"
        rank = up.shape[1]
        left = np.concatenate([share * up, (1 - share) * start[key]], axis=1)
        right = np.concatenate([taught[down], start[down]])
        q, r = np.linalg.qr(left)
        p, s = np.linalg.qr(right.T)
        u, sizes, v = np.linalg.svd(r @ s.T)
        root = np.sqrt(sizes[:rank])
        found[key] = ((q @ u[:, :rank]) * root).astype(np.float16)
        found[down] = ((root[:, None] * v[:rank]) @ p.T).astype(np.float16)
    return found


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as data:
        return {key.removeprefix("bert."): data[key].astype(np.float32) for key in data.files}


def main() -> None:
    """Read, blend, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("taught", type=Path)
    parser.add_argument("start", type=Path)
    parser.add_argument("--share", type=float, default=0.6, help="of the first")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    blended = blend(_read(options.taught), _read(options.start), options.share)
    np.savez_compressed(options.out, **blended)


if __name__ == "__main__":
    main()
