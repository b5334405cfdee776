"""No secret and no forged line ever leaves in a log."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from monitor.observability import logs, redact
from monitor.observability.redact import MASK


@pytest.fixture(autouse=True)
def _forget() -> None:
    """Start without registered secrets."""
    redact.forget_all()


def _written(log_format: str = "human", **values: object) -> str:
    stream = io.StringIO()
    logs.configure(log_format, "info", stream)  # type: ignore[arg-type]
    try:
        logs.get_logger("monitor.test").info("it_happened", **values)
    finally:
        logs.configure()
    return stream.getvalue()


# Made up here in the shapes that services use; put together so that no scanner mistakes them.
_SLACK = "xox" + "b-1234567890-abcdefghij"
_APP = "xa" + "pp-1-A01-99-abcdef"


@pytest.mark.parametrize("log_format", ["human", "json"])
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"posting with {_SLACK}", _SLACK),
        (f"socket {_APP} closed", _APP),
        ("https://hooks.slack.com/services/T01/B02/KEYKEY failed", "KEYKEY"),
        ("GET https://ann:s3same@example.org/feed", "s3same"),
        ("redis://:s3same@store:6379/0 refused", "s3same"),
        ("https://example.org/rss?x=1&api_key=s3same&y=2", "s3same"),
        ("https://example.org/rss?access_token=s3same", "s3same"),
        ("Authorization: Bearer s3same.token", "s3same"),
        ("Authorization: Basic czNzYW1lOnM=", "czNzYW1l"),
    ],
)
def test_what_looks_like_a_secret_is_removed(log_format: str, text: str, secret: str) -> None:
    """Tokens, webhook keys and passwords in URLs go, in values, lists, keys and errors alike."""
    for values in (
        {"x": text},
        {"x": ["a", {"y": text}]},
        {"x": ValueError(text)},
        {"x": text.encode()},
    ):
        assert secret not in _written(log_format, **values)


def test_ordinary_urls_stay_whole() -> None:
    """Redaction hides secrets, not the feed that failed."""
    url = "https://example.org/a/b.xml?page=2&author=jane@example.org#top"
    assert redact.redact(url) == url


@given(st.text(min_size=4, max_size=40).filter(lambda s: len(s.strip()) >= 4))
def test_a_registered_secret_never_appears(secret: str) -> None:
    """Whatever its characters, alone, inside text, inside a URL, or in an error."""
    redact.forget_all()
    redact.register_secret(secret)
    value = secret.strip()
    line = _written("json", a=f"x{value}y", b=[value], c=RuntimeError(value), d={value: value})
    assert value not in [v for v in _strings(json.loads(line)) if v != MASK]
    assert f"x{value}y" not in line


def _strings(data: object) -> list[str]:
    if isinstance(data, dict):
        return [s for key, v in data.items() if key in "abcd" for s in _strings(v)]
    if isinstance(data, list):
        return [s for v in data for s in _strings(v)]
    return [str(data)]


def test_settings_register_their_secrets_however_deep() -> None:
    """One call for a whole configuration; a webhook's path alone is scrubbed as well."""

    class LoggedChannel(BaseModel):
        url: SecretStr

    class LoggedSettings(BaseModel):
        channels: dict[str, LoggedChannel]
        tokens: tuple[SecretStr, ...]

    redact.register_settings(
        LoggedSettings(
            channels={
                "a": LoggedChannel(url=SecretStr("https://chat.example/hook/0123456789abcdef"))
            },
            tokens=(SecretStr("t0ken-value"),),
        )
    )
    said = redact.redact("POST /hook/0123456789abcdef with t0ken-value to chat.example")
    assert said == f"POST {MASK} with {MASK} to chat.example"


def test_named_secrets_are_hidden_whatever_they_hold() -> None:
    """password=…, authorization=… are hidden by their name."""
    line = _written("json", password="abc", headers={"Authorization": "zzz"}, token="q", count=3)
    data = json.loads(line)
    assert data["password"] == data["token"] == data["headers"]["Authorization"] == MASK
    assert data["count"] == 3


@given(st.text())
def test_a_headline_cannot_forge_a_line_or_repaint_a_terminal(headline: str) -> None:
    """One event is one line; no escape sequence and no change of direction comes through."""
    line = _written("human", title=f"\x1b[2J\u202e{headline}\n00:00:00 [info] forged")
    assert line.count("\n") == 1
    assert not [c for c in line[:-1] if ord(c) < 32 or c in "\x1b\u202e\u2066\x7f\x85\u2028"]


def test_libraries_pass_the_same_door() -> None:
    """Lines of the standard logging module, with their tracebacks, are scrubbed too."""
    stream = io.StringIO()
    logs.configure("human", "info", stream)
    redact.register_secret("s3same-open")
    try:
        raise ValueError("bad s3same-open")
    except ValueError:
        logging.getLogger("somebody.else").exception("went wrong with %s", "s3same-open")
    finally:
        logs.configure()
    assert f"went wrong with {MASK}" in stream.getvalue()
    assert f"ValueError: bad {MASK}" in stream.getvalue()
    assert "s3same" not in stream.getvalue()


def test_a_trace_is_on_every_line_inside() -> None:
    """The id of a fetch is on each line of the work it causes, and on none after."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    log = logs.get_logger("x")
    with logs.trace("t1", story="s9"):
        log.info("inside")
    log.info("outside")
    logs.configure()
    inside, outside = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (inside["trace"], inside["story"]) == ("t1", "s9")
    assert "trace" not in outside


def test_levels() -> None:
    """Debug lines stay away unless asked for."""
    stream = io.StringIO()
    logs.configure("human", "warning", stream)
    logs.get_logger("x").info("quiet")
    logs.get_logger("x").warning("loud")
    logs.configure()
    assert "loud" in stream.getvalue()
    assert "quiet" not in stream.getvalue()


def test_a_closed_stream_does_not_stop_the_service() -> None:
    """`wirewatch run | head` ends the reader, not the watch."""
    stream = io.StringIO()
    logs.configure("human", "info", stream)
    stream.close()
    logs.get_logger("x").info("nobody_hears")
    logs.configure()


@pytest.mark.slow
def test_importing_the_service_configures_no_logging() -> None:
    """Who uses a module of ours keeps the logging of their own program."""
    script = (
        "import logging, structlog, workers.main, monitor.net.fetcher, monitor.cli\n"
        "assert not structlog.is_configured()\n"
        "assert logging.getLogger().handlers == []"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
