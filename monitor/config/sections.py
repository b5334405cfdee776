"""Feeds and topics: lists in which every item stands for itself, so a bad one stops no other."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError

from monitor.config.field_checks import check_feed, check_topic, password_in
from monitor.config.languages import language
from monitor.config.names import did_you_mean, digest, feed_slug, nearest, readable_id, slug
from monitor.config.opml import read_opml
from monitor.config.problems import keys_of
from monitor.config.reading import Reading, YamlLocation, build, data_of, errors_in
from monitor.config.schema import FeedSource, Topic
from monitor.config.yaml_source import YamlFile, line_of, pairs
from monitor.config.yaml_traps import lost_text, split_headline


def read_feeds(reading: Reading, file: YamlFile) -> None:
    """Take over the feeds of a `feeds:` file."""
    for node in _items(file, "feeds", FeedSource, ("url",)):
        before = errors_in(file)
        data = _as_mapping(file, node, "url", FeedSource)
        if data is None:
            continue
        if "id" not in data and isinstance(data.get("url"), str):
            data["id"] = _free_feed_id(reading, str(data.get("name") or ""), data["url"])
        place = YamlLocation(file, node, line_of(node))
        if not _claim(reading, "feed", data, place):
            continue
        feed, partial = build(FeedSource, data, file, node, check_feed)
        if partial is not None:
            _remember(reading, partial)
        if feed is not None:
            _same_address(reading, feed, place)
        if feed is not None and errors_in(file) == before:
            reading.feeds.append(feed)
            if "name" in data:
                _hashed(file, node, feed.id, feed.name)
    reading.secrets.update(file.values)


def read_opml_feeds(reading: Reading, file: YamlFile, raw: bytes) -> None:
    """Take over the feeds of an OPML list; its folders become tags.

    No variables are put in: such lists come from others, who would be sent their values.
    """
    outlines, faults = read_opml(raw)
    for line, message in faults:
        file.say(line, message, "warning" if outlines else "error")
    for outline in outlines:
        place = YamlLocation(file, None, outline.line)
        before = errors_in(file)
        if "${" in outline.url:
            file.say(
                outline.line,
                "variables are not put into OPML lists; move this feed to a feeds: file",
                "warning",
            )
        feed_id = _free_feed_id(reading, outline.name, outline.url)
        reading.claim("feed", feed_id, place)
        try:
            feed = FeedSource(
                id=feed_id,
                url=outline.url,
                name=outline.name,
                tags=outline.tags,
                language=language(outline.language),  # readers write all sorts of things there
            )
        except ValidationError:
            file.say(outline.line, "this outline is not a feed that can be read; correct it")
            continue
        for finding in check_feed(feed):
            if finding.loc != ("language",):
                file.say(outline.line, finding.message, finding.severity)
        _same_address(reading, feed, place)
        if errors_in(file) == before:
            reading.feeds.append(feed)
            _remember(reading, feed)


def read_topics(reading: Reading, file: YamlFile) -> None:
    """Take over the topics of a `topics:` file, or the single topic that the file is."""
    for node in _items(file, "topics", Topic, ("name", "description", "examples")):
        before = errors_in(file)
        data = _as_mapping(file, node, "name", Topic)
        if data is None:
            continue
        if "id" not in data and isinstance(data.get("name"), str) and data["name"].strip():
            data["id"] = slug(data["name"])
        if not _claim(reading, "topic", data, YamlLocation(file, node, line_of(node))):
            continue
        data.setdefault("id", "unnamed")
        topic, _ = build(Topic, data, file, node, check_topic)
        if topic is not None and errors_in(file) == before:
            reading.topics.append(topic)
            _traps(file, node)
            _hashed(file, node, topic.id, topic.name)


def _traps(file: YamlFile, node: yaml.Node) -> None:
    """Warn where YAML reads less, or more items, than the writer of a topic meant."""
    for line, message in lost_text(node, file.text):
        file.say(line, message, "warning")
    for key, _, value in pairs(node):
        if key in ("examples", "not") and (message := split_headline(value)):
            file.say(line_of(value), message, "warning")


def _hashed(file: YamlFile, node: yaml.Node, item_id: str, name: str) -> None:
    """Warn of an id nobody can read, made from a name in a script that has no short form here.

    It stays as it is: what was stored is known by it.
    """
    if item_id == f"n-{digest(name)}" or item_id == f"n-{digest(name.strip())}":
        file.say(
            line_of(node),
            f'the id made from "{name}" is {item_id}; to have one you can read, write '
            f"id: {readable_id(name)} (for an item that ran before, this starts it anew)",
            "warning",
        )


def _items(
    file: YamlFile, key: str, model: type[FeedSource | Topic], single: tuple[str, ...]
) -> list[yaml.Node]:
    """Return the item nodes of a file: below `key`, or the list or single item that it is."""
    root = file.root
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value.strip()):
        return []
    if isinstance(root, yaml.SequenceNode):
        return list(root.value)
    if not isinstance(root, yaml.MappingNode):
        file.say(line_of(root), f'the file must start with "{key}:" and a list below it')
        return []
    found = {name: (key_node, value) for name, key_node, value in pairs(root)}
    if key not in found and any(word in found for word in single):
        return [root]
    seen: dict[str, int] = {}
    for name, key_node, _ in pairs(root):
        if name in seen:
            file.say(
                line_of(key_node),
                f'"{name}" is here twice, the first time on line {seen[name]}; keep one of them',
            )
        elif name != key:
            other = {"feeds": "topics", "topics": "feeds"}[key]
            advice = did_you_mean(name, [key], f'the file takes "{key}:" only')
            if name == other:
                advice = f"put it into {other}.yaml"
            file.say(line_of(key_node), f'unknown key "{name}"; {advice}')
        seen.setdefault(name, line_of(key_node))
    if key not in found:
        return []
    key_node, value = found[key]
    if isinstance(value, yaml.SequenceNode):
        return list(value.value)
    if not (isinstance(value, yaml.ScalarNode) and not value.value.strip()):
        file.say(line_of(key_node), f'"{key}" must be a list; start each item with "- "')
    return []


def _as_mapping(
    file: YamlFile, node: yaml.Node, key: str, model: type[FeedSource | Topic]
) -> dict[str, Any] | None:
    """Return an item as a mapping; a bare text is its most important setting."""
    data = data_of(file, node)
    if isinstance(data, str):
        return {key: data}
    if isinstance(data, dict):
        known = keys_of(model)
        if len(data) == 1 and not nearest(next(iter(data)), known):
            file.say(line_of(node), 'there is a ": " inside this line; put it all in quotes')
            return None
        return data
    if data is None and isinstance(node, yaml.ScalarNode):
        file.say(line_of(node), "this list item is empty; fill it in or delete it")
    elif data is not None:
        file.say(line_of(node), f'this must be one {key}, or settings as "key: value"')
    return None


def _claim(reading: Reading, kind: str, data: dict[str, Any], place: YamlLocation) -> bool:
    name = data.get("id")
    return not isinstance(name, str) or reading.claim(kind, name, place)


def _free_feed_id(reading: Reading, name: str, url: str) -> str:
    """Make an id for a feed that has none. Stable: it depends on the feed, not on its place."""
    wanted = slug(name) if name else feed_slug(url)
    if ("feed", wanted) in reading.places:
        return f"{wanted[:71]}-{digest(url)}"
    return wanted


def _same_address(reading: Reading, feed: FeedSource, place: YamlLocation) -> None:
    """Warn if another feed has this address: its stories would only ever be copies."""
    bare = feed.url.partition("://")[2].rstrip("/").casefold()
    first = reading.addresses.setdefault(bare, place)
    if first is not place:
        place.file.say(
            place.line, f"the feed at {first} has the same address; delete one", "warning"
        )


def _remember(reading: Reading, feed: FeedSource) -> None:
    reading.secrets.update(header.get_secret_value() for header in feed.headers.values())
    reading.secrets.add(password_in(feed.url))
    if feed.password is not None:
        reading.secrets.add(feed.password.get_secret_value())
