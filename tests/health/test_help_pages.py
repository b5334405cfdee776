"""Errors lead to the page that says more; wrong commands to the right one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor import errors
from monitor.cli import main
from monitor.cli.help_pages import page_for, with_page
from monitor.reasons import FetchReason

ROOT = Path(__file__).parents[2]
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.WirewatchError)
    and kind not in (errors.WirewatchError,)
]


def made(kind: type[Exception]) -> Exception:
    """An error of a kind."""
    if issubclass(kind, errors.ConfigError):
        return kind([errors.Problem("a.yaml", 1, "is wrong")])
    return kind(FetchReason.TIMEOUT, "late") if issubclass(kind, errors.FetchError) else kind("bad")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_page_that_exists(kind: type[Exception]) -> None:
    """The page is in the repository, and the part of it that is named."""
    error = made(kind)
    assert page_for(error)
    assert with_page(error).startswith(str(error))
    for page in page_for(error).split(", "):
        path, _, anchor = page.partition("#")
        heads = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
        assert not anchor or anchor in slugs


def test_a_command_that_is_refused_says_where_to_read_on(tmp_path: Path) -> None:
    """`check` and the commands that need a configuration name the page below what is wrong."""
    (tmp_path / "topics.yaml").write_text("- {nam: Floods}\n")
    for words in (["check", "--no-model"], ["topics", "list"]):
        said = CliRunner().invoke(main, [*words, "--config", str(tmp_path)])
        assert said.exit_code == 2
        assert said.output.splitlines()[-1].startswith("More: docs/how-to/mistakes.md")


@pytest.mark.parametrize(("typed", "meant"), [("topcs", "topics"), ("statsu", "status")])
def test_an_unknown_command_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    """A slip of the fingers costs one look."""
    said = CliRunner().invoke(main, [typed])
    assert said.exit_code == 2
    assert said.output.endswith(f"Did you mean {meant}?\n")
