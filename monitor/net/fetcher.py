"""Fetching: one document, by the rules of the web, with limits on size, time and redirects."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import unquote

import httpx

from monitor.clock import Clock
from monitor.config.schema import PollingSettings
from monitor.errors import FetchError
from monitor.identity import digest
from monitor.net.address_guard import AddressGuard
from monitor.net.body import BodyCollector
from monitor.net.transport import GuardedTransport
from monitor.reasons import FetchReason

FEED_TYPES = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
DOCUMENTS = frozenset({200, 203, 226})  # statuses whose body is what was asked for
_OTHER_BODY = 65_536
_OTHER_SECONDS = 1.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PERMANENT = frozenset({301, 308})
# Of a fetch's time, so that a host none of whose addresses answers has a reason of its own.
_CONNECTING = 0.75


@dataclass(frozen=True, slots=True)
class Fetched:
    """One final answer, whatever its status.

    `url` is where it came from after redirects. `moved` is where a chain of purely permanent
    redirects led, or "". `headers` hold one character for each byte (Latin-1), so that what is
    sent back is what came. `body` is decoded; of anything but a document it is what there was to
    be had, perhaps nothing. `wire_bytes` is what crossed the network. `notes` say what is wrong
    with the answer and is passed over, as browsers do.
    """

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    latency: float
    wire_bytes: int = 0
    moved: str = ""
    conditional: bool = False
    notes: tuple[str, ...] = ()


def user_agent(contact: str) -> str:
    """Return who we say we are; publishers find `contact` in it."""
    where = f" (+{contact})" if contact else ""
    return f"Wirewatch/{version('wirewatch')}{where}"


def split_credentials(url: str) -> tuple[httpx.URL, str]:
    """Return `url` without userinfo, and the Authorization value it stood for, or ""."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise FetchError(FetchReason.BLOCKED_URL, "not a usable address") from None
    if not parsed.userinfo:
        return parsed, ""
    name, _, password = parsed.userinfo.decode("utf-8", "replace").partition(":")
    return parsed.copy_with(userinfo=b""), basic_auth(unquote(name), unquote(password))


