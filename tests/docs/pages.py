"""The pages of the documentation, their fenced blocks, and the commands they name."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`((?:[^`\n]|\n(?!\n))+)`(?!`)")  # may go on in the next line
# A program and at least one word for it: without one it is only named.
_COMMAND = re.compile(r"(?:wirewatch|docker|docker-compose|kubectl) [a-z-]")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    info: str
    text: str

    @property
    def file(self) -> str:
        """The path to write the block to, or ""."""
        found = re.search(r"file=(\S+)", self.info)
        return found[1] if found else ""


@dataclass(frozen=True)
class Command:
    """One command of a page: its text, its line, and the line its block begins on (0: prose)."""

    text: str
    line: int
    block: int

    @property
    def inline(self) -> bool:
        """Whether it stands within the prose."""
        return not self.block


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [Block(found[1] or "", found[2], found[3]) for found in FENCE.finditer(text)]


def commands(page: Path) -> list[Command]:
    """Return what a page has people type, in its order: `sh` blocks, and commands in the prose."""
    text = page.read_text(encoding="utf-8")
    found: list[Command] = []
    for block in FENCE.finditer(text):
        if block[1] == "sh":
            first = text.count("\n", 0, block.start(3)) + 1
            found += [Command(one, first + n, first) for n, one in _whole(block[3])]
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    for span in _SPAN.finditer(prose):
        text = " ".join(span[1].split("\n")).replace("\\|", "|")
        if _COMMAND.match(text):
            found.append(Command(text, prose.count("\n", 0, span.start()) + 1, 0))
    return sorted(found, key=lambda one: one.line)


def _whole(text: str) -> list[tuple[int, str]]:
    """Split the text of a block into commands, each with the number of its first line.

    A line that ends in a backslash, or within quotes, goes on in the next one.
    """
    found: list[tuple[int, str]] = []
    begun, first = "", 0
    for number, line in enumerate(text.splitlines()):
        if not begun:
            first = number
        begun += line
        try:
            words = shlex.split(begun, comments=True)
        except ValueError:
            words = None
        if words is None or line.endswith("\\"):
            begun += "\n"
            continue
        if words:
            found.append((first, begun))
        begun = ""
    assert not begun, f"a command does not end: {begun}"
    return found
