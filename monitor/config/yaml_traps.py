"""Where YAML does something else than the writer meant: errors explained, silent losses found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

_KEY_LINE = re.compile(r"\s*(?:- )?[A-Za-z_][\w-]*:(?:\s|$)")
_COMMENT = re.compile(r"\s+#(?=\S)(?:[^#\n]*)|\s+# ?\d[^\n]*")
_GLUED = re.compile(r"\s*(?:(-)(?=[^\s-])|-?\s*[A-Za-z_]\w*(:)(?=[^\s/]))")
_APOSTROPHE = re.compile(r"(?:^|[\s:\[,-])'[^']*\w'\w")
_DOUBLE_IT = (
    "the apostrophe ends the text that a single quote began; put the whole value in double quotes, "
    "or write the apostrophe twice"
)


def explain_yaml_error(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """Turn the parser's complaint into the line to look at and what a person should do there."""
    mark: Any = error.problem_mark or error.context_mark
    line = int(mark.line) + 1 if mark else 1
    context: Any = error.context_mark
    opened = int(context.line) + 1 if context else line
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    problem, around = str(error.problem or ""), str(error.context or "")
    column = int(mark.column) if mark else 0
    indent = here[: len(here) - len(here.lstrip())]
    if "\t" in indent or ("\t" in here and "cannot start any token" in problem):
        return line, "the line is indented with a tab; use spaces"
    if "mapping values are not allowed" in problem:
        if _KEY_LINE.match(here) and ":" not in here[:column]:
            return line, _indentation(lines, line)
        return line, 'there is a ": " inside a value; put the whole value in quotes'
    if "undefined alias" in problem or re.match(r"\s*(?:- |[\w-]+: )+\*", here):
        return line, 'a value that starts with "*" must be in quotes'
    if "cannot start any token" in problem:
        return line, "a value cannot start with this character; put the value in quotes"
    if "expected a single document" in around or "another document" in problem:
        return line, 'a second document starts here; keep one and delete the "---" line'
    if "quoted scalar" in around:
        return opened, "a quotation mark is opened and never closed; close it"
    if "while parsing a flow" in around and _APOSTROPHE.search(here):
        return line, _DOUBLE_IT
    if "while parsing a flow" in around:
        return opened, "a bracket or a comma is missing; close [ with ] and { with }"
    if "expected <block end>" in problem or "did not find expected" in problem:
        return line, _left_over(lines, line, column)
    if "could not find expected ':'" in problem:
        for number in range(min(line, len(lines)), max(0, line - 3), -1):
            if glued := _GLUED.match(lines[number - 1]):
                sign = glued[1] or glued[2]
                return number, f'a blank is missing after "{sign}"'
        return line, 'this line is neither "key: value" nor "- item"; check colon and indentation'
    return line, f"the YAML cannot be read ({problem}); check indentation and quotes"


def _left_over(lines: list[str], line: int, column: int) -> str:
    """Explain text that fits nothing that is open: a quote that ended early, or indentation."""
    if line > len(lines):
        return "the file ends within a value; close brackets and quotes"
    here = lines[line - 1]
    if _APOSTROPHE.search(here):
        return _DOUBLE_IT
    if column > len(here) - len(here.lstrip()):
        return "text follows a closing quote or bracket; put the whole value in quotes"
    return _indentation(lines, line)


def _indentation(lines: list[str], line: int) -> str:
    """Say in which column the line could start, as the lines above have it."""
    here = lines[line - 1]
    mine = len(here) - len(here.lstrip())
    columns: list[int] = []
    for above in reversed(lines[: line - 1]):
        text = above.lstrip()
        if not text or text.startswith("#"):
            continue
        start = len(above) - len(text)
        columns.append(start)
        if text.startswith("- ") and not here.lstrip().startswith("- "):
            columns.append(start + len(text) - len(text[2:].lstrip()))
        if start <= mine and len(columns) > 1:
            break
    columns = [column for column in columns if column != mine] or columns
    near = min(columns, key=lambda column: abs(column - mine), default=0)
    return (
        f"wrong indentation: this line begins after {_blanks(mine)}, the lines it belongs to after "
        f"{near}; align them"
    )


def _blanks(count: int) -> str:
    return "1 blank" if count == 1 else f"{count} blanks"


def lost_text(node: yaml.Node, text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, warning) for plain values of `node` that end at a "#" meant as a part of them.

    `- Explosion at reactor #4` is an example without its end: after a blank, "#" begins a comment.
    Real comments have a blank behind the "#" as well.
    """
    lines = text.splitlines()
    for scalar in _plain(node):
        end: Any = scalar.end_mark
        rest = lines[end.line][end.column :] if end.line < len(lines) else ""
        if scalar.value and (found := _COMMENT.match(rest)):
            yield (
                int(end.line) + 1,
                f'"{found[0].strip()[:40]}" is not read: a "#" after a blank begins a comment; '
                "put the whole value in quotes",
            )


def _plain(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        if not node.style:
            yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _plain(item)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _plain(value)


def split_headline(node: yaml.Node) -> str:
    """Return a warning if a list in brackets seems to cut a headline at its comma, or "".

    `[Storm hits Cuba, thousands flee]` is two examples, the second of which no headline begins
    like. So is a part of one or two words.
    """
    if not isinstance(node, yaml.SequenceNode) or not node.flow_style or len(node.value) < 2:
        return ""
    items = [item for item in node.value if isinstance(item, yaml.ScalarNode)]
    for number, item in enumerate(items):
        text = str(item.value)
        if (
            item.style
            or not text
            or not any(letter.isupper() or letter.islower() for letter in text)
        ):
            continue  # quoted, or of a script without capitals and, it may be, without blanks
        follows = number > 0 and (text[0].islower() or text[0].isdigit())
        if follows or len(text.split()) < 3:
            return (
                f'the comma in [ ] starts another item: "{text[:40]}" stands for itself; if it '
                "belongs to a headline, put the whole headline in quotes"
            )
    return ""
