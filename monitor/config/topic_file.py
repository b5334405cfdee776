"""A changed topic put back into the file it stands in, and nothing else touched.

The text of the file is kept byte for byte before and after the topic; comments inside the topic go,
as the topic is written anew.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import yaml

from monitor.config.load import examine


class CannotSave(Exception):
    """The topic cannot be put into its file; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TopicFile:
    """The file of a topic as it is (`before`) and as it would be (`after`)."""

    path: Path
    before: str
    after: str

    def diff(self, folder: Path) -> str:
        """Return what changes as a unified diff, with the file's name below `folder`."""
        name = os.path.relpath(self.path, folder)
        old, new = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(unified_diff(old, new, f"a/{name}", f"b/{name}"))

    def save(self, folder: Path) -> None:
        """Write it, unless somebody changed it meanwhile or the folder would be wrong afterwards.

        Raises:
            CannotSave: nothing was changed.
            OSError: it cannot be written.
        """
        if self.path.read_text(encoding="utf-8") != self.before:
            raise CannotSave("the file was changed meanwhile; try the topic again")
        faults = {(one.file, one.message) for one in examine(folder).errors}
        _replace(self.path, self.after)
        found = [one for one in examine(folder).errors if (one.file, one.message) not in faults]
        if found:
            _replace(self.path, self.before)
            raise CannotSave(f"it would be wrong: {found[0].message}")


def with_topic(folder: Path, topic_id: str, text: str) -> TopicFile:
    """Return the file of a topic with `text`, the topic's YAML, in its place.

    Raises:
        CannotSave: the topic stands where it cannot be put back.
    """
    place = examine(folder).places.get(("topic", topic_id))
    if place is None or not isinstance(place.node, yaml.MappingNode):
        raise CannotSave("this topic is in no file of the configuration folder")
    path = Path(place.file.name)
    try:
        before = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise CannotSave(f"{path.name} cannot be read as UTF-8; edit it by hand") from None
    node = place.node
    begin, end = node.start_mark.index, _end(node)
    old = before[begin:end]
    if "\r" in before or before.startswith("\ufeff") or "\t" in old:
        raise CannotSave(f"{path.name} has other line ends or tabs; edit it by hand")
    if node.flow_style or "${" in old or "&" in old or "*" in old or "<<" in old:
        raise CannotSave(
            f"in {path.name} this topic has variables, anchors or braces; edit it by hand"
        )
    indent = " " * node.start_mark.column
    lines = text.replace("${", "$${").strip("\n").split("\n")
    new = f"\n{indent}".join(lines).replace(f"\n{indent}\n", "\n\n")
    return TopicFile(path, before, before[:begin] + new + before[end:])


def _end(node: yaml.Node) -> int:
    """Return where the text of a node ends: comments and blank lines after it are not its own."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _replace(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old one or the new one."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=".", delete=False
    ) as file:
        file.write(text)
    new = Path(file.name)
    try:
        new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)
    except OSError:
        new.unlink()
        raise