def basic_auth(username: str, password: str) -> str:
    """Return the value of an Authorization header (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


class Fetcher:
    """Fetches documents through the address guard.

    One instance serves any number of fetches at once. It keeps no cookies, sends no Referer,
    reads no proxy settings, asks for gzip alone, follows redirects itself (each hop is judged
    anew) and gives credentials only to the origin they were meant for.
    """

    def __init__(
        self, settings: PollingSettings, clock: Clock, guard: AddressGuard | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.guard = guard or AddressGuard(settings.allow_hosts, settings.allow_ports)
        self._transport = GuardedTransport(self.guard)
        # The transport is used without httpx's client: no cookie jar, no redirects but ours.
        self._headers = {
            b"User-Agent": user_agent(settings.contact).encode(),
            b"Accept-Encoding": b"gzip",
        }
        self._extensions = {"timeout": {"connect": _CONNECTING * settings.timeout}}

    async def aclose(self) -> None:
        """Let go of what the fetcher holds."""
        self.guard.close()

    async def fetch(
        self,
        url: str,
        *,
        accept: str = FEED_TYPES,
        headers: Mapping[str, str] | None = None,
        etag: str = "",
        last_modified: str = "",
        validated_key: str = "",
        max_body: int = 0,
    ) -> Fetched:
        """Fetch `url` and return the final answer, whatever its status.

        Args:
            url: http(s) address; userinfo in it becomes Basic authentication.
            accept: value of the Accept header.
            headers: extra request headers, credentials among them; sent to the origin of `url`
                only, never to where it redirects; beyond ASCII as UTF-8.
            etag: validator to send back, byte for byte as it was received.
            last_modified: likewise.
            validated_key: digest of the address that gave the validators; they go to no other.
                Default: that of `url`.
            max_body: cap on the decoded body, bytes. Default: the setting.

        Raises:
            FetchError: everything but an HTTP status: blocked, unreachable, too slow, too large,
                badly encoded, endless redirects.
        """
        async with self._limited():
            return await self._follow(
                url,
                accept,
                dict(headers or {}),
                (etag, last_modified, validated_key),
                max_body or self._settings.max_body_bytes,
            )

    async def post(self, url: str, form: Mapping[str, str]) -> Fetched:
        """Post a form under the same guard and limits; redirects are not followed.

        Raises:
            FetchError: as for `fetch`.
        """
        started = self._clock.now()
        async with self._limited():
            request = httpx.Request(
                "POST",
                url,
                data=dict(form),
                headers=self._headers,
                extensions=self._extensions,
            )
            response = await self._transport.handle_async_request(request)
            try:
                sink, wire = await self._read(response, _OTHER_BODY)
            finally:
                await response.aclose()
        latency = max(0.0, self._clock.now() - started)
        body = bytes(sink.body)
        return Fetched(response.status_code, url, response.headers, body, latency, wire)

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """Limit the block's time, and raise a FetchError for all that may go wrong in it."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                yield
        except TimeoutError:
            raise FetchError(
                FetchReason.TIMEOUT, f"no complete answer within {self._settings.timeout:g} s"
            ) from None
        except httpx.HTTPError as error:
            # Its message may quote the address, and addresses may hold secrets.
            raise FetchError(FetchReason.PROTOCOL_ERROR, type(error).__name__) from None
        except (httpx.InvalidURL, ValueError) as error:
            raise _no_address(error) from None

    async def _follow(
        self,
        url: str,
        accept: str,
        private: dict[str, str],
        validators: tuple[str, str, str],
        max_body: int,
    ) -> Fetched:
        started = self._clock.now()
        here, authorization = split_credentials(url)
        if authorization:
            private.setdefault("Authorization", authorization)
        home = _origin(here)
        etag, last_modified, validated_key = validators
        validated_key = validated_key or digest(str(here))
        permanent = True
        for hop in range(self._settings.max_redirects + 1):
            request_headers = self._headers | {b"Accept": accept.encode()}
            if accept == FEED_TYPES:
                request_headers[b"A-IM"] = b"feed"
            if _origin(here) == home:
                for name, value in private.items():
                    request_headers[name.encode()] = value.encode()
            conditional = bool(etag or last_modified) and digest(str(here)) == validated_key
            if conditional and etag:
                request_headers[b"If-None-Match"] = _as_it_came(etag)
            if conditional and last_modified:
                request_headers[b"If-Modified-Since"] = _as_it_came(last_modified)
            request = httpx.Request(
                "GET", here, headers=request_headers, extensions=self._extensions
            )
            response = await self._transport.handle_async_request(request)
            try:
                location = response.headers.get("location", "")
                if response.status_code in _REDIRECTS and location:
                    permanent = permanent and response.status_code in _PERMANENT
                    here = _next_hop(here, location)
                    continue
                sink, wire = await self._read(response, max_body)
            finally:
                await response.aclose()
            return Fetched(
                status=response.status_code,
                url=str(here),
                headers=response.headers,
                body=bytes(sink.body),
                latency=max(0.0, self._clock.now() - started),
                wire_bytes=wire,
                moved=str(here) if hop and permanent else "",
                conditional=conditional,
                notes=(*_notes(response), *sink.notes),
            )
        raise FetchError(
            FetchReason.TOO_MANY_REDIRECTS, f"more than {self._settings.max_redirects} redirects"
        )

    async def _read(self, response: httpx.Response, max_body: int) -> tuple[BodyCollector, int]:
        """Return the collected body, and how many bytes crossed the network.

        Only a document must come whole. Of every other answer status and headers are what counts:
        of its body there is what could be had.
        """
        whole, wire_cap = response.status_code in DOCUMENTS, self._settings.max_wire_bytes
        if not whole:
            wire_cap, max_body = min(wire_cap, _OTHER_BODY), min(max_body, _OTHER_BODY)
        declared = response.headers.get("content-length", "")
        if whole and declared.isdigit() and int(declared) > wire_cap:
            raise FetchError(
                FetchReason.TOO_LARGE, f"the server announces {declared} bytes; limit {wire_cap}"
            )
        response.headers.encoding = "latin-1"  # one character a byte
        sink, wire = BodyCollector(response.headers.get("content-encoding", ""), max_body), 0
        try:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            async with asyncio.timeout(None if whole else _OTHER_SECONDS):
                async for chunk in response.stream:
                    wire += len(chunk)
                    if wire > wire_cap:
                        raise FetchError(
                            FetchReason.TOO_LARGE, f"more than {wire_cap} bytes on the wire"
                        )
                    sink.feed(chunk)
            sink.finish()
        except (FetchError, TimeoutError):
            if whole:
                raise
        return sink, wire


def _notes(response: httpx.Response) -> list[str]:
    left_out = response.extensions.get("headers_left_out", 0)
    return [f"{left_out} line(s) of the answer's head are no headers, and passed over"] * bool(
        left_out
    )


def _no_address(error: Exception) -> FetchError:
    """Return the failure of an address that a library could not read.

    idna, httpx and urllib each have strings they stumble over ("http://xn--/"): publishers write
    them, so none of their exceptions may pass this boundary.
    """
    return FetchError(FetchReason.BLOCKED_URL, f"not a usable address ({type(error).__name__})")


def _as_it_came(validator: str) -> bytes:
    """Return a validator's bytes (one that no header can have held comes to match nothing)."""
    return validator.encode("latin-1", "replace")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, url.port or default


def _next_hop(here: httpx.URL, location: str) -> httpx.URL:
    try:
        target = here.join(location)
    except (httpx.InvalidURL, ValueError):
        raise FetchError(
            FetchReason.BLOCKED_URL, "a redirect leads to something that is no address"
        ) from None
    if target.userinfo:
        target = target.copy_with(userinfo=b"")
    return target.copy_with(fragment=None)
