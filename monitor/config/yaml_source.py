"""One YAML file read with the line of every value kept, and nothing guessed.

Every plain value stays the text it was written as; the settings classes decide what it means. So
`languages: [no]` is Norwegian, `start: 22:00` is a time of day and `name: 2024` is a name, which
YAML 1.1 would turn into false, 1320 and a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from monitor.config.environment import Expanded, expand
from monitor.config.yaml_traps import explain_yaml_error
from monitor.errors import Problem

Loc = tuple[int | str, ...]

MAX_FILE_BYTES = 64_000_000
_MAX_VALUES = 5_000_000  # after aliases are followed, so that a small file cannot become huge
_MAX_DEPTH = 60
_DEEP_LINE = re.compile(rf"^[ ?-]{{{_MAX_DEPTH}}}", re.MULTILINE)
_NULLS = {"", "~", "null", "Null", "NULL"}
_STR = "tag:yaml.org,2002:str"
_SCALAR_TAGS = {_STR, *(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null"))}
# Reads every plain value as text. Without libyaml, the same in Python.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(slots=True)
class YamlFile:
    """A file as a tree of nodes, and the problems met so far.

    `root` is None for an empty or unreadable file. `values` are the texts that variables brought
    in, so that whoever prints something can keep them out; `unset` names a variable without a
    value by its line. `text` is the file as it was written, for `yaml_traps`.
    """

    name: str
    root: yaml.Node | None
    env: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    values: set[str] = field(default_factory=set)
    unset: dict[int, str] = field(default_factory=dict)
    text: str = ""
    _expanded: dict[int, Expanded] = field(default_factory=dict)
    _count: int = 0

    def say(self, line: int, message: str, severity: str = "error") -> None:
        """Note a problem at a line."""
        problem = Problem(self.name, line, message, severity)
        if problem not in self.problems:
            self.problems.append(problem)

    def data(self, node: yaml.Node) -> Any:
        """Return the node as dicts, lists and text, variables put in.

        Keys without a value are left out, as if they had not been written. Faults (twofold keys,
        missing variables, strange tags) are noted as problems.
        """
        return self._data(node, [])

    def _data(self, node: yaml.Node, above: list[int]) -> Any:
        self._count += 1
        if self._count > _MAX_VALUES:
            raise TooMuch
        if id(node) in above:
            self.say(line_of(node), "this value contains itself; take the * reference out")
            return None
        if len(above) > _MAX_DEPTH:
            self.say(line_of(node), "this is nested too deeply to be a setting; check the brackets")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, [*above, id(node)])
        if isinstance(node, yaml.SequenceNode):
            inner = [*above, id(node)]
            items = []
            for item in node.value:
                value = self._data(item, inner)
                if value is None and isinstance(item, yaml.ScalarNode):
                    self.say(line_of(item), "this list item is empty; fill it in or delete it")
                    continue
                items.append(value)
            return items
        return self._scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def _mapping(self, node: yaml.MappingNode, above: list[int]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = line_of(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.say(line, "a key must be a word; check for stray brackets or a leading '?'")
                continue
            key = str(key_node.value)
            if key == "<<" and not key_node.style:
                parts = self._data(value_node, above)
                for part in parts if isinstance(parts, list) else [parts]:
                    if isinstance(part, dict):
                        merged = {**part, **merged}
                continue
            if key in seen:
                self.say(
                    line,
                    f'"{key}" is here twice, the first time on line {seen[key]}; keep one of them',
                )
                continue
            seen[key] = line
            value = self._data(value_node, above)
            if value is not None:
                result[key] = value
        return {**merged, **result}

    def _scalar(self, node: yaml.ScalarNode) -> str | None:
        if node.tag not in _SCALAR_TAGS:
            self.say(line_of(node), f"the tag {node.tag} has no meaning here; take it out")
        text = str(node.value)
        if not node.style and text in _NULLS:
            return None
        if "${" not in text:
            return text
        known = self._expanded.get(id(node))
        if known is None:
            known = expand(text, self.env)
            self._expanded[id(node)] = known
            self.values.update(known.values)
            for fault in known.faults:
                self.say(line_of(node), fault)
            if known.unset:
                self.unset[line_of(node)] = known.unset[0]
        return known.text

    def variables(self, node: yaml.Node) -> tuple[str, ...]:
        """Return the names of the variables a value was made with."""
        found = self._expanded.get(id(node))
        return found.names if found else ()

    def without_secrets(self, message: str, node: yaml.Node) -> str:
        """Return the message with what variables brought into `node` named instead of shown."""
        found = self._expanded.get(id(node))
        if found:
            for value in sorted(found.values, key=len, reverse=True):
                message = message.replace(value, "${" + found.names[0] + "}")
        return message

    def find(self, node: yaml.Node, loc: Loc) -> tuple[yaml.Node, int]:
        """Follow a path of keys and indexes as far as it goes.

        Returns the node reached and the line to show for it: that of the key where there is one.
        """
        line = line_of(node)
        for step in loc:
            if isinstance(node, yaml.MappingNode):
                for key_node, value_node in node.value:
                    if isinstance(key_node, yaml.ScalarNode) and key_node.value == str(step):
                        node, line = value_node, line_of(key_node)
                        break
            elif (
                isinstance(node, yaml.SequenceNode)
                and isinstance(step, int)
                and 0 <= step < len(node.value)
            ):
                node = node.value[step]
                line = line_of(node)
        return node, line


class TooMuch(Exception):
    """The file holds more values than any configuration could."""


def line_of(node: yaml.Node) -> int:
    """Return the line a node starts on, counted from 1."""
    return int(node.start_mark.line) + 1


def pairs(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield (key, key node, value node) of a mapping; nothing for any other node."""
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                yield str(key_node.value), key_node, value_node


