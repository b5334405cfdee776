"""Read a configuration folder: `wirewatch.yaml`, feeds, topics. Every mistake is found in one go.

wirewatch.yaml           settings, channels, routes (optional)
feeds.yaml, feeds/*.yaml    `feeds:` lists
feeds/*.opml             subscription lists; folders become tags
topics.yaml, topics/*.yaml  `topics:` lists, or one topic a file
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from monitor.config.cross_checks import check_references
from monitor.config.environment import desk_of_env, expand, with_env_overrides
from monitor.config.field_checks import check_store, password_in
from monitor.config.names import nearest
from monitor.config.reading import Reading
from monitor.config.schema import Config, DeskSettings, OpsSettings, StoreSettings, WirewatchFile
from monitor.config.sections import read_feeds, read_opml_feeds, read_topics
from monitor.config.settings import read_settings
from monitor.config.yaml_source import MAX_FILE_BYTES, YamlFile, pairs, read_yaml
from monitor.errors import ConfigError, Problem
from monitor.observability import redact

_KNOWN = ("wirewatch.yaml", "feeds.yaml", "topics.yaml")
_YAML = (".yaml", ".yml")


def load_config(folder: str | Path, env: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of a folder.

    `env` takes the place of the process environment, in which `${NAME}` is looked up. `REDIS_URL`
    is the store's address where the file gives none.

    Raises:
        ConfigError: with every problem found, if there is any that is more than a warning.
    """
    reading = examine(folder, env)
    if reading.errors:
        raise ConfigError(reading.problems)
    return reading.config


def load_tolerant(
    folder: str | Path, env: Mapping[str, str] | None = None
) -> tuple[Config, list[Problem]]:
    """Return the configuration without its bad feeds, topics, channels and routes, and why.

    References to what was left out stay as they are.

    Raises:
        ConfigError: if the settings of the service itself are wrong, or there is no such folder.
    """
    reading = examine(folder, env)
    if reading.fatal:
        raise ConfigError(reading.problems)
    return reading.config, reading.problems


def examine(folder: str | Path, env: Mapping[str, str] | None = None) -> Reading:
    """Read a folder as far as it can be: the good parts, every problem, and where things stand."""
    folder = Path(folder)
    reading = Reading(os.environ if env is None else env)
    try:
        if folder.is_dir():
            _read(reading, folder)
            return reading
        what = "is a file; name the folder it is in" if folder.exists() else "does not exist"
        advice = "" if folder.exists() else "; make it with: wirewatch init"
    except OSError as error:
        what, advice = f"cannot be read: {error.strerror}", "; check its permissions"
    _about(reading, folder).say(1, f"the configuration folder {what}{advice}")
    reading.fatal = True
    return reading


def _read(reading: Reading, folder: Path) -> None:
    _settings(reading, folder)
    for path in _files(folder, "feeds", (*_YAML, ".opml")):
        raw = _bytes(reading, path)
        if raw is None:
            continue
        if path.suffix == ".opml":
            read_opml_feeds(reading, _about(reading, path), raw)
        else:
            read_feeds(reading, _yaml(reading, path, raw))
    for path in _files(folder, "topics", _YAML):
        raw = _bytes(reading, path)
        if raw is not None:
            read_topics(reading, _yaml(reading, path, raw))
    check_references(reading)
    _assemble(reading, folder)
    redact.remember(reading.secrets)


def _settings(reading: Reading, folder: Path) -> None:
    paths = [path for suffix in _YAML if (path := folder / f"wirewatch{suffix}").exists()]
    for path in paths[:1]:
        raw = _bytes(reading, path)
        if raw is None:
            reading.fatal = True
        else:
            read_settings(reading, _yaml(reading, path, raw))
    for path in paths[1:]:
        _about(reading, path).say(1, f"{paths[0].name} is read instead of this; delete one")


