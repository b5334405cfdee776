"""Topic phrases and their vectors: triage asks, an embedder answers, everyone shares.

Only the embedder holds the model. Triage writes the phrases it misses into `wanted`; an embedder
fills `textvec:{fingerprint}` and clears them. A vector is found by the model's fingerprint and the
text's hash, so a changed model or phrase can never be served an old vector.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.codec import pack_vectors, unpack_vectors
from monitor.model import Vector
from monitor.store.commands import Redis
from monitor.store.keys import Keys

KEEP_SECONDS = 30 * 86400


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the embedder says of its model."""

    fingerprint: str
    dimension: int
    name: str = ""
    judge: str = ""  # fingerprint of its pair judge; empty if it has none


class TextVectors:
    """The shared cache of phrase vectors."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def announce(self, model: ModelInfo) -> None:
        """Say which model the embedders run."""
        await self._client.hset(
            self._keys("model"),
            mapping={
                "fingerprint": model.fingerprint,
                "dimension": model.dimension,
                "name": model.name,
                "judge": model.judge,
            },
        )

    async def model(self) -> ModelInfo | None:
        """Return the model last announced, or None if no embedder has started yet."""
        row = await self._client.hgetall(self._keys("model"))
        if not row:
            return None
        return ModelInfo(
            row[b"fingerprint"].decode(),
            int(row[b"dimension"]),
            row.get(b"name", b"").decode(),
            row.get(b"judge", b"").decode(),
        )

    async def get(self, model: ModelInfo, texts: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors known for `texts`; what is missing is left out."""
        if not texts:
            return {}
        rows = await self._client.hmget(self._space(model), [_hash(text) for text in texts])
        return {
            text: unpack_vectors(raw, model.dimension)[0]
            for text, raw in zip(texts, rows, strict=True)
            if raw is not None and len(raw) == 2 * model.dimension
        }

    async def want(self, texts: Sequence[str]) -> None:
        """Ask the embedders for the vectors of `texts`."""
        if texts:
            await self._client.hset(self._keys("wanted"), mapping={_hash(t): t for t in texts})

    async def wanted(self, limit: int = 512) -> list[str]:
        """Return phrases that someone waits for."""
        rows = await self._client.hgetall(self._keys("wanted"))
        return [text.decode("utf-8", "replace") for text in list(rows.values())[:limit]]

    async def put(self, model: ModelInfo, vectors: Mapping[str, Vector]) -> None:
        """Store the vectors of phrases and clear them from the list of the wanted."""
        if not vectors:
            return
        space = self._space(model)
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(space, mapping={_hash(text): pack_vectors(v) for text, v in vectors.items()})
        pipe.expire(space, KEEP_SECONDS)
        pipe.hdel(self._keys("wanted"), *[_hash(text) for text in vectors])
        await pipe.execute()

    def _space(self, model: ModelInfo) -> str:
        return self._keys("textvec", model.fingerprint)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
