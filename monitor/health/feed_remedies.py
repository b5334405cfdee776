"""What to do about a feed that cannot be read, in a sentence. Pure."""

from __future__ import annotations

from monitor.reasons import FetchReason

_REMEDIES = {
    FetchReason.GONE: "The publisher has ended it: remove it, or give it another address.",
    FetchReason.CLIENT_ERROR: "Look whether the address is still right; the site's own page may "
    "name another: wirewatch feeds discover SITE.",
    FetchReason.UNAUTHORISED: "The site wants to know who asks: give the feed username and "
    "password, or ask the publisher to let this service in.",
    FetchReason.RATE_LIMITED: "The site asks for fewer polls; we wait as long as it says. A "
    "greater interval for its feeds avoids this.",
    FetchReason.SERVER_ERROR: "The site has trouble of its own: it is tried again by itself.",
    FetchReason.UNAVAILABLE: "The site has trouble of its own: it is tried again by itself.",
    FetchReason.TIMEOUT: "The site is slow. If it always is, raise polling.timeout.",
    FetchReason.CONNECT_FAILED: "Nothing answers there: check host and port, and our own way out.",
    FetchReason.DNS_FAILED: "The name is not known: check its spelling, and our name server.",
    FetchReason.TLS_FAILED: "The site's certificate is not valid: tell the publisher.",
    FetchReason.PROTOCOL_ERROR: "What answers does not speak HTTP: check scheme and port.",
    FetchReason.BLOCKED_ADDRESS: "It leads to an internal address. If that is meant, add the host "
    "to polling.allow_hosts.",
    FetchReason.BLOCKED_URL: "Only http and https addresses on the usual ports are polled: see "
    "polling.allow_ports.",
    FetchReason.TOO_MANY_REDIRECTS: "It leads round in a circle: open it in a browser and take the "
    "address it ends at.",
    FetchReason.TOO_LARGE: "The document is larger than polling.max_body_bytes: look for a "
    "shorter one.",
    FetchReason.BAD_ENCODING: "The site sends broken compression: tell the publisher.",
    FetchReason.BOT_WALL: "The site shows robots a test: ask the publisher to let this service's "
    "user agent in.",
    FetchReason.ROBOTS: "The site's robots.txt keeps us out: ask the publisher.",
    FetchReason.NOT_A_FEED: "This is a web page, not a feed. To find the site's feeds: wirewatch "
    "feeds discover SITE.",
    FetchReason.WENT_EMPTY: "It had entries before and has none now: look at it in a browser; it "
    "is tried again by itself.",
    FetchReason.PARSE_FAILED: "It cannot be read as a feed: tell the publisher; "
    "`wirewatch feeds inspect ADDRESS` shows what is wrong.",
    FetchReason.PARSE_TIMEOUT: "It takes too long to read: look for a shorter one.",
    FetchReason.PARSE_MEMORY: "It takes too much memory to read: look for a shorter one.",
    FetchReason.PARSE_CRASHED: "Reading it ends the reader: please report the address.",
    FetchReason.INTERNAL: "A mistake of ours: the log has the rest; please report it.",
}


def remedy(reason: str) -> str:
    """Return what to do about a poll that ended so; "" where nothing is wrong."""
    return _REMEDIES.get(FetchReason(reason), "") if reason in list(FetchReason) else ""
