"""A changed configuration beside the one in force: what is good is new, what is bad stays old.

A mistake in one file must not keep the desk from editing another, and must never take away what
worked before. A file that is gone or empty is not an intention either: an editor that saves, a
full disk or an unmounted volume looks the same, so what the file held stays in force. Nor is a
change taken over by half: the settings in `FIXED` wait for a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from monitor.config.load import examine
from monitor.config.reading import Reading
from monitor.config.schema import Config, FeedSource, Topic
from monitor.errors import Problem

_READ = (".yaml", ".yml", ".opml")

Item = TypeVar("Item", FeedSource, Topic)

# A process reads these once, when it starts; a change takes effect after a restart. Every other
# setting is read where it is used, or its workers are told of the change.
FIXED = (
    # where everything is kept: with half of the keys under another name, stories would be lost
    "store.url",
    "store.data_dir",
    "store.prefix",
    # how long it is kept: known to the stores and to the index of open events since the start
    "store.keep_stories",
    "store.keep_receipts",
    "store.keep_history",
    "events.window",
    "events.owners_file",
    # how the models are loaded
    "embedding.model",
    "embedding.precision",
    "embedding.batch_size",
    "embedding.threads",
    # the port that is open
    "ops.http_host",
    "ops.http_port",
    "desk.enabled",
    "desk.host",
    "desk.port",
)


def read_beside(
    folder: str | Path, old: Config, env: Mapping[str, str] | None = None
) -> tuple[Config, list[Problem], tuple[str, ...]]:
    """Return the configuration to go on with, every problem on disk, and what needs a restart.

    `wirewatch.yaml` counts as a whole: with a mistake in it, its old content stays. Of feeds and
    topics, the good ones are taken over; while there is a mistake among them, none disappears. If
    the folder cannot be read at all, everything stays. A kind of file that is gone, or one that is
    empty, counts as a mistake (`_lost`). The settings named last are those of `FIXED` that differ
    on disk; they keep their old value, and each is a warning among the problems as well.
    """
    reading = examine(folder, env)
    new = reading.config
    lost = _lost(reading, old, Path(folder))
    wrong = {_kind(problem.file, Path(folder)) for problem in reading.errors} | set(lost)
    if "folder" in wrong:
        return old, reading.problems, ()
    settings = old if "wirewatch" in wrong else new
    merged = Config(
        **{name: getattr(settings, name) for name in type(new).model_fields if name not in _APART},
        subscribed=old.subscribed,
        feeds=_kept(new.feeds, old.feeds, "feeds" in wrong),
        topics=_kept(new.topics, old.topics, "topics" in wrong),
    )
    held = tuple(name for name in FIXED if _value(merged, name) != _value(old, name))
    waiting = [_waiting(name, reading, folder) for name in held]
    return _with(merged, held, old), [*reading.problems, *lost.values(), *waiting], held


_APART = ("feeds", "topics", "subscribed")  # what does not stand in wirewatch.yaml


def _kept(new: Iterable[Item], old: Iterable[Item], wrong: bool) -> tuple[Item, ...]:
    found = {item.id: item for item in new}
    if wrong:
        found |= {item.id: item for item in old if item.id not in found}
    return tuple(found.values())


def _lost(reading: Reading, old: Config, folder: Path) -> dict[str, Problem]:
    """Return an error for each kind of file that is gone or empty though it held something."""
    found: dict[str, Problem] = {}
    for kind, problem in _absent(reading, folder).items():
        if stays := _in_force(kind, old, reading.config):
            advice = f"{stays} in force; to have none, write: {_NONE[kind]}"
            found[kind] = replace(problem, message=f"{problem.message}; {advice}")
    return found


_NONE = {"wirewatch": "{}", "feeds": "feeds: []", "topics": "topics: []"}


def _absent(reading: Reading, folder: Path) -> dict[str, Problem]:
    """Return an error for each kind of which no file is there, or a file has no content.

    A feed list or topic file that is deleted while others of its kind remain is an intention: that
    is how such a file is taken out. So is `feeds: []`, which says that there shall be none.
    """
    found: dict[str, Problem] = {}
    there = {_kind(file.name, folder) for file in reading.files}
    for kind in _NONE:
        empty = [file for file in reading.empty if _kind(file.name, folder) == kind]
        if empty:
            found[kind] = Problem(empty[0].name, 1, "the file is empty")
        elif kind not in there:
            found[kind] = Problem(str(folder / f"{kind}.yaml"), 1, "the file is gone")
    return found


def lost_since(known: Mapping[str, str], folder: str | Path) -> list[Problem]:
    """Return an error for each kind of file that is gone or empty since a service last ran.

    Args:
        known: what was in force then, such as {"feeds": "28 feeds"}. Nothing known, nothing lost.
        folder: the configuration as it is now, at a start.
    """
    if not known:
        return []
    return [
        replace(
            problem,
            message=f"{problem.message}, but this store was last run with {known[kind]}; "
            f"put it back, or write {_NONE[kind]} to have none",
        )
        for kind, problem in _absent(examine(folder), Path(folder)).items()
        if kind in known
    ]


def _in_force(kind: str, old: Config, new: Config) -> str:
    """Return what of a kind would be lost, such as "28 feeds stay"; "" if nothing would."""
    if kind == "wirewatch":
        names = [name for name in type(old).model_fields if name not in _APART]
        if all(getattr(old, name) == getattr(new, name) for name in names):
            return ""
        channels = f" and the channels {', '.join(old.channels)}" if old.channels else ""
        return f"the settings{channels} stay"
    before, after = ({item.id for item in getattr(config, kind)} for config in (old, new))
    number = len(before - after)
    if not number:
        return ""
    return f"{number} {kind} stay" if number > 1 else f"1 {kind[:-1]} stays"


def _value(config: Config, name: str) -> object:
    section, _, key = name.partition(".")
    return getattr(getattr(config, section), key)


def _with(config: Config, names: Iterable[str], old: Config) -> Config:
    """Return `config` with the settings of these names as they are in `old`."""
    for name in names:
        section, _, key = name.partition(".")
        part = getattr(config, section).model_copy(update={key: _value(old, name)})
        config = config.model_copy(update={section: part})
    return config


def _waiting(name: str, reading: Reading, folder: str | Path) -> Problem:
    """Return the warning that a changed setting waits for a restart, at its line if it has one."""
    message = f'"{name}" is read at a start only; restart the service to have it changed'
    section, _, key = name.partition(".")
    if ("section", section) in reading.places:
        return reading.problem("section", section, (key,), message)
    return Problem(str(folder), 1, message, "warning")


def _kind(file: str, folder: Path) -> str:
    """Return which part of the configuration a file belongs to."""
    try:
        first = Path(file).relative_to(folder).parts[0]
    except (ValueError, IndexError):
        return "folder"
    return first.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The contents of a configuration folder. Two are equal if the contents are."""

    digest: str
    files: dict[str, tuple[int, int, int, str]] = field(default_factory=dict, compare=False)


