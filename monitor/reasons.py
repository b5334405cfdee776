"""Every named reason: the words that logs, metrics, stored decisions and `explain` share.

A decision without a name here cannot be counted, so it may not be taken.
"""

from __future__ import annotations

from enum import StrEnum


class FetchReason(StrEnum):
    """How one poll of one feed ended."""

    OK = "ok"
    NOT_MODIFIED = "not_modified"  # 304
    UNCHANGED = "unchanged"  # 200 with the body we already have
    GONE = "gone"  # 410
    CLIENT_ERROR = "client_error"  # other 4xx
    UNAUTHORISED = "unauthorised"  # 401, 403, 407
    RATE_LIMITED = "rate_limited"  # 429
    SERVER_ERROR = "server_error"  # 5xx
    UNAVAILABLE = "unavailable"  # 503 with or without Retry-After
    TIMEOUT = "timeout"
    CONNECT_FAILED = "connect_failed"
    DNS_FAILED = "dns_failed"
    TLS_FAILED = "tls_failed"
    PROTOCOL_ERROR = "protocol_error"
    BLOCKED_ADDRESS = "blocked_address"  # the address guard refused it
    BLOCKED_URL = "blocked_url"  # scheme, port or form of the URL
    TOO_MANY_REDIRECTS = "too_many_redirects"
    TOO_LARGE = "too_large"
    BAD_ENCODING = "bad_encoding"  # Content-Encoding we did not ask for, or broken gzip
    BOT_WALL = "bot_wall"
    ROBOTS = "robots"  # the site's robots.txt keeps us from an article's page
    NOT_A_FEED = "not_a_feed"  # HTML or something else instead of a feed
    WENT_EMPTY = "went_empty"  # a document without entries, where there were some before
    PARSE_FAILED = "parse_failed"
    PARSE_TIMEOUT = "parse_timeout"
    PARSE_MEMORY = "parse_memory"
    PARSE_CRASHED = "parse_crashed"
    INTERNAL = "internal"  # our own fault; the log has the rest


class EntryReason(StrEnum):
    """What became of one entry of a feed."""

    NEW = "new"  # handed over as a story
    REVISED = "revised"  # known entry whose text changed; handed over as a revision
    SEEN = "seen"
    BASELINE = "baseline"  # there before we first looked
    STALE = "stale"  # re-issued archive: unknown to us, yet old
    REWRITTEN = "rewritten"  # known text under a new GUID, link or date
    FUTURE = "future"  # dated in the future; handed over with our own time
    UNDATED = "undated"  # no date; handed over with our own time
    UNDATED_AMONG_DATED = "undated_among_dated"  # no date, but the others have one; not told
    EMPTY = "empty"  # neither title nor text


class AlertReason(StrEnum):
    """Why a newsroom is told."""

    FIRST = "first"
    OUTCOME = "outcome"  # how it ended: a message of its own
    DEVELOPMENT = "development"
    CORROBORATED = "corroborated"
    CORRECTION = "correction"
    SPIKE = "spike"  # far more independent stories than is usual for the topic


class Severity(StrEnum):
    """How grave a happening is, by its consequence; from the least to the most."""

    NONE = "none"  # no happening: opinion, feature, service
    ROUTINE = "routine"
    NOTABLE = "notable"
    MAJOR = "major"
    FLASH = "flash"

    @classmethod
    def rank(cls, word: str) -> int:
        """Return 0 for none to 4 for flash, and -1 for a word that is no level."""
        words = [level.value for level in cls]
        return words.index(word) if word in words else -1


class Trust(StrEnum):
    """How far a source may be relied on: who stands behind it (docs/how-to/trust.md)."""

    WIRE = "wire"
    OFFICIAL = "official"
    ESTABLISHED = "established"
    LOCAL = "local"
    STATE = "state"
    UNKNOWN = "unknown"

    @property
    def trusted(self) -> bool:
        """Whether it counts for `min_sources: {trusted: 1}`."""
        return self in (Trust.WIRE, Trust.OFFICIAL, Trust.ESTABLISHED)

    @classmethod
    def best(cls, *words: str) -> str:
        """Return the word that comes first in the order above; "" if none is a word of it."""
        order = [trust.value for trust in cls]
        return min((word for word in words if word in order), key=order.index, default="")


class MissedReason(StrEnum):
    """What became of a happening that an outside list names (`wirewatch missed`)."""

    TOLD = "told"
    HELD = "held"  # a topic matched, and something kept it from being told
    BELOW = "below"  # seen, but no topic matched
    NEVER_SEEN = "never_seen"  # no feed brought a report of it


class SuppressionReason(StrEnum):
    """Why a newsroom is not told, or not yet."""

    BELOW_THRESHOLD = "below_threshold"
    BELOW_SEVERITY = "below_severity"  # less grave than the topic asks for
    NOT_REQUIRED = "not_required"  # a `require` gate was not met
    EXCLUDED = "excluded"  # an `exclude` gate was met
    COUNTER_EXAMPLE = "counter_example"
    SECOND_JUDGE = "second_judge"  # the desk's own language model held it back
    ANSWERED = "answered"  # editors said that alike stories do not belong
    LANGUAGE = "language"
    OUT_OF_SCOPE = "out_of_scope"  # the topic does not watch this feed or tag
    STALE = "stale"
    BASELINE = "baseline"
    COPY = "copy"
    ALREADY_TOLD = "already_told"
    NOTHING_NEW = "nothing_new"
    AWAITING_SOURCES = "awaiting_sources"
    SOURCES_EXPIRED = "sources_expired"
    SILENCED = "silenced"
    MUTED = "muted"
    SNOOZED = "snoozed"
    QUIET_HOURS = "quiet_hours"
    PAUSED = "paused"  # the person who subscribes is away
    RATE_CEILING = "rate_ceiling"
    FLOOD = "flood"  # more at once than people read; gathered into one message


class DeliveryReason(StrEnum):
    """How one attempt to deliver one notification ended, or why it waits."""

    SENT = "sent"
    ALREADY_SENT = "already_sent"  # found in the channel's history after an unknown outcome
    RESENT = "resent"  # sent again because the outcome of an earlier try is unknown
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"  # outcome unknown
    UNREACHABLE = "unreachable"
    SERVER_ERROR = "server_error"
    AUTH_REVOKED = "auth_revoked"
    CHANNEL_GONE = "channel_gone"
    RECIPIENT_REFUSED = "recipient_refused"
    REJECTED = "rejected"  # the service will never take this message
    MISCONFIGURED = "misconfigured"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    RENDER_FAILED = "render_failed"  # our own fault: no message could be made of it
    HELD = "held"
    DIGESTED = "digested"
    JOINED = "joined"  # told in one message with another topic's alert on the same event
    SPLIT = "split"  # a digest was refused; its parts are sent by themselves
    INTERNAL = "internal"


class DeadLetterReason(StrEnum):
    """Why an item was set aside until someone decides."""

    POISON = "poison"  # failed or crashed its worker too many times
    MALFORMED = "malformed"  # could not be decoded
    UNDELIVERABLE = "undeliverable"


class RestReason(StrEnum):
    """Why a stage rests, with its items waiting, until what it works with works again."""

    MODEL_FAILS = "model_fails"  # the embedding model cannot compute
    WORK_FAILS = "work_fails"  # one item after another fails, and none succeeds
