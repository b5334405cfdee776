"""`wirewatch.yaml`: the settings of the service, its channels, time intervals and routes.

The service must not start on wrong settings of its own (it might use the wrong store), so a fault
in those is fatal. A bad channel, interval or branch of the routes stops nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, SecretStr

from monitor.config.field_checks import (
    check_channel,
    check_digest,
    check_interval,
    check_missed,
    check_store,
    check_subscription,
    password_in,
)
from monitor.config.names import did_you_mean, readable_id
from monitor.config.problems import ConfigProblem, keys_of, note
from monitor.config.reading import Part, Reading, YamlLocation, build, data_of, errors_in
from monitor.config.schema import (
    Channel,
    DeskSettings,
    EmbeddingSettings,
    EventSettings,
    MissedPlan,
    OpsSettings,
    PollingSettings,
    Route,
    RouteMatch,
    StoreSettings,
    Subscription,
    TimeInterval,
    WirewatchFile,
)
from monitor.config.services import LanguageModelSettings, TranslationSettings
from monitor.config.value_types import SLUG
from monitor.config.yaml_source import YamlFile, line_of, pairs

_SECTIONS: dict[str, type[BaseModel]] = {
    "store": StoreSettings,
    "embedding": EmbeddingSettings,
    "polling": PollingSettings,
    "events": EventSettings,
    "ops": OpsSettings,
    "translation": TranslationSettings,
    "language_model": LanguageModelSettings,
    "desk": DeskSettings,
    "missed": MissedPlan,
}
_CHANNELS: dict[str, type[BaseModel]] = {
    str(get_args(kind.model_fields["type"].annotation)[0]): kind
    for kind in get_args(get_args(Channel)[0])
}


def read_settings(reading: Reading, file: YamlFile) -> None:
    """Take over what `wirewatch.yaml` says."""
    root = file.root
    if file.problems:
        reading.fatal = True
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value.strip()):
        return
    if not isinstance(root, yaml.MappingNode):
        file.say(line_of(root), 'the file must hold sections such as "channels:" and "route:"')
        reading.fatal = True
        return
    seen: dict[str, int] = {}
    known = keys_of(WirewatchFile)
    for key, key_node, node in pairs(root):
        before = errors_in(file)
        soft = False
        if key in seen:
            file.say(
                line_of(key_node),
                f'"{key}" is here twice, the first time on line {seen[key]}; keep one of them',
            )
        elif isinstance(node, yaml.ScalarNode) and not node.value.strip():
            continue
        elif key in _SECTIONS:
            _section(reading, file, key, node)
        elif key == "channels":
            _channels(reading, file, node)
            soft = True
        elif key == "time_intervals":
            _time_intervals(reading, file, node)
            soft = True
        elif key == "subscriptions":
            _subscriptions(reading, file, node)
            soft = True
        elif key == "route":
            reading.route = _route(reading, file, node, data_of(file, node))
            soft = reading.route is not None
        elif key in ("feeds", "topics"):
            file.say(line_of(key_node), f"{key} have a file of their own; put them in {key}.yaml")
        else:
            file.say(line_of(key_node), f'unknown key "{key}"; {did_you_mean(key, known)}')
        seen.setdefault(key, line_of(key_node))
        if errors_in(file) > before and not soft:
            reading.fatal = True


def _section(reading: Reading, file: YamlFile, key: str, node: yaml.Node) -> None:
    def check(part: BaseModel) -> Iterable[ConfigProblem]:
        if isinstance(part, MissedPlan):
            return check_missed(part)
        return check_store(part) if isinstance(part, StoreSettings) else ()

    part, partial = build(_SECTIONS[key], data_of(file, node), file, node, check)
    reading.places[("section", key)] = YamlLocation(file, node, line_of(node))
    if partial is not None:
        _remember(reading, partial)
    if part is not None:
        part = _lists_beside(part, file, node) if isinstance(part, MissedPlan) else part
        reading.sections[key] = _beside(part, "owners_file", file, node)


def _beside(part: Part, key: str, file: YamlFile, node: yaml.Node) -> Part:
    """Return the part with a file it names made a path from here; noted if there is no such file.

    Files are named as seen from the configuration folder, so that a folder can be moved.
    """
    named = getattr(part, key, "")
    if not named:
        return part
    path = Path(file.name).parent / named
    if not path.is_file():
        note(file, node, ConfigProblem((key,), f'there is no file "{path}"; correct "{key}"'))
        return part
    return part.model_copy(update={key: str(path)})


def _lists_beside(plan: MissedPlan, file: YamlFile, node: yaml.Node) -> MissedPlan:
    """Return the plan with the files among its lists made paths from here."""
    found = []
    for at, where in enumerate(plan.lists):
        path = Path(file.name).parent / where
        if "://" not in where and not path.is_file():
            text = f'there is no file "{path}"; give a file, or an address with https://'
            note(file, node, ConfigProblem(("lists", at), text))
        found.append(where if "://" in where else str(path))
    return plan.model_copy(update={"lists": tuple(found)})


def _channels(reading: Reading, file: YamlFile, parent: yaml.Node) -> None:
    check: Any = check_channel
    for name, node in _named(reading, file, parent, "channel"):
        before = errors_in(file)
        data = data_of(file, node)
        if not isinstance(data, dict):
            note(
                file, node, ConfigProblem((), f'channel "{name}" needs settings, at least its type')
            )
            continue
        kind = _CHANNELS.get(str(data.get("type")))
        if kind is None:
            what = (
                f'there is no channel type "{data["type"]}"'
                if "type" in data
                else (f'channel "{name}" has no type')
            )
            advice = did_you_mean(str(data.get("type", "")), _CHANNELS)
            note(file, node, ConfigProblem(("type",), f"{what}; {advice}"))
            continue
        channel: Any
        channel, partial = build(kind, data, file, node, check)
        if partial is not None:
            _remember(reading, partial)
        if channel is not None:
            channel = _beside(channel, "ca_file", file, node)
        if channel is not None and errors_in(file) == before:
            reading.channels[name] = channel


def _time_intervals(reading: Reading, file: YamlFile, parent: yaml.Node) -> None:
    for name, node in _named(reading, file, parent, "time_interval"):
        before = errors_in(file)
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = []
        for item in nodes:
            interval, _ = build(TimeInterval, data_of(file, item), file, item, check_interval)
            if interval is not None:
                found.append(interval)
        if errors_in(file) == before:
            reading.time_intervals[name] = tuple(found)


def _subscriptions(reading: Reading, file: YamlFile, parent: yaml.Node) -> None:
    for name, node in _named(reading, file, parent, "subscription"):
        before = errors_in(file)
        data = data_of(file, node)
        one, partial = build(Subscription, data, file, node, check_subscription)
        if partial is not None and not isinstance(data, dict):
            note(file, node, ConfigProblem((), f'subscription "{name}" needs slack or mail'))
        if one is not None and errors_in(file) == before:
            reading.subscriptions[name] = one


def _named(
    reading: Reading, file: YamlFile, parent: yaml.Node, kind: str
) -> list[tuple[str, yaml.Node]]:
    """Return the named parts below a section whose names can be used."""
    if not isinstance(parent, yaml.MappingNode):
        file.say(line_of(parent), f'write each {kind} below this as "name:" and its settings')
        return []
    found = []
    for name, key_node, node in pairs(parent):
        line = line_of(key_node)
        short = readable_id(name)
        if not re.fullmatch(SLUG, name):
            file.say(
                line,
                f'"{name[:40]}" cannot be a name; it must be lower-case without blanks, at most '
                f'80 letters, digits and . _ -; write "{short}"',
            )
        elif reading.claim(kind, name, YamlLocation(file, node, line)):
            found.append((name, node))
    return found


def _route(reading: Reading, file: YamlFile, node: yaml.Node, data: object) -> Route | None:
    """Build a branch and those below it; a bad branch below is left out, with its problem."""
    if not isinstance(data, dict):
        note(file, node, ConfigProblem((), "a route needs settings such as to: [channel]"))
        return None

    def check(one: Route) -> Iterable[ConfigProblem]:
        for finding in check_digest(one.digest) if one.digest is not None else ():
            yield ConfigProblem(("digest", *finding.loc), finding.message)

    own = {key: value for key, value in data.items() if key != "routes"}
    branch, partial = build(Route, own, file, node, check)
    if partial is not None:
        reading.branches.append((partial, YamlLocation(file, node, line_of(node))))
    below: list[Route | None] = []
    if "routes" in data:
        inner, line = file.find(node, ("routes",))
        if not isinstance(inner, yaml.SequenceNode):
            file.say(line, '"routes" must be a list; start each branch with "- "')
        else:
            below = [_route(reading, file, one, data_of(file, one)) for one in inner.value]
            for child, child_node in list(zip(below, inner.value, strict=True))[:-1]:
                if child is not None and child.match == RouteMatch() and not child.go_on:
                    text = (
                        "this branch takes every alert, so those below it get none; put it last, "
                        "give it a match, or add continue: true"
                    )
                    note(file, child_node, ConfigProblem((), text, "warning"))
    if branch is None:
        return None
    return branch.model_copy(update={"routes": tuple(one for one in below if one is not None)})


def _remember(reading: Reading, part: BaseModel) -> None:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, SecretStr):
            reading.secrets.add(value.get_secret_value())
            reading.secrets.add(password_in(value.get_secret_value()))
