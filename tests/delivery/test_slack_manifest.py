"""The manifest asks Slack for what the code uses, no less and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from monitor.cli import main
from monitor.slack_app.actions import PATH
from monitor.slack_app.manifest import ENDPOINT, SCOPES, manifest

CODE = Path(__file__).parents[2] / "monitor"
METHOD = re.compile(r"\.((?:chat|conversations|users|views|reactions|files|bots|team)_\w+)\(")


def test_scopes_are_those_of_the_methods_that_are_called() -> None:
    """A new call to Slack's Web API without its scope here, or a scope without a call, fails."""
    called = {
        found.replace("_", ".", 1)
        for path in CODE.rglob("*.py")
        for found in METHOD.findall(path.read_text("utf-8"))
    }
    assert called == set(SCOPES)
    assert ENDPOINT == PATH


def test_socket_mode_needs_no_address_and_http_names_one() -> None:
    """Without an address nothing points anywhere; with one, buttons and events come to `/slack`."""
    quiet = manifest()
    assert quiet["settings"]["socket_mode_enabled"] and "url" not in json.dumps(quiet)
    called = manifest("https://news.example.org/")
    assert not called["settings"]["socket_mode_enabled"]
    for part in ("interactivity", "event_subscriptions"):
        assert called["settings"][part]["request_url"] == "https://news.example.org/slack"


def test_the_command_prints_json_and_refuses_plain_http() -> None:
    """What is printed can be pasted; an http address is refused with the reason."""
    fine = CliRunner().invoke(main, ["slack", "manifest", "--name", "Desk"])
    assert fine.exit_code == 0
    assert json.loads(fine.output)["display_information"]["name"] == "Desk"
    bad = CliRunner().invoke(main, ["slack", "manifest", "--url", "http://x"])
    assert bad.exit_code == 2
