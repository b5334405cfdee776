"""Advice can be followed: every command that a message names is one the command line takes."""

from __future__ import annotations

import ast
import copy
import json
import re
import shlex
from collections.abc import Iterator

import click
import pytest
import yaml

from monitor.cli import main
from tests.docs.pages import ROOT

pytestmark = pytest.mark.slow

# Within backticks to the closing one; without them to the end of the clause.
_QUOTED = re.compile(r"`(wirewatch [a-z][^`]*)`")
_BARE = re.compile(r"(?<!`)\b(wirewatch [a-z-]+(?: .*?)?)(?=[.,;](?:\s|$)|\n|$)")
_TEMPLATE = re.compile(r"\{\{[^}]*\}\}")


def _commands(text: str) -> Iterator[str]:
    yield from _QUOTED.findall(text)
    yield from _BARE.findall(_QUOTED.sub("", text))


def _messages(source: str) -> Iterator[str]:
    """Yield the texts of a module, its docstrings left out; what is filled in reads X."""
    tree, apart = ast.parse(source), set[ast.AST]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr):
                apart.add(first.value)
        elif isinstance(node, ast.JoinedStr):
            apart |= set(node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in apart:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            text = ""
            for part in node.values:
                if isinstance(part, ast.Constant):
                    text += str(part.value)
                elif not text[-1:].isalnum():  # glued to a word it is an ending, or an option
                    text += "X"
            yield text


def _advice() -> list[tuple[str, str]]:
    """Return (where, command) for all that the service, its rules and its dashboard say."""
    found: list[tuple[str, str]] = []
    for path in sorted([*ROOT.glob("monitor/**/*.py"), *ROOT.glob("workers/**/*.py")]):
        source = path.read_text(encoding="utf-8")
        for text in _messages(source) if "wirewatch " in source else ():
            found += [(str(path.relative_to(ROOT)), one) for one in _commands(text)]
    monitoring = ROOT / "deploy/monitoring"
    rules = yaml.safe_load((monitoring / "rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            for text in rule["annotations"].values():
                found += [(rule["alert"], one) for one in _commands(_TEMPLATE.sub("X", text))]
    board = json.loads((monitoring / "grafana/dashboards/wirewatch.json").read_text("utf-8"))
    for panel in board["panels"]:
        found += [(panel["title"], one) for one in _commands(panel.get("description", ""))]
    return found


def _open(command: click.Command) -> click.Command:
    """Return a copy that parses strictly but asks nothing of files, and nothing of people."""
    made = copy.copy(command)
    made.params = [copy.copy(one) for one in command.params]
    for one in made.params:
        one.callback = None
        if isinstance(one, click.Option):
            one.prompt = None
        if isinstance(one.type, click.Path):
            one.type = click.STRING
    return made


def parse(line: str) -> None:
    """Have the real command line read `line`.

    Raises:
        click.UsageError: it would not take it as it stands.
    """
    words = shlex.split(line)[1:]
    command: click.Command = main
    context = click.Context(main, info_name="wirewatch")
    while isinstance(command, click.Group):
        inner = command.get_command(context, words[0]) if words else None
        if inner is None:
            raise click.UsageError(f"{line}: there is no such command, or it needs another word")
        command, words = inner, words[1:]
    _open(command).make_context(command.name, words, parent=context)


@pytest.mark.parametrize(("where", "command"), _advice())
def test_every_command_in_a_message_can_be_typed(where: str, command: str) -> None:
    """Whole commands, with the words they need, no word too many and only options that exist."""
    try:
        parse(command)
    except click.UsageError as error:
        pytest.fail(f"{where} names `{command}`: {error.message}")


def test_the_advice_is_found() -> None:
    """What the test above looks at holds the messages that people get: they do not slip by it."""
    found = _advice()
    for expected in (
        ("monitor/health/rules.py", "wirewatch test-alert --channel X"),
        ("monitor/health/rules.py", "wirewatch feeds inspect X"),
        ("monitor/delivery/send_decision.py", "wirewatch dead show notifier:X"),
        ("monitor/config/load.py", "wirewatch init"),
        ("workers/overview.py", "wirewatch dead list"),
        ("WirewatchDeadLetters", "wirewatch dead list"),
        ("WirewatchNotificationsOld", "wirewatch test-alert --channel X"),
    ):
        assert expected in found


@pytest.mark.parametrize(
    "wrong",
    [
        "wirewatch test-alert desk",
        "wirewatch dead",
        "wirewatch dead show",
        "wirewatch status --all",
        "wirewatch test-alert --channel",
        "wirewatch statuses",
        "wirewatch test-alert tries them",
    ],
)
def test_what_cannot_be_typed_is_refused(wrong: str) -> None:
    """A word too many, a word too few, an unknown option or command: each is found."""
    with pytest.raises(click.UsageError):
        parse(wrong)
