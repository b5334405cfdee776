"""Do the parts fit together? Channels, feeds, tags, labels and intervals that others name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.config.field_checks import check_languages
from monitor.config.names import did_you_mean, fits
from monitor.config.problems import ConfigProblem, note
from monitor.config.reading import Reading
from monitor.config.schema import Route
from monitor.config.yaml_source import Loc

_URGENCIES = ("low", "normal", "high", "critical")


def check_references(reading: Reading) -> None:
    """Note a problem for every name that nothing bears."""
    channels = reading.ids("channel") | {"terminal"}
    feeds = reading.ids("feed")
    tags = {tag for feed in reading.feeds for tag in feed.tags}
    for topic in reading.topics:
        place = reading.places[("topic", topic.id)]
        found = [
            *_unknown(topic.alert.to, channels, ("alert", "to"), "channel"),
            *(_unknown(topic.feeds, feeds, ("feeds",), "feed") if feeds else ()),
            *(_unknown(topic.tags, tags, ("tags",), "feed tag") if feeds else ()),
        ]
        if place.node is not None:
            for finding in found:
                note(place.file, place.node, finding)
    for branch, place in reading.branches:
        if place.node is not None:
            for finding in _route(reading, branch, channels, feeds, tags):
                note(place.file, place.node, finding)
    _notices(reading, channels)


def _notices(reading: Reading, channels: set[str]) -> None:
    """Note who cannot be told of trouble with the service, and that nobody is."""
    ops = reading.places.get(("section", "ops"))
    to = getattr(reading.sections.get("ops"), "notices_to", ())
    if ops is not None and ops.node is not None:
        for finding in _unknown(to, channels, ("notices_to",), "channel"):
            note(ops.file, ops.node, finding)
    if not to and reading.channels and not reading.fatal:
        place = ops or reading.places["channel", next(iter(reading.channels))]
        text = "the watchdog's notices go to the log only; name channels in ops.notices_to"
        place.file.say(place.line, text, "warning")


def _route(
    reading: Reading, route: Route, channels: set[str], feeds: set[str], tags: set[str]
) -> Iterator[ConfigProblem]:
    """Yield what a branch names that does not exist; the branches below it are looked at alone."""
    topics = reading.ids("topic")
    labels = {label for topic in reading.topics for label in topic.labels}
    intervals = reading.ids("time_interval")
    match = route.match
    yield from _unknown(route.to, channels, ("to",), "channel")
    yield from _unknown(route.quiet_hours, intervals, ("quiet_hours",), "time interval")
    yield from _unknown(match.urgency, set(_URGENCIES), ("match", "urgency"), "urgency")
    if topics:
        yield from _unknown(match.topics, topics, ("match", "topics"), "topic")
        yield from _unknown(match.labels, labels, ("match", "labels"), "topic label")
    if feeds:
        yield from _unknown(match.feeds, feeds, ("match", "feeds"), "feed")
        yield from _unknown(match.tags, tags, ("match", "tags"), "feed tag")
    yield from check_languages(match.languages, ("match", "languages"))


def _unknown(names: Iterable[str], known: set[str], loc: Loc, what: str) -> Iterator[ConfigProblem]:
    for index, name in enumerate(names):
        if name in known or any(fits(name, one) for one in known):
            continue
        yield ConfigProblem(
            (*loc, index), f'there is no {what} "{name}"; {did_you_mean(name, known)}'
        )
