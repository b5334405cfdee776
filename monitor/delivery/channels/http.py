"""What an HTTP answer means for a message that was posted."""

from __future__ import annotations

import httpx

from monitor.delivery.channel import SendResult, sent
from monitor.net.fetcher import user_agent
from monitor.net.response_headers import parse_retry_after
from monitor.reasons import DeliveryReason
from monitor.text import one_line

_GATEWAY = frozenset((502, 504))  # the machine behind it may have taken the message all the same
_SHOWN_BYTES = 2_000  # of an answer; the rest is never read


def client(timeout: float) -> httpx.AsyncClient:
    """Return the connections of a channel: they say who we are and use no proxy."""
    return httpx.AsyncClient(
        timeout=timeout, trust_env=False, headers={"User-Agent": user_agent("")}
    )


async def post(
    client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str], now: float
) -> SendResult:
    """Post `body` and say what became of it. The address never stands in the result.

    Args:
        client: the connections.
        url: where to post.
        body: what to post.
        headers: request headers.
        now: the present instant, Unix seconds; a Retry-After date counts from it.
    """
    try:
        async with client.stream("POST", url, content=body, headers=headers) as response:
            return classify(response.status_code, response.headers, await _head(response), now)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        reason, detail = DeliveryReason.UNREACHABLE, f"{type(error).__name__}: {error}"
        return SendResult("retry", reason, one_line(detail, 200), whole_channel=True)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
        detail = "the address is not a usable URL"
        return SendResult("refused", DeliveryReason.MISCONFIGURED, detail, whole_channel=True)
    except httpx.HTTPError as error:
        return SendResult("unknown", DeliveryReason.TIMEOUT, type(error).__name__)


async def _head(response: httpx.Response) -> str:
    """Return the beginning of an answer's text; a broken body is no failure of the send."""
    raw = b""
    try:
        async for chunk in response.aiter_bytes(_SHOWN_BYTES):
            raw += chunk
            if len(raw) >= _SHOWN_BYTES:
                break
    except httpx.HTTPError:
        pass
    return raw[:_SHOWN_BYTES].decode("utf-8", "replace")


def classify(code: int, headers: httpx.Headers, text: str, now: float) -> SendResult:
    """Turn status, headers and the beginning of the text of an answer into a result."""
    said = one_line(f"HTTP {code} {text}", 140)
    if code < 300:
        return sent()
    if code == 429 or (code == 503 and "retry-after" in headers):
        after = retry_after(headers.get("retry-after", ""), now)
        return SendResult(
            "retry", DeliveryReason.RATE_LIMITED, said, after=after, whole_channel=True
        )
    if code in _GATEWAY:
        return SendResult("unknown", DeliveryReason.SERVER_ERROR, said)
    if code >= 500 or code in (408, 425):
        return SendResult("retry", DeliveryReason.SERVER_ERROR, said)
    if code in (401, 403):
        return SendResult("refused", DeliveryReason.AUTH_REVOKED, said, whole_channel=True)
    if code in (404, 410):
        return SendResult("refused", DeliveryReason.CHANNEL_GONE, said, whole_channel=True)
    if code < 400:
        told = f"HTTP {code}: redirects are not followed; configure the final address"
        return SendResult("refused", DeliveryReason.MISCONFIGURED, told, whole_channel=True)
    return SendResult("refused", DeliveryReason.REJECTED, said)


def retry_after(value: str, now: float) -> float:
    """Return how long a service asks to be left alone: from 1 s to an hour, 1 s for nonsense."""
    return min(3600.0, max(1.0, parse_retry_after(value, now) or 1.0))