# To the parser these end a line, to editors they do not: line numbers would differ, and a comment
# would end early. They come with text that is pasted from web pages.
_NO_BREAK = dict.fromkeys(map(ord, "\u0085\u2028\u2029"), " ")


def read_yaml(raw: bytes, name: str, env: Mapping[str, str]) -> YamlFile:
    """Parse the bytes of a YAML file. Whatever they are, the result is a `YamlFile`."""
    file = YamlFile(name, None, env)
    if len(raw) > MAX_FILE_BYTES:
        file.say(1, f"the file is larger than {MAX_FILE_BYTES // 1_000_000} MB; split it up")
        return file
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        what = "the file is UTF-16" if wide else "the file holds bytes that are not UTF-8"
        file.say(line, f"{what}; save it as UTF-8")
        return file
    text = file.text = text.translate(_NO_BREAK)
    try:
        if _may_be_deep(text) and (deep := _too_deep(text)):
            file.say(deep, "this is nested too deeply to be a setting; check the brackets")
            return file
        file.root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        line, message = explain_yaml_error(error, text)
        file.say(line, message)
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        line = text[:position].count("\n") + 1
        file.say(line, "there is a character no text should hold; delete it or retype the line")
    except (yaml.YAMLError, RecursionError):
        file.say(1, "the file is not YAML that can be read; check brackets and indentation")
    return file


def _may_be_deep(text: str) -> bool:
    """Say whether the text has what it takes to nest deeply. Cheap, and never wrongly False."""
    return text.count("[") + text.count("{") > _MAX_DEPTH or bool(_DEEP_LINE.search(text))


def _too_deep(text: str) -> int:
    """Return the line on which nesting goes too deep, or 0.

    The composer recurses in C, where a hundred thousand brackets overflow the stack and end the
    process; the event stream does not.
    """
    loader, depth = _Loader(text), 0
    while loader.check_event():
        event = loader.get_event()
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                mark: Any = event.start_mark
                return int(mark.line) + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return 0
