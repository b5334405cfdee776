"""A changed configuration beside the one in force: what is good is new, what is bad stays old.

A mistake in one file must not keep the desk from editing another, and must never take away what
worked before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from monitor.config.load import examine
from monitor.config.schema import Config, FeedSource, Topic
from monitor.errors import Problem

Item = TypeVar("Item", FeedSource, Topic)


def read_beside(
    folder: str | Path, old: Config, env: Mapping[str, str] | None = None
) -> tuple[Config, list[Problem]]:
    """Return the configuration to go on with, and every problem of the one on disk.

    `wirewatch.yaml` counts as a whole: with a mistake in it, its old content stays. Of feeds and
    topics, the good ones are taken over; while there is a mistake among them, none disappears. If
    the folder cannot be read at all, everything stays.
    """
    reading = examine(folder, env)
    new = reading.config
    wrong = {_kind(problem.file, Path(folder)) for problem in reading.errors}
    if "folder" in wrong:
        return old, reading.problems
    settings = old if "wirewatch" in wrong else new
    merged = Config(
        **{name: getattr(settings, name) for name in type(new).model_fields if name not in _LISTS},
        feeds=_kept(new.feeds, old.feeds, "feeds" in wrong),
        topics=_kept(new.topics, old.topics, "topics" in wrong),
    )
    return merged, reading.problems


_LISTS = ("feeds", "topics")


def _kept(new: Iterable[Item], old: Iterable[Item], wrong: bool) -> tuple[Item, ...]:
    found = {item.id: item for item in new}
    if wrong:
        found |= {item.id: item for item in old if item.id not in found}
    return tuple(found.values())


def _kind(file: str, folder: Path) -> str:
    """Return which part of the configuration a file belongs to."""
    try:
        first = Path(file).relative_to(folder).parts[0]
    except (ValueError, IndexError):
        return "folder"
    return first.partition(".")[0]
