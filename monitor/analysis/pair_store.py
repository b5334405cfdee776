"""Questions to the pair judge and its answers: triage asks, an embedder answers.

Only the embedder holds the model, and triage decides in one order. So triage hands its questions
over through two lists of the store and waits for the answers a few seconds at most. If none come,
the pairs count as apart (`monitor/events/pair_judge.py`), and triage does not ask again for a
while: a judge that is down costs one wait, not one for each batch.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.events.pair_judge import Answers, Question
from monitor.store.commands import Redis
from monitor.store.keys import Keys

WAIT = 4.0  # seconds that a batch waits for answers at most
REST = 30.0  # seconds without questions after none were answered
_WAITING = 8  # requests that may wait for an embedder; older ones are given up by those who asked
_KEEP = 60  # seconds


@dataclass(frozen=True, slots=True)
class PairRequest:
    """Pairs of texts, and where the answers go."""

    reply: str
    pairs: tuple[tuple[str, str], ...]


class PairStore:
    """The hand-over of questions and answers.

    Args:
        client: for commands that answer at once.
        blocking: for waits.
        keys: names of the lists.
    """

    def __init__(self, client: Redis, blocking: Redis, keys: Keys) -> None:
        self._client, self._blocking = client, blocking
        self._keys = keys
        self._rests_until = 0.0

    async def ask(self, questions: Sequence[Question], now: float) -> Answers:
        """Return the judge's logits for questions; those without an answer are left out.

        `now` is any clock that only goes forward, in seconds.
        """
        if not questions or now < self._rests_until:
            return {}
        reply = self._keys("pairs", uuid.uuid4().hex)
        request = {"reply": reply, "pairs": [[q.one, q.two] for q in questions]}
        asked = self._keys("pairs")
        pipe = self._client.pipeline(transaction=True)
        pipe.rpush(asked, json.dumps(request, ensure_ascii=False))
        pipe.ltrim(asked, -_WAITING, -1)
        pipe.expire(asked, _KEEP)
        await pipe.execute()
        found = await self._blocking.blpop([reply], timeout=WAIT)
        scores = json.loads(found[1]) if found else []
        if len(scores) != len(questions):
            self._rests_until = now + REST
            return {}
        return {(q.story, q.other): float(s) for q, s in zip(questions, scores, strict=True)}

    async def next_request(self, wait: float) -> PairRequest | None:
        """Return the oldest request that waits for an answer; None after `wait` seconds without."""
        found = await self._blocking.blpop([self._keys("pairs")], timeout=wait)
        if not found:
            return None
        data = json.loads(found[1])
        return PairRequest(data["reply"], tuple((one, two) for one, two in data["pairs"]))

    async def answer(self, request: PairRequest, scores: Sequence[float]) -> None:
        """Hand the logits of a request back, in its order."""
        pipe = self._client.pipeline(transaction=True)
        pipe.rpush(request.reply, json.dumps([round(float(score), 4) for score in scores]))
        pipe.expire(request.reply, _KEEP)
        await pipe.execute()
