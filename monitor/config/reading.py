"""What has been read of a configuration folder so far: good parts, problems, and places."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from monitor.config.field_checks import literal_secret
from monitor.config.problems import ConfigProblem, explain, note
from monitor.config.schema import (
    Channel,
    Config,
    FeedSource,
    Route,
    Subscription,
    TimeInterval,
    Topic,
)
from monitor.config.yaml_source import Loc, TooMuch, YamlFile
from monitor.errors import Problem

Part = TypeVar("Part", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class YamlLocation:
    """Where a part stands. `node` is None for a feed from an OPML list."""

    file: YamlFile
    node: yaml.Node | None
    line: int

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}"


@dataclass(slots=True)
class Reading:
    """The folder, read as far as it can be.

    `config` holds every good part. `fatal` says that what remains must not be started on: the
    settings of the service itself are wrong. `places` tells where a part stands, by its kind
    ("feed", "topic", "channel", "time_interval", "subscription", "route") and id; broken parts have
    one too.
    """

    env: Mapping[str, str]
    files: list[YamlFile] = field(default_factory=list)
    fatal: bool = False
    places: dict[tuple[str, str], YamlLocation] = field(default_factory=dict)
    feeds: list[FeedSource] = field(default_factory=list)
    topics: list[Topic] = field(default_factory=list)
    channels: dict[str, Channel] = field(default_factory=dict)
    time_intervals: dict[str, tuple[TimeInterval, ...]] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    route: Route | None = None
    sections: dict[str, BaseModel] = field(default_factory=dict)
    addresses: dict[str, YamlLocation] = field(default_factory=dict)
    branches: list[tuple[Route, YamlLocation]] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    empty: list[YamlFile] = field(default_factory=list)  # files with nothing but comments
    config: Config = field(default_factory=Config)

    @property
    def problems(self) -> list[Problem]:
        """Every mistake, in the order of files and lines."""
        return [
            problem
            for file in self.files
            for problem in sorted(file.problems, key=lambda one: one.line)
        ]

    @property
    def errors(self) -> list[Problem]:
        """The mistakes that are more than a warning."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def unset(self) -> dict[Problem, str]:
        """The errors that are there only because a variable of the environment has no value."""
        return {
            problem: file.unset[problem.line]
            for file in self.files
            for problem in file.problems
            if problem.severity == "error" and problem.line in file.unset
        }

    def ids(self, kind: str) -> set[str]:
        """Return the ids of a kind that are written down somewhere, broken parts included."""
        return {name for what, name in self.places if what == kind}

    def problem(
        self, kind: str, name: str, loc: Loc, message: str, severity: str = "warning"
    ) -> Problem:
        """Return a problem with a part, at the line of a path of keys inside it.

        For what is found out later, such as a topic that would fire on everything.
        """
        place = self.places[kind, name]
        line = place.file.find(place.node, loc)[1] if place.node is not None else place.line
        return Problem(place.file.name, line, message, severity)

    def claim(self, kind: str, name: str, place: YamlLocation) -> bool:
        """Take an id for a part. False, with a problem noted, if another part has it."""
        first = self.places.setdefault((kind, name), place)
        if first is place:
            return True
        place.file.say(
            place.line,
            f'the {kind} id "{name}" is taken by {first}; give one of them another id',
        )
        return False


def errors_in(file: YamlFile) -> int:
    """Count the errors of a file so far; a part is good if reading it adds none."""
    return sum(problem.severity == "error" for problem in file.problems)


def data_of(file: YamlFile, node: yaml.Node) -> object:
    """Return the node as plain data; None, with a problem noted, if it is far too much."""
    try:
        return file.data(node)
    except TooMuch:
        file.say(1, "the file holds more values than any configuration needs; split it up")
        return None


def build(
    model: type[Part],
    data: object,
    file: YamlFile,
    node: yaml.Node,
    check: Callable[[Part], Iterable[ConfigProblem]] = lambda _: (),
) -> tuple[Part | None, Part | None]:
    """Validate data as a settings class, note every problem, and let `check` find more.

    Returns (good, partial): the part if nothing is wrong with it, and what could be made of it
    without its wrong settings, so that the rest of it can be checked in the same go.
    """
    before = errors_in(file)
    part: Part | None
    wrong: set[object] = set()
    try:
        part = model.model_validate(data)
    except ValidationError as error:
        for finding in explain(error, model, file, node):
            note(file, node, finding)
        wrong = {item["loc"][0] for item in error.errors() if item["loc"]}
        part = _without(wrong, model, data)
    if part is not None:
        for finding in (*_literal_secrets(part, file, node), *check(part)):
            if not finding.loc or finding.loc[0] not in wrong:
                note(file, node, finding)
    return (part if errors_in(file) == before and not wrong else None), part


def _without(wrong: set[object], model: type[Part], data: object) -> Part | None:
    """Return the part without its wrong settings; a stand-in takes the place of a needed one."""
    if not isinstance(data, dict):
        return None
    kept = {key: value for key, value in data.items() if key not in wrong}
    for name, field_info in model.model_fields.items():
        key = field_info.alias or name
        if field_info.is_required() and key not in kept:
            kept[key] = "missing"
    try:
        return model.model_validate(kept)
    except ValidationError:
        return None


def _literal_secrets(part: BaseModel, file: YamlFile, node: yaml.Node) -> Iterator[ConfigProblem]:
    """Yield a warning for each secret that stands in the file itself."""
    for name, field_info in type(part).model_fields.items():
        value = getattr(part, name)
        key = field_info.alias or name
        inner = value if isinstance(value, dict) else {key: value}
        for word, item in inner.items():
            text = item.get_secret_value() if isinstance(item, SecretStr) else item
            is_secret = isinstance(item, SecretStr) or key == "url"
            if not is_secret or not isinstance(text, str) or not literal_secret(word, text):
                continue
            loc = (key, word) if isinstance(value, dict) else (key,)
            if not file.variables(file.find(node, loc)[0]):
                yield ConfigProblem(
                    loc,
                    f'"{word}" holds a secret in plain sight; put it into the environment and '
                    f"write {_variable(field_info.description, word)} here",
                    "warning",
                )


def _variable(description: str | None, word: str) -> str:
    """Return the variable the documentation of a setting proposes, or one made from its name."""
    found = re.search(r"\$\{[A-Z_]+\}", description or "")
    return found[0] if found else "${" + re.sub(r"\W", "_", word).upper() + "}"
