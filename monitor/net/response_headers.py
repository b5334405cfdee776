"""What a publisher's response headers ask of us, as plain values."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_MAX_AGE = re.compile(r'(?:^|,)\s*max-age\s*=\s*"?(\d{1,10})', re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|,)\s*(no-cache|no-store)\b", re.IGNORECASE)
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_REL = re.compile(r'\brel\s*=\s*("([^"]*)"|[^\s;,"]+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hints:
    """How long a publisher asks to be left alone, seconds; None where nothing was said.

    `fresh_for` comes from Cache-Control max-age or Expires (RFC 9111 section 5), `retry_after`
    from Retry-After (RFC 9110 section 10.2.3), both measured from the response's arrival.
    `ignore_validators` is set by a server that marks its answers as already expired.
    """

    fresh_for: float | None = None
    retry_after: float | None = None
    ignore_validators: bool = False


def http_date(value: str) -> float | None:
    """Return an HTTP date as Unix seconds, or None if it is not one."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def parse_hints(headers: Mapping[str, str], now: float) -> Hints:
    """Return what `headers` ask for; nonsense counts as silence.

    Args:
        headers: response headers, names in any case if the mapping ignores case.
        now: arrival of the response, Unix seconds.
    """
    control = headers.get("cache-control", "")
    expires = headers.get("expires", "").strip()
    age = headers.get("age", "").strip()
    fresh: float | None = None
    if not _NO_CACHE.search(control):
        if found := _MAX_AGE.search(control):
            fresh = float(found[1]) - (float(age) if age.isdigit() else 0.0)
        elif expires and expires != "0" and (at := http_date(expires)) is not None:
            fresh = at - (http_date(headers.get("date", "")) or now)
    return Hints(
        fresh_for=max(0.0, fresh) if fresh is not None else None,
        retry_after=parse_retry_after(headers.get("retry-after", ""), now),
        ignore_validators=expires == "0",
    )


def parse_retry_after(value: str, now: float) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110 10.2.3), or None for nonsense.

    Args:
        value: a number of seconds or an HTTP date.
        now: arrival of the response, Unix seconds.
    """
    value = value.strip()
    if not value:
        return None
    if value.isdigit() and value.isascii():
        return float(value[:10])
    at = http_date(value)
    return max(0.0, at - now) if at is not None else None


def link_relations(value: str) -> dict[str, str]:
    """Return rel -> address from a Link header (RFC 8288); the first of each relation wins.

    Args:
        value: the header, one character for each byte; addresses beyond ASCII are UTF-8.
    """
    with contextlib.suppress(UnicodeError):
        value = value.encode("latin-1").decode()
    relations: dict[str, str] = {}
    for address, parameters in _LINK.findall(value):
        if rel := _REL.search(parameters):
            for name in (rel[2] or rel[1]).lower().split():
                relations.setdefault(name, address)
    return relations
