"""The documentation is true: commands run, settings are accepted, links lead somewhere.

What the fences of code blocks mean, in README.md and docs/:

    ```console            run here, in order, in a folder of the page's own; `$ ` starts a
                          command, what follows is its output, `…` stands for anything
    ```sh                 needs a network, a service or Docker: run by test_live_docs.py against
                          stand-ins and a service that really runs; here only looked at for
                          commands, options and targets of make that do not exist
    ```yaml               must be a right configuration file, or with `wrong` a wrong one
    ```yaml file=PATH     is written to PATH in the page's folder as well (any language)
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from monitor.cli import COMMANDS, main
from monitor.config.json_schema import schema_for
from monitor.config.load import examine
from tests.docs.pages import FENCE, NAMES, PAGES, ROOT, Block, blocks

_PLAIN = re.compile(r"wirewatch [^|&;<>$`*~\\\n]+")  # nothing that a shell would see to
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def steps(block: Block) -> Iterator[tuple[str, str]]:
    """Yield (command, the output it is said to give) of a console block."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output.strip("\n")


def pattern(output: str) -> str:
    """Turn a described output into a pattern; `…` alone on a line stands for any lines."""
    lines = []
    for line in output.splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            words = re.escape(line.rstrip()).replace(re.escape("…"), ".*")
            lines.append(re.sub(r"(\\ )+", r"\\s+", words) + r"[ ]*\n")
    return "".join(lines)


CONSOLE = [page for page in PAGES if any(block.language == "console" for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", CONSOLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_does_what_the_page_says(
    page: Path, tmp_path: Path, one_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console blocks of a page run in order, succeed, and give the output shown.

    A plain `wirewatch …` runs in this process, with the model that it shares with the others; what
    the shell has a part in runs in the shell.
    """
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith("WIREWATCH")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    for block in blocks(page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if block.language != "console":
            continue
        for command, output in steps(block):
            wanted, _, code = command.partition("  # exit ")
            ended, out, err = _run(wanted.strip(), folder, env)
            said = out + err
            assert ended == int(code or 0), f"{command}\n{said}"
            if output:
                found = re.search(pattern(output), out + "\n" + err)
                assert found, f"{command}\nsaid:\n{said}\nnot:\n{output}"


def _run(command: str, folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """Run one command of a page; return its exit code and what it said."""
    if _PLAIN.fullmatch(command):
        run = CliRunner().invoke(main, shlex.split(command)[1:], env=env)
        return run.exit_code, run.stdout, run.stderr
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def commands_in(page: Path) -> list[str]:
    """Return every `wirewatch …` and `make …` line a page names, in blocks and in the text."""
    text = page.read_text(encoding="utf-8")
    found = [
        command.strip().removeprefix("$ ").partition("  # ")[0]
        for block in blocks(page)
        if block.language in ("console", "sh")
        for line in block.text.replace("\\\n", " ").splitlines()
        for command in re.split(r" && | \| |; ", line)
    ]
    prose = FENCE.sub("", text)
    found += [code.strip() for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose)]
    return [
        one
        for one in found
        if re.match(r"(?:wirewatch|make) [a-z-]|python (?:-m |\w\S*\.py)|deploy/", one)
    ]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_named_exists(page: Path) -> None:
    """Commands, subcommands, options, make targets and programs named anywhere are real."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in commands_in(page):
        words = [word for word in shlex.split(line) if word not in ("…", "[OPTIONS]")]
        if words[0] == "python" or words[0].startswith("deploy/"):
            if page.name != "tutorial.md":  # its own program, which it shows and runs
                _program_must_exist(words, f"{page.name}: {line}")
            continue
        if words[0] == "make":
            for word in words[1:]:
                assert "=" in word or word in targets, f"{page.name}: {line}"
            continue
        _must_exist(words[1:], f"{page.name}: {line}")


def _program_must_exist(words: list[str], where: str) -> None:
    """A program of the repository is there, and its source has the options named."""
    if words[0] != "python":
        path = ROOT / words[0]
    elif words[1] == "-m":
        path = (ROOT / words[2].replace(".", "/")).with_suffix(".py")
    else:
        path = ROOT / words[1]
    assert path.exists(), f"{where}: there is no {path}"
    for word in words:
        if word.startswith("--"):
            source = path.read_text(encoding="utf-8")
            assert f'"{word}"' in source, f"{where}: there is no option {word}"


def _must_exist(words: list[str], where: str) -> None:
    command: click.Command = main
    context = click.Context(main)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        assert inner is not None, f"{where}: there is no command {words[0]}"
        command, words = inner, words[1:]
    known = {
        spelled
        for one in command.get_params(context)
        for spelled in [*one.opts, *one.secondary_opts]
    } | {"--help"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{where}: there is no option {word}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_setting_shown_is_accepted(page: Path, tmp_path: Path) -> None:
    """YAML shown on a page has only keys and values that exist; what is shown as wrong has not."""
    for block in blocks(page):
        if block.language != "yaml":
            continue
        keys = set(yaml.safe_load(block.text) or {})
        kind = next((kind for kind in ("feeds", "topics") if kind in keys), "wirewatch")
        if kind == "wirewatch" and not keys & set(schema_for("wirewatch")["properties"]):
            continue  # another program's YAML
        (tmp_path / f"{kind}.yaml").write_text(block.text, encoding="utf-8")
        env = dict.fromkeys(re.findall(r"\$\{(\w+)", block.text), "https://placeholder.example")
        problems = examine(tmp_path, env).problems
        (tmp_path / f"{kind}.yaml").unlink()
        mistakes = [
            str(one)
            for one in problems
            if one.severity == "error" and not one.message.startswith("there is no ")
        ]
        assert bool(mistakes) == ("wrong" in block.info), mistakes or block.text


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links between pages name files and headings that exist."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), f"{page.name}: {target}"
        if anchor and goal.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", goal.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
            assert anchor in anchors, f"{page.name}: {target}"


def test_the_reference_is_current() -> None:
    """What is made from the code is as the code is now (renew: python docs/generate.py)."""
    run = subprocess.run(
        [sys.executable, str(ROOT / "docs/generate.py"), "--check"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_command_is_undocumented() -> None:
    """Every command is in the reference and in one of the guides for people."""
    reference = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    guides = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [*ROOT.glob("docs/how-to/*.md"), ROOT / "docs/tutorial.md", ROOT / "README.md"]
    )
    for name in COMMANDS:
        assert f"## wirewatch {name}\n" in reference
        assert f"wirewatch {name}" in guides, f"no guide mentions wirewatch {name}"


def test_every_setting_is_described() -> None:
    """No key of a file is without a sentence that says what it does."""
    from monitor.config import schema

    for kind in vars(schema).values():
        if (
            isinstance(kind, type)
            and issubclass(kind, schema.Settings)
            and kind is not (schema.Config)
        ):
            for name, field in kind.model_fields.items():
                assert field.description, f"{kind.__name__}.{name}"


def test_every_page_is_reachable() -> None:
    """From docs/index.md one gets to every page of the docs by following links."""
    seen: set[Path] = set()
    waiting = [ROOT / "docs/index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            path = target.partition("#")[0]
            if path and ":" not in path:
                goal = (page.parent / path).resolve()
                waiting += goal.glob("*.md") if goal.is_dir() else [goal]
    lost = [
        str(page.relative_to(ROOT)) for page in PAGES if "docs" in page.parts and page not in seen
    ]
    assert lost == []
