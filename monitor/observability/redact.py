"""What must never be shown, and the means to leave it out of logs, errors and stored state.

Settings of type `SecretStr` hide themselves. A secret can still travel inside other text (a feed's
address with a key in it, an error of a library that repeats a header), so whoever reads secrets
registers them here, and whoever writes text for others passes it through `redact`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import quote, urlsplit

MASK = "**********"
_SHORTEST = 4  # anything shorter would black out common words
_TOKENS = re.compile(
    r"""\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{4,}        # Slack bot, user and app tokens
      | (?<=Bearer\ )[A-Za-z0-9._~+/=-]{6,}
      | (?<=Basic\ )[A-Za-z0-9+/=]{6,}
      | (?<=hooks\.slack\.com/)[^\s"'<>]+           # the path of an incoming webhook is its key
      | (?<=/api/webhooks/)[^\s"'<>]+               # Discord's, likewise
    """,
    re.VERBOSE,
)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#@\"'<>]*@", re.IGNORECASE)
# Settings, headers and parameters of these names hold a secret.
SECRET_WORD = r"(?:pass(?:word|wd)?|secret|token|api_?key|apikey|auth|signature|sig|access_key)"  # noqa: S105 -- the words, not a secret
_QUERY = re.compile(rf"([?&;](?:[\w.-]*[_.-])?{SECRET_WORD}=)[^\s&#;\"'<>]+", re.IGNORECASE)
_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def remember(values: Iterable[str]) -> None:
    """Have these texts left out of everything `redact` sees from now on."""
    global _pattern
    fresh = {value for value in values if len(value) >= _SHORTEST} - _known
    if fresh:
        _known.update(fresh)
        longest_first = sorted(_known, key=len, reverse=True)
        _pattern = re.compile("|".join(re.escape(value) for value in longest_first))


def forget_all() -> None:
    """Forget every secret, as tests do that run many configurations in one process."""
    global _pattern
    _known.clear()
    _pattern = None


def _without_known(text: str) -> str:
    return _pattern.sub(MASK, text) if _pattern else text


def register_secret(value: str | None) -> None:
    """Have `value` scrubbed from everything logged or passed through `redact` from now on.

    Values shorter than four characters are ignored. Of an address, the part after the host is
    registered as well, when it is long enough to be a key.
    """
    if not value or len(value.strip()) < _SHORTEST:
        return
    text = value.strip()
    forms = {text, quote(text, safe=""), repr(text)[1:-1]}
    with suppress(ValueError):  # not every text with "://" in it is an address
        parts = urlsplit(text)
        rest = parts.path + (f"?{parts.query}" if parts.query else "")
        if parts.scheme and len(rest) >= 16:
            forms.add(rest)
    remember(forms)


def register_settings(settings: object) -> None:
    """Register every `SecretStr` found in a settings object, however deep it lies."""
    reveal = getattr(settings, "get_secret_value", None)
    if reveal is not None:
        register_secret(str(reveal()))
    elif isinstance(settings, Mapping):
        for value in settings.values():
            register_settings(value)
    elif isinstance(settings, list | tuple | set | frozenset):
        for value in settings:
            register_settings(value)
    else:
        for name in getattr(type(settings), "model_fields", ()):
            register_settings(getattr(settings, name))


def redact(text: str) -> str:
    """Return `text` without secrets: what is registered, and what looks like one.

    Use it on every message that leaves the process or is stored: errors, notices, dead letters.
    """
    text = _TOKENS.sub(MASK, _without_known(text))
    if "://" in text:
        text = _USERINFO.sub(rf"\1{MASK}@", text)
    if "=" in text:
        text = _QUERY.sub(rf"\1{MASK}", text)
    return text
