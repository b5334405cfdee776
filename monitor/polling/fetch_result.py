"""What one poll brought: an answer or a failure, classified and named."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.net.fetcher import DOCUMENTS, Fetched
from monitor.net.response_headers import Hints
from monitor.parsing.detect_format import looks_like_wall
from monitor.parsing.document import ParsedFeed
from monitor.reasons import FetchReason

GOOD = frozenset({FetchReason.OK, FetchReason.NOT_MODIFIED, FetchReason.UNCHANGED})


@dataclass(frozen=True, slots=True)
class FetchResult:
    """How one poll ended. `parsed` is there exactly when `reason` is `ok`.

    `url_key` is the digest of the address that answered (validators belong to it), `host` its
    host; `moved` is where purely permanent redirects led. `trace` names this poll in logs and
    stories.
    """

    reason: FetchReason
    message: str = ""
    status: int = 0
    latency: float = 0.0
    wire_bytes: int = 0
    hints: Hints = field(default_factory=Hints)
    etag: str = ""
    last_modified: str = ""
    url_key: str = ""
    host: str = ""
    body_hash: str = ""
    moved: str = ""
    partial: bool = False
    parsed: ParsedFeed | None = None
    trace: str = ""

    @property
    def good(self) -> bool:
        """Whether the publisher answered with what it has."""
        return self.reason in GOOD


def classify_status(fetched: Fetched) -> tuple[FetchReason, str]:
    """Return the reason an HTTP status stands for, and a sentence for people.

    200 and 226 (RFC 3229) give `ok`: whether there is a feed in the body is for the parser to say.
    Bot walls come with any status of failure; but whoever names a time to come back is believed.
    """
    status = fetched.status
    if status in DOCUMENTS:
        return FetchReason.OK, ""
    if status == 304:
        if not fetched.conditional:
            return FetchReason.PROTOCOL_ERROR, "304 to a request that carried no validators"
        return FetchReason.NOT_MODIFIED, ""
    if fetched.headers.get("cf-mitigated", "").lower() == "challenge":
        return FetchReason.BOT_WALL, "the site answers with a bot check (cf-mitigated: challenge)"
    if status >= 400 and "retry-after" not in fetched.headers and looks_like_wall(fetched.body):
        return FetchReason.BOT_WALL, f"the site answers with a bot check ({status})"
    if status == 410:
        return FetchReason.GONE, "the publisher says the feed is gone for good (410)"
    if status == 429:
        return FetchReason.RATE_LIMITED, "the publisher asks us to slow down (429)"
    if status == 503:
        return FetchReason.UNAVAILABLE, "the publisher is unavailable (503)"
    if status in (401, 403, 407, 451):
        return FetchReason.UNAUTHORISED, f"the publisher refuses us ({status})"
    if 400 <= status < 500:
        return FetchReason.CLIENT_ERROR, f"the publisher does not have it ({status})"
    if status >= 500:
        return FetchReason.SERVER_ERROR, f"the publisher's server failed ({status})"
    return FetchReason.PROTOCOL_ERROR, f"an answer with status {status} is no feed"
