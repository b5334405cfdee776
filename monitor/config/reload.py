"""A changed configuration beside the one in force: what is good is new, what is bad stays old.

A mistake in one file must not keep the desk from editing another, and must never take away what
worked before. Nor may a change be taken over by half: the settings in `FIXED` wait for a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from monitor.config.load import examine
from monitor.config.reading import Reading
from monitor.config.schema import Config, FeedSource, Topic
from monitor.errors import Problem

_READ = (".yaml", ".yml", ".opml")

Item = TypeVar("Item", FeedSource, Topic)

# What a process stands on: read once at its start, so a change counts from the next one. Every
# other setting is read where it is used, or its workers are told of the change.
FIXED = (
    # where everything is kept: with half of the keys under another name, stories would be lost
    "store.url",
    "store.data_dir",
    "store.prefix",
    # how long it is kept: known to the stores and to the index of open events since the start
    "store.keep_stories",
    "store.keep_receipts",
    "events.window",
    "events.owners_file",
    # how the models are loaded
    "embedding.model",
    "embedding.precision",
    "embedding.batch_size",
    "embedding.threads",
    "embedding.second_look",
    # the port that is open
    "ops.http_host",
    "ops.http_port",
)


def read_beside(
    folder: str | Path, old: Config, env: Mapping[str, str] | None = None
) -> tuple[Config, list[Problem], tuple[str, ...]]:
    """Return the configuration to go on with, every problem on disk, and what needs a restart.

    `wirewatch.yaml` counts as a whole: with a mistake in it, its old content stays. Of feeds and
    topics, the good ones are taken over; while there is a mistake among them, none disappears. If
    the folder cannot be read at all, everything stays. The settings named last are those of
    `FIXED` that differ on disk; they keep their old value, and each is a warning among the
    problems as well.
    """
    reading = examine(folder, env)
    new = reading.config
    wrong = {_kind(problem.file, Path(folder)) for problem in reading.errors}
    if "folder" in wrong:
        return old, reading.problems, ()
    settings = old if "wirewatch" in wrong else new
    merged = Config(
        **{name: getattr(settings, name) for name in type(new).model_fields if name not in _LISTS},
        feeds=_kept(new.feeds, old.feeds, "feeds" in wrong),
        topics=_kept(new.topics, old.topics, "topics" in wrong),
    )
    held = tuple(name for name in FIXED if _value(merged, name) != _value(old, name))
    waiting = [_waiting(name, reading, folder) for name in held]
    return _with(merged, held, old), reading.problems + waiting, held


_LISTS = ("feeds", "topics")


def _kept(new: Iterable[Item], old: Iterable[Item], wrong: bool) -> tuple[Item, ...]:
    found = {item.id: item for item in new}
    if wrong:
        found |= {item.id: item for item in old if item.id not in found}
    return tuple(found.values())


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
