"""Secrets come in by name, are never shown, and what stands in a file is pointed out."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.check import check
from monitor.config.environment import expand
from monitor.config.load import examine, load_config
from monitor.config.schema import SlackChannel
from monitor.observability import redact

CANARY = "canary-5e7d0c1b9a"


def test_variables_are_put_in(tmp_path: Path) -> None:
    """A variable, a default, a literal dollar and two variables in one value all work."""
    env = {"HOST": "a.example", "PORT": "80", "EMPTY": ""}
    assert expand("http://${HOST}:${PORT}/", env).text == "http://a.example:80/"
    assert expand("${NOPE:-none}${EMPTY:-}", env).text == "none"
    assert expand("$${HOST} costs $5", env).text == "${HOST} costs $5"
    assert expand("plain", env).names == ()


@pytest.mark.parametrize(
    ("text", "env", "words"),
    [
        ("${NOPE}", {}, "NOPE is not set"),
        ("${NOPE}", {"NOPE": ""}, "NOPE is empty"),
        ("${NOPE}", {"NOPE_FILE": "/nowhere/at/all"}, "NOPE_FILE names /nowhere/at/all"),
        ("${NOPE", {}, "is not a variable"),
        ("${1X}", {"1X": "a"}, "is not a variable"),
    ],
)
def test_what_is_missing_is_named(text: str, env: dict[str, str], words: str) -> None:
    """A fault names the variable and says what to do."""
    assert words in expand(text, env).faults[0]


def test_a_file_holds_the_value(tmp_path: Path) -> None:
    """NAME_FILE names a file, as Docker and Kubernetes secrets do; its last line break is not
    part of the value, and an empty, binary or endless file is explained."""
    secret = tmp_path / "secret"
    secret.write_text(f"{CANARY}\n", encoding="utf-8")
    env = {"TOKEN_FILE": str(secret)}
    assert expand("${TOKEN}", env).text == CANARY
    assert expand("${TOKEN}", {**env, "TOKEN": "direct"}).text == "direct"
    for content, words in ((b"", "empty"), (b"\xff", "UTF-8"), (b"x" * 70_000, "too long")):
        secret.write_bytes(content)
        assert words in expand("${TOKEN:-fallback}", env).faults[0]


def test_no_output_ever_holds_a_secret(tmp_path: Path) -> None:
    """Canaries in every place a secret may stand, right or wrong, show up in no message, repr,
    JSON or command output."""
    (tmp_path / "feeds.yaml").write_text(
        "feeds:\n"
        "  - {id: a, url: 'https://u:${C}@a.example/?key=${C}', headers: {X-Key: '${C}'}}\n"
        "  - {id: b, url: '${C}', language: '${C}', kind: '${C}', interval: '${C}'}\n"
        "  - {id: '${C} x', url: 'https://b.example/', username: u, password: '${C}'}\n"
    )
    (tmp_path / "topics.yaml").write_text(
        "topics:\n  - {name: Floods, sensitivity: '${C}', fresh_for: '${C}', languages: ['${C}']}\n"
    )
    (tmp_path / "wirewatch.yaml").write_text(
        "store: {url: '${C}', prefix: '${C} X', keep_seen: '${C}'}\n"
        "channels:\n"
        "  s: {type: slack, token: '${C}', channel: '${C}', api_url: '${C}'}\n"
        "  t: {type: '${C}'}\n"
        "  m: {type: email, host: '${C}', from: '${C}', to: '${C}', port: '${C}'}\n"
        "  w: {type: slack_webhook, url: '${C}'}\n"
        "  g: {type: slack, token: '${C}', channel: C1}\n"
        "time_intervals: {n: {start: '${C}', end: '07:00', timezone: '${C}'}}\n"
        "route: {to: ['${C}'], digest: {cron: '${C}', timezone: UTC}}\n"
        "ops: {notices_to: '${C}', log_level: '${C}'}\n"
    )
    env = {"C": CANARY}
    reading = examine(tmp_path, env)
    assert len(reading.errors) > 15
    shown = [str(problem) for problem in reading.problems]
    shown += [repr(reading.config), str(reading.config)]
    for arguments in (["--json"], []):
        run = CliRunner().invoke(check, ["--config", str(tmp_path), *arguments], env=env)
        assert run.exit_code == 2, run.output
        shown.append(run.output)
    for text in shown:
        assert CANARY not in text


def test_logs_leave_out_what_the_configuration_brought_in(tmp_path: Path) -> None:
    """After loading, the central redaction knows every secret value, also inside other text."""
    canary = "canary-for-logs-77"
    (tmp_path / "feeds.yaml").write_text("feeds: ['https://a.example/?key=${C}']\n")
    (tmp_path / "wirewatch.yaml").write_text("store: {url: 'redis://:${D}@store.example:6379'}\n")
    load_config(tmp_path, {"C": canary, "D": "store-password-9"})
    assert redact.redact(f"GET /?key={canary} failed") == f"GET /?key={redact.MASK} failed"
    assert "store-password-9" not in redact.redact("AUTH store-password-9 refused")


def test_a_secret_in_plain_sight_is_pointed_out(tmp_path: Path) -> None:
    """A token written into the file works, yet a warning says where it belongs."""
    (tmp_path / "wirewatch.yaml").write_text(
        f"channels:\n  s:\n    type: slack\n    channel: C1\n    token: xoxb-{CANARY}\n"
    )
    (tmp_path / "feeds.yaml").write_text(
        f"feeds:\n  - {{id: a, url: https://a.example, headers: {{Authorization: {CANARY}}}}}\n"
        f"  - https://user:{CANARY}@b.example/\n"
    )
    reading = examine(tmp_path, {})
    config, problems = reading.config, reading.problems
    channel = config.channels["s"]
    assert isinstance(channel, SlackChannel)
    assert channel.token.get_secret_value() == f"xoxb-{CANARY}"
    said = [str(problem) for problem in problems if "plain sight" in problem.message]
    assert len(said) == 3 and "write ${SLACK_BOT_TOKEN}" in said[0]
    assert ":5: warning" in said[0]
    assert not any(CANARY in line for line in said)


def test_a_bad_secret_leaves_out_its_channel_only(tmp_path: Path) -> None:
    """A missing variable is named with the line it is wanted on."""
    (tmp_path / "wirewatch.yaml").write_text(
        "channels:\n  s:\n    type: slack\n    channel: C1\n    token: ${SLACK_BOT_TOKEN}\n"
    )
    (problem,) = examine(tmp_path, {}).errors
    assert problem.line == 5 and "SLACK_BOT_TOKEN is not set" in problem.message
