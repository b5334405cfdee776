"""Socket Mode: Slack's buttons and commands without a public address.

docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from monitor.config.schema import SlackChannel
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from monitor.slack_app.actions import SlackInbound
from monitor.slack_app.payloads import Asked, read_socket

log = get_logger(__name__)


class SlackSocket:
    """One Socket Mode connection: buttons and commands without a public address.

    Args:
        settings: a Slack channel with an `app_token`.
        inbound: what does the work.
    """

    def __init__(self, settings: SlackChannel, inbound: SlackInbound) -> None:
        self._settings = settings
        self._inbound = inbound

    async def run(self, stopping: asyncio.Event) -> None:
        """Stay connected until `stopping`; slack_sdk connects again by itself."""
        token = self._settings.app_token
        assert token is not None
        client = SocketModeClient(
            app_token=token.get_secret_value(),
            web_client=AsyncWebClient(base_url=self._settings.api_url),
        )
        client.socket_mode_request_listeners.append(self._listen)
        wait = 1.0
        try:
            while not stopping.is_set():
                try:
                    await client.connect()  # type: ignore[no-untyped-call]
                    log.info("slack_socket_open")
                    await stopping.wait()
                except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
                    log.warning("slack_socket_failed", detail=redact(str(error))[:200], wait=wait)
                    try:
                        await asyncio.wait_for(stopping.wait(), wait)
                    except TimeoutError:
                        wait = min(wait * 2, 300.0)
        finally:
            await client.close()  # type: ignore[no-untyped-call]
            await self._inbound.aclose()

    async def _listen(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        try:
            inbound = read_socket(request.type, request.payload)
        except ValueError:
            inbound = None
        if isinstance(inbound, Asked):
            inbound = self._inbound.asked_by_socket(inbound, self._settings)
        payload = None
        if isinstance(inbound, Asked) and not inbound.mention:
            payload = {"response_type": "ephemeral", "text": await self._inbound.act(inbound)}
        response = SocketModeResponse(request.envelope_id, payload)
        await client.send_socket_mode_response(response)
        if inbound is not None and payload is None:
            self._inbound.answer_later(inbound, await self._inbound.act(inbound))
