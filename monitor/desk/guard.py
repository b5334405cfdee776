"""Who asks, whether the request comes from our own page, and what every answer must carry.

Forgery: an unsafe request of a browser must come from this very site (Sec-Fetch-Site, or Origin
against Host; F. Valsorda, "Cross-Site Request Forgery", 2025). A request with a token carries its
right itself; one with a cookie or behind a proxy must show where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request

from monitor.config.schema import DeskSettings
from monitor.desk.people import Person, is_trusted, named_by_proxy
from monitor.desk.sign_in_store import SignInStore
from monitor.observability.logs import get_logger

log = get_logger(__name__)

SAFE = ("GET", "HEAD", "OPTIONS")
COOKIE = "wirewatch_desk"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'; img-src 'self' data:"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


async def who_asks(request: Request, settings: DeskSettings, store: SignInStore) -> Person | None:
    """Return who is behind a request, or None for nobody.

    A token is asked for first, then the user header (from a trusted proxy only: from anywhere else
    it makes the request nobody's), then the cookie.
    """
    bearer = request.headers.get("authorization", "")
    if bearer:
        kind, _, secret = bearer.partition(" ")
        return await store.token_holder(secret.strip()) if kind.lower() == "bearer" else None
    if settings.user_header and request.headers.getlist(settings.user_header):
        peer = request.client.host if request.client else ""
        if not is_trusted(peer, settings.trusted_proxies):
            log.warning("user_header_refused", peer=peer, hint="add it to desk.trusted_proxies")
            return None
        return named_by_proxy(request.headers.getlist(settings.user_header), settings.editors)
    cookie = request.cookies.get(COOKIE, "")
    return await store.person(cookie) if cookie else None


def is_forged(method: str, headers: Mapping[str, str], person: Person | None) -> bool:
    """Whether an unsafe request may have been made by another site's page."""
    if method in SAFE or (person is not None and person.via == "token"):
        return False
    site = headers.get("sec-fetch-site", "")
    if site:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "")
    if not origin:
        return True
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
