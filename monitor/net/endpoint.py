"""A service of one's own that is asked over HTTP: with a deadline, and left alone while it fails.

It may be slow, down or wrong at any time. Whoever asks goes on without an answer: nothing here
waits longer than the deadline, and after a few failures in a row the service is not asked for a
while (a circuit breaker), so that it costs nothing when it is down.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx

from monitor.clock import Clock
from monitor.config.services import EndpointSettings
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact

FAILURES = 3  # in a row, after which the service rests
REST, LONGEST_REST = 60.0, 3600.0  # seconds; doubled each time it fails again
_MOST_BYTES = 200_000  # of an answer

log = get_logger(__name__)


class NoAnswer(Exception):
    """The service did not answer, or with something that is no answer. Says why."""


class Endpoint:
    """Asks one service.

    Args:
        name: for the log.
        settings: its address (which must be set), key, model and deadline.
        clock: time.
    """

    def __init__(self, name: str, settings: EndpointSettings, clock: Clock) -> None:
        assert settings.url is not None
        self.settings = settings
        self._name, self._clock = name, clock
        self._url = settings.url.get_secret_value().rstrip("/")
        self._failures, self._rest, self._asked_again = 0, REST, 0.0
        self._client = httpx.AsyncClient(timeout=settings.deadline, trust_env=False)

    @property
    def resting(self) -> bool:
        """Whether it failed of late, so that it is not asked now."""
        return self._clock.now() < self._asked_again

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Post JSON and return the JSON that comes back.

        Raises:
            NoAnswer: not within the deadline, not with status 200, not JSON, or it rests.
        """
        if self.resting:
            raise NoAnswer("it failed of late and is left alone for a while")
        try:
            async with asyncio.timeout(self.settings.deadline):
                answer = await self._exchange(path, body)
        except asyncio.CancelledError:  # whoever asked waits no longer
            self._failed("no answer in time")
            raise
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._failed(str(error) or type(error).__name__) from None
        self._failures, self._rest = 0, REST
        return answer

    async def chat(self, system: str, user: str) -> str:
        """Ask a model by OpenAI's chat completions; return the text of its answer.

        Raises:
            NoAnswer: as `post`, or the answer has no text.
        """
        body = {
            "model": self.settings.model,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
        }
        answer = await self.post("/chat/completions", body)
        try:
            return str(answer["choices"][0]["message"]["content"])
        except (KeyError, IndexError, TypeError):
            raise self._failed("the answer has no text") from None

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _exchange(self, path: str, body: Mapping[str, Any]) -> Any:
        key = self.settings.key
        headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        request = self._client.stream("POST", self._url + path, json=body, headers=headers)
        async with request as response:
            raw = b""
            async for part in response.aiter_bytes():
                raw += part
                if len(raw) > _MOST_BYTES:
                    raise ValueError(f"the answer has more than {_MOST_BYTES} bytes")
        if response.status_code != 200:
            raise ValueError(f"HTTP {response.status_code}")
        return json.loads(raw)

    def _failed(self, why: str) -> NoAnswer:
        self._failures += 1
        if self._failures >= FAILURES:
            self._asked_again = self._clock.now() + self._rest
            log.warning("endpoint_rests", name=self._name, seconds=self._rest, error=redact(why))
            self._failures, self._rest = FAILURES - 1, min(LONGEST_REST, 2 * self._rest)
        return NoAnswer(redact(why))
