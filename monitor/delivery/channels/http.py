"""What an HTTP answer means for a message that was posted."""

from __future__ import annotations

import email.utils
import time

import httpx

from monitor.delivery.channel import SendResult, sent
from monitor.reasons import DeliveryReason

_GATEWAY = frozenset((502, 504))  # the machine behind it may have taken the message all the same


async def post(
    client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]
) -> SendResult:
    """Post `body` and say what became of it. The address never stands in the outcome."""
    try:
        response = await client.post(url, content=body, headers=headers)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        reason = DeliveryReason.UNREACHABLE
        return SendResult("retry", reason, type(error).__name__, whole_channel=True)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
        detail = "the address is not a usable URL"
        return SendResult("refused", DeliveryReason.MISCONFIGURED, detail, whole_channel=True)
    except httpx.HTTPError as error:
        return SendResult("unknown", DeliveryReason.TIMEOUT, type(error).__name__)
    return classify(response)


def classify(response: httpx.Response) -> SendResult:
    """Turn a response into an outcome."""
    code = response.status_code
    said = f"HTTP {code} {response.text[:120].strip()}".strip()
    if code < 300:
        return sent()
    if code == 429 or (code == 503 and "retry-after" in response.headers):
        after = retry_after(response.headers.get("retry-after", ""))
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


def retry_after(value: str) -> float:
    """Read Retry-After (seconds or a date, RFC 9110 10.2.3), from 1 s to an hour."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            seconds = 1.0
    return min(3600.0, max(1.0, seconds))
