"""Structured logs: an event name and named values, for people or as JSON, secrets removed.

Every line, ours or a library's, passes `redact` on its way out: secret values that were
registered are scrubbed wherever they appear, and so is whatever looks like a token, a webhook
address, or a password inside a URL. Control and direction-changing characters are escaped, so
a hostile headline can neither repaint a terminal nor forge a line.

The id of a fetch follows its stories to the receipt: `with trace(story.trace): ...` puts it on
every line written inside.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal, TextIO
from urllib.parse import quote, urlsplit

import structlog
from structlog.typing import EventDict, WrappedLogger

from monitor.observability.redact import MASK, remember
from monitor.observability.redact import redact as leave_out

_SHORTEST_SECRET = 4  # shorter values would blank out ordinary words
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_NOISY = ("httpx", "httpcore", "apscheduler", "slack_sdk", "asyncio", "sentence_transformers")

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
_SECRET_WORD = r"(?:pass(?:word|wd)?|secret|token|api_?key|apikey|auth|signature|sig|access_key)"  # noqa: S105 -- the words, not a secret
_QUERY = re.compile(rf"([?&;](?:[\w.-]*[_.-])?{_SECRET_WORD}=)[^\s&#;\"'<>]+", re.IGNORECASE)
_SECRET_KEY = re.compile(
    rf"(?:^|_){_SECRET_WORD}$|^(?:authorization|cookie|set-cookie)$", re.IGNORECASE
)
_UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_MULTILINE = frozenset({"exception", "stack"})


def register_secret(value: str | None) -> None:
    """Have `value` scrubbed from everything logged or passed through `redact` from now on.

    Values shorter than four characters are ignored. Of an address, the part after the host is
    registered as well, when it is long enough to be a key.
    """
    if not value or len(value.strip()) < _SHORTEST_SECRET:
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
    text = _TOKENS.sub(MASK, leave_out(text))
    if "://" in text:
        text = _USERINFO.sub(rf"\1{MASK}@", text)
    if "=" in text:
        text = _QUERY.sub(rf"\1{MASK}", text)
    return text


def printable(text: str) -> str:
    """Return `text` on one line, control and direction-changing characters as `\\xNN`."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _clean(value: Any, key: str = "") -> Any:
    if key and _SECRET_KEY.search(key) and value not in (None, "", True, False):
        return MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(_clean(str(name))): _clean(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner) for inner in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    text = redact(str(value))
    if key in _MULTILINE:
        return "\n".join(printable(line) for line in text.split("\n"))
    return printable(text)


def _scrub(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event.setdefault("logger", logger.name)
    return {key: _clean(value, key) for key, value in event.items() if not key.startswith("_")}


class _CurrentStderr:
    """Writes to whatever `sys.stderr` is at that moment (tests and CLIs replace it)."""

    def __init__(self, stream: TextIO | None, name: str = "") -> None:
        self._stream = stream
        self.name = name

    def msg(self, message: str) -> None:
        stream = self._stream or sys.stderr
        try:
            stream.write(message + "\n")
            stream.flush()
        except UnicodeEncodeError:
            stream.write(message.encode("ascii", "backslashreplace").decode() + "\n")
        except (OSError, ValueError):
            return  # nobody is listening any more; the service goes on

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg


class _FromLibraries(logging.Handler):
    """Takes lines written with the standard `logging` module through the same processors."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "warning" if record.levelno >= logging.WARNING else record.levelname.lower()
        level = "error" if record.levelno >= logging.ERROR else level
        try:
            method = getattr(get_logger(record.name), level, None)
            if method is not None:
                method(record.getMessage(), exc_info=record.exc_info or None)
        except Exception:
            self.handleError(record)


_hidden: set[str] = set()
_spoken: dict[str, Callable[[EventDict], None]] = {}


def hide(events: Iterable[str]) -> None:
    """Leave these events out from now on: a terminal says the same in sentences."""
    _hidden.update(events)


def speak(name: str, say: Callable[[EventDict], None]) -> None:
    """Have `say` tell this event from now on, in place of the log's line."""
    _spoken[name] = say


def _without_hidden(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if say := _spoken.get(str(event.get("event"))):
        say(event)
        raise structlog.DropEvent
    if event.get("event") in _hidden:
        raise structlog.DropEvent
    return event


def configure(
    log_format: Literal["human", "json"] = "human",
    level: Literal["debug", "info", "warning", "error"] = "info",
    stream: TextIO | None = None,
) -> None:
    """Set up logging for the process; may be called again (a reload changes level or format).

    `stream` defaults to standard error, so that what a command prints stays clean.
    """
    target = stream or sys.stderr
    renderer: Any
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=hasattr(target, "isatty") and target.isatty(), pad_event_to=22, sort_keys=False
        )
    structlog.configure(
        processors=[
            _without_hidden,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(
                fmt="iso" if log_format == "json" else "%H:%M:%S", utc=log_format == "json"
            ),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            _scrub,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *name: _CurrentStderr(stream, *name),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _FromLibraries)]:
        root.removeHandler(handler)
    root.addHandler(_FromLibraries())
    root.setLevel(_LEVELS[level])
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[level]))


def get_logger(name: str) -> Any:
    """Return a logger: `log.info("poll_failed", feed="bbc", reason="timeout")`."""
    return structlog.get_logger(name.removeprefix("monitor.").removeprefix("workers."))


@contextmanager
def trace(trace_id: str, **values: Any) -> Iterator[None]:
    """Put `trace=trace_id` (and `values`) on every line logged inside, across awaits."""
    with structlog.contextvars.bound_contextvars(trace=trace_id, **values):
        yield
