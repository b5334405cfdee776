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
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from monitor.observability.redact import MASK, SECRET_WORD, redact

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_NOISY = ("httpx", "httpcore", "apscheduler", "slack_sdk", "asyncio", "sentence_transformers")

_SECRET_KEY = re.compile(
    rf"(?:^|_){SECRET_WORD}$|^(?:authorization|cookie|set-cookie)$", re.IGNORECASE
)
_UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_MULTILINE = frozenset({"exception", "stack"})


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
