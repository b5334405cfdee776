"""Commands of analysts need no secrets of the service, and paths are checked before the work."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli import main

SETTINGS = """\
channels:
  world-desk: {type: slack, token: "${NOWHERE_TOKEN}", channel: C0123ABCD}
  hook: {type: webhook, url: "${NOWHERE_URL}"}
ops: {notices_to: hook}
route: {to: [world-desk], routes: [{match: {urgency: high}, to: [hook]}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration whose secrets are not set here."""
    (tmp_path / "wirewatch.yaml").write_text(SETTINGS)
    (tmp_path / "topics.yaml").write_text("- Floods\n")
    (tmp_path / "feeds.yaml").write_text(
        "- {id: a, url: https://a.example/rss}\n- {id: b, url: 'https://b.example/?k=${NO_KEY}'}\n"
    )
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    """Exit code and everything printed."""
    said = CliRunner().invoke(main, list(words))
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
    return said.exit_code, said.output


@pytest.mark.parametrize("words", [("topics", "list"), ("routes", "show"), ("feeds", "export")])
def test_an_analyst_needs_no_secrets(folder: Path, words: tuple[str, ...]) -> None:
    """The command works, and one line says which variables are missing and what is left out."""
    code, said = run(*words, "--config", str(folder))
    assert code == 0, said
    assert "Not set here: NOWHERE_TOKEN, NOWHERE_URL, NO_KEY." in said
    assert "wirewatch.yaml:2" in said and "feeds.yaml:2" in said


def test_what_sends_and_what_checks_needs_them(folder: Path) -> None:
    """`test-alert` sends and `check` judges: both still name the missing variable as a mistake."""
    for words in (("test-alert",), ("check", "--no-model")):
        code, said = run(*words, "--config", str(folder))
        assert code == 2 and "NOWHERE_TOKEN is not set" in said


def test_other_mistakes_still_stop(folder: Path) -> None:
    """A mistake that no variable explains is one for every command."""
    (folder / "topics.yaml").write_text("- {name: Floods, wrong: 1}\n")
    code, said = run("topics", "list", "--config", str(folder))
    assert code == 2 and "unknown key" in said


def test_only_what_needs_the_store_asks_for_its_address(folder: Path) -> None:
    """With the store's address in a missing variable, a command on files works; one on the store
    says what it needs, and does not start a store of its own."""
    with (folder / "wirewatch.yaml").open("a") as file:
        file.write(f"store:\n  url: ${{NO_STORE}}\n  data_dir: {folder / 'data'}\n")
    assert run("topics", "list", "--config", str(folder))[0] == 0
    code, said = run("feeds", "list", "--config", str(folder))
    assert code == 2 and "its address needs NO_STORE" in said
    assert not (folder / "data").exists()


@pytest.mark.parametrize("words", [
    ("replay", "{stories}", "--out", "{missing}/x"),
    ("backtest", "--stories", "{stories}", "--html", "{missing}/x"),
    ("feeds", "export", "-o", "{missing}/x"),
    ("feeds", "export", "-o", "{folder}"),
])  # fmt: skip
def test_a_path_that_cannot_be_written_is_said_before_the_work(
    folder: Path, words: tuple[str, ...]
) -> None:
    """Whoever names a missing folder for the result learns it at once, in one line."""
    stories = folder / "stories.jsonl"
    stories.write_text('{"title": "Floods in the north"}\n')
    names = {"stories": stories, "missing": folder / "missing", "folder": folder}
    code, said = run(*(word.format(**names) for word in words), "--config", str(folder))
    assert code == 2 and ("does not exist; make it first" in said or "is a directory" in said)


def test_importing_again_renews_and_keeps_what_was_added(tmp_path: Path) -> None:
    """A second import adds new feeds, follows names and folders, and keeps ids and own settings."""
    opml = tmp_path / "list.opml"
    config = tmp_path / "config"
    config.mkdir()

    def imported(*outlines: str) -> str:
        opml.write_text(f"<opml><body>{''.join(outlines)}</body></opml>", encoding="utf-8")
        code, said = run("feeds", "import", str(opml), "--config", str(config))
        assert code == 0, said
        return said

    one = '<outline text="{}" xmlUrl="https://one.example/?a=1&amp;b=2"/>'
    assert "1 feed written" in imported(one.format("Новости"))
    target = config / "feeds" / "list.yaml"
    text = target.read_text(encoding="utf-8")
    assert "id: novosti" in text
    target.write_text(text + "  interval: 5m\n", encoding="utf-8")
    said = imported(one.format("News"), '<outline text="Two" xmlUrl="https://two.example/"/>')
    assert "1 feed written" in said and "1 renewed" in said
    text = target.read_text(encoding="utf-8")
    assert "id: novosti" in text and "name: News" in text and "interval: 5m" in text
    assert "nothing was written" in imported(one.format("News"))
    assert "two.example" in target.read_text(encoding="utf-8")