def _files(folder: Path, kind: str, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files of a kind, in an order that does not depend on the file system."""
    top = [path for suffix in _YAML if (path := folder / f"{kind}{suffix}").exists()]
    inner = folder / kind
    below = inner.iterdir() if inner.is_dir() else ()
    return top + sorted(
        path for path in below if path.suffix in suffixes and not path.name.startswith(".")
    )


def _bytes(reading: Reading, path: Path) -> bytes | None:
    try:
        if path.exists() and not path.is_file():
            _about(reading, path).say(1, "this is not a file; put a file here or take it away")
            return None
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        why = error.strerror or "unknown reason"
        _about(reading, path).say(1, f"the file cannot be read: {why}; check its permissions")
        return None


def _about(reading: Reading, path: Path) -> YamlFile:
    file = YamlFile(str(path), None, reading.env)
    reading.files.append(file)
    return file


def _yaml(reading: Reading, path: Path, raw: bytes) -> YamlFile:
    file = read_yaml(raw, str(path), reading.env)
    reading.files.append(file)
    if not file.problems and not any(_has_content(value) for _, _, value in _top(file)):
        if not raw.strip():  # comments alone are somebody's notes, nothing at all is an accident
            file.say(1, "the file is empty; fill it in, or delete it", "warning")
        reading.empty.append(file)
    return file


def _top(file: YamlFile) -> list[tuple[str, yaml.Node | None, yaml.Node]]:
    """Return the settings of a file; the whole of it as one, if it is not a mapping."""
    if isinstance(file.root, yaml.MappingNode):
        return list(pairs(file.root)) or [("", None, file.root)]
    return [] if file.root is None else [("", None, file.root)]


def _has_content(node: yaml.Node) -> bool:
    """Say whether something was written there: `{}` and `[]` are, an empty value is not."""
    return not isinstance(node, yaml.ScalarNode) or bool(node.value.strip() or node.style)


def _assemble(reading: Reading, folder: Path) -> None:
    """Join the good parts, and speak of what is missing altogether."""
    about = YamlFile(str(folder), None, reading.env)
    if _store(reading).url is None and (url := _store_url(reading, about)):
        store = StoreSettings.model_validate({**_store(reading).model_dump(), "url": url})
        reading.sections["store"] = store
        reading.secrets.update((url, password_in(url)))
        for finding in check_store(store):
            about.say(1, f"REDIS_URL: {finding.message}")
            reading.fatal = True
    ops = reading.sections.get("ops")
    ops = ops if isinstance(ops, OpsSettings) else OpsSettings()
    reading.sections["ops"], faults = with_env_overrides(ops, reading.env)
    for fault in faults:
        about.say(1, fault, "warning")
    desk = reading.sections.get("desk")
    desk = desk if isinstance(desk, DeskSettings) else DeskSettings()
    reading.sections["desk"] = desk_of_env(desk, reading.env)
    if not reading.feeds and not reading.ids("feed"):
        about.say(1, "there are no feeds; add some to feeds.yaml", "warning")
    if not reading.topics and not reading.ids("topic"):
        about.say(1, "there are no topics; add one to topics.yaml", "warning")
    for path in sorted(folder.iterdir()):
        near = nearest(path.name, _KNOWN)
        other = path.suffix in _YAML and path.stem not in ("wirewatch", "feeds", "topics")
        if near and other and path.is_file():
            about.say(1, f'{path.name} is not read; should it be "{near}"?', "warning")
    reading.files.append(about)
    reading.config = Config(
        **reading.sections,
        channels=reading.channels,
        time_intervals=reading.time_intervals,
        subscriptions=reading.subscriptions,
        route=reading.route or WirewatchFile().route,
        feeds=tuple(reading.feeds),
        topics=tuple(reading.topics),
    )


def _store(reading: Reading) -> StoreSettings:
    store = reading.sections.get("store")
    return store if isinstance(store, StoreSettings) else StoreSettings()


def _store_url(reading: Reading, about: YamlFile) -> str:
    """Return the store's address from REDIS_URL or REDIS_URL_FILE, or ""."""
    if not reading.env.get("REDIS_URL") and not reading.env.get("REDIS_URL_FILE"):
        return ""
    found = expand("${REDIS_URL}", reading.env)
    for fault in found.faults:
        about.say(1, fault)
        reading.fatal = True
    return found.text