def fingerprint(folder: str | Path, known: Fingerprint | None = None) -> Fingerprint:
    """Return the fingerprint of every file the configuration may be read from.

    A file whose times, size and inode are those in `known` is not read again. A file that cannot
    be read counts as such, so that its return is a change too. Touching a file is no change.
    """
    before = known.files if known else {}
    files: dict[str, tuple[int, int, int, str]] = {}
    top = Path(folder)
    for path in sorted(_config_files(top)):
        name = path.relative_to(top).as_posix()
        try:
            stat = path.stat()
            key = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            old = before.get(name)
            content = (
                old[3] if old and old[:3] == key else hashlib.sha256(path.read_bytes()).hexdigest()
            )
        except OSError:
            key, content = (0, 0, 0), "unreadable"
        files[name] = (*key, content)
    whole = hashlib.sha256()
    for name, row in files.items():
        whole.update(f"{name}\0{row[3]}\n".encode("utf-8", "surrogateescape"))
    return Fingerprint(whole.hexdigest(), files)


def _config_files(folder: Path) -> list[Path]:
    try:
        inner = [folder, folder / "feeds", folder / "topics"]
        return [
            path
            for place in inner
            if place.is_dir()
            for path in place.iterdir()
            if path.suffix in _READ and path.is_file()
        ]
    except OSError:
        return []
