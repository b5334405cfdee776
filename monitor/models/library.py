"""All models of one process: the base model is loaded once, and they share its weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monitor.errors import ModelError
from monitor.model import Matrix
from monitor.models import adapters, base, tokenizer
from monitor.models.states import mean_states
from monitor.models.tokenizer import Tokenizer

if TYPE_CHECKING:
    from monitor.models.bert import Bert

BOS, EOS = 0, 2
PREFIX = "query: "  # e5 wants to know what a text is for; one word for all keeps them comparable
ENCODER_TOKENS = 256
FIRST_TOKENS, SECOND_TOKENS = 112, 128  # of a judge's two texts


class Library:
    """The encoder, the judges and the reader of severity over one base model.

    Args:
        bf16: compute in bfloat16.
        batch_size: texts computed at once.
        folder: where the base model is; by default where it is made ready.

    Raises:
        ModelError: the base model is not there and cannot be made.
    """

    def __init__(
        self, *, bf16: bool = False, batch_size: int = 64, folder: Path | None = None
    ) -> None:
        # PyTorch's kernels are cached by the shape of a batch, a thousand by default: with batches
        # of every size that alone grew to 700 MB. With 32 memory stays flat, at the same speed.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
        os.environ.setdefault("LRU_CACHE_CAPACITY", "32")
        self._folder = folder or base.folder()
        self._bf16, self._batch_size = bf16, batch_size

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return self._encoder.hidden

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector for each text, shape (len(texts), dimension)."""
        found = self.states(self._encoder, texts, ENCODER_TOKENS)
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.maximum(norms, 1e-12), dtype=np.float32)

    @cached_property
    def topic_judge(self) -> Judge:
        """Does a story belong to a topic?"""
        return Judge(self, adapters.read(adapters.TOPIC_JUDGE), FIRST_TOKENS)

    @cached_property
    def pair_judge(self) -> Judge:
        """Do two reports tell of one happening?"""
        return Judge(self, adapters.read(adapters.PAIR_JUDGE), SECOND_TOKENS)

    @cached_property
    def severity(self) -> SeverityModel:
        """How grave is what a story reports?"""
        return SeverityModel(self, adapters.read(adapters.SEVERITY))

    @cached_property
    def _encoder(self) -> Bert:
        return self.adapted(adapters.read(adapters.ENCODER))

    @cached_property
    def _tokens(self) -> Tokenizer:
        try:
            return Tokenizer(self._folder / tokenizer.FILE)
        except (OSError, RuntimeError) as error:
            raise ModelError(f"cannot load the model in {self._folder}: {error}") from error

    @cached_property
    def _base(self) -> Bert:
        import torch

        from monitor.models.bert import Bert
        from monitor.models.packed_words import PackedWords

        place, dtype = self._folder, torch.bfloat16 if self._bf16 else torch.float32
        try:
            words = PackedWords(base.words(place))
            return Bert(words, base.weights(place), base.config(place), dtype)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ModelError(f"cannot load the model in {place}: {error}") from error

    def adapted(self, adapter: adapters.Adapter) -> Bert:
        """Return the base model with an adapter, in the precision of the library.

        Raises:
            ModelError: the folder's files cannot be read, or do not fit.
        """
        return self._base.changed(adapter.changes)

    def states(self, model: Bert, texts: Sequence[str], most: int) -> Matrix:
        """Return states of single texts, of at most `most` word pieces each."""
        found = self._tokens([PREFIX + text for text in texts])
        tokens = [[BOS, *ids[: most - 2], EOS] for ids in found]
        return mean_states(model, tokens, self._batch_size)

    def joined_states(
        self, model: Bert, first: Sequence[str], second: Sequence[str], most: int
    ) -> Matrix:
        """Return states of pairs of texts, read as `first</s></s>second`."""
        known: dict[str, list[int]] = {}
        new = list(dict.fromkeys([*first, *second]))
        known.update(zip(new, self._tokens(new), strict=True))
        pairs = [
            [BOS, *known[a][: most - 2], EOS, EOS, *known[b][: SECOND_TOKENS - 2], EOS]
            for a, b in zip(first, second, strict=True)
        ]
        return mean_states(model, pairs, self._batch_size)


class Judge:
    """A model that reads two texts together and answers with one number.

    Args:
        library: where the base model is.
        adapter: what the judge was taught.
        most: tokens of the first text.
    """

    def __init__(self, library: Library, adapter: adapters.Adapter, most: int) -> None:
        self._library, self._most = library, most
        self._model = library.adapted(adapter)
        self._weight = adapter.heads["head.weight"].ravel()
        self._bias = float(adapter.heads["head.bias"].ravel()[0])
        self.fingerprint = adapter.fingerprint

    def score(self, first: Sequence[str], second: Sequence[str]) -> Matrix:
        """Return the logit of yes for each pair, shape (len(first),).

        Raises:
            ModelError: the model cannot compute.
        """
        states = self._library.joined_states(self._model, first, second, self._most)
        return np.asarray(states @ self._weight + self._bias, dtype=np.float32)


class SeverityModel:
    """A model that reads a story and says how likely it reaches each level of severity.

    Args:
        library: where the base model is.
        adapter: what it was taught.
    """

    def __init__(self, library: Library, adapter: adapters.Adapter) -> None:
        self._library, self._model = library, library.adapted(adapter)
        try:
            self._weights, self._bias = adapter.heads["head.weight"], adapter.heads["head.bias"]
        except KeyError as error:
            raise ModelError(f"{adapter.name} has no {error}; reinstall wirewatch") from None

    def chances(self, texts: Sequence[str]) -> Matrix:
        """Return how likely each text is at least routine, notable, major, flash: (len(texts), 4).

        Raises:
            ModelError: the model cannot compute.
        """
        states = self._library.states(self._model, texts, SECOND_TOKENS)
        logits = states @ self._weights.T + self._bias
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def shared(*, bf16: bool, batch_size: int) -> Library:
    """Return the one library of this process with these settings; it is loaded once.

    Raises:
        ModelError: the base model is not there and cannot be made.
    """
    return _shared(base.folder(), bf16, batch_size)


@cache
def _shared(folder: Path, bf16: bool, batch_size: int) -> Library:
    return Library(bf16=bf16, batch_size=batch_size, folder=folder)
