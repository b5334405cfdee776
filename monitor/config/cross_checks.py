"""Do the parts fit together? Channels, feeds, tags, labels and intervals that others name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.config.field_checks import check_languages
from monitor.config.names import did_you_mean, fits
from monitor.config.problems import ConfigProblem, note
from monitor.config.reading import Reading
from monitor.config.schema import EmailChannel, Route, SlackChannel, Subscription
from monitor.config.yaml_source import Loc
from monitor.identity import owner_of_feed

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
    _subscriptions(reading)
    _notices(reading, channels)
    _unreachable(reading)
    _too_few_sources(reading)


def _unreachable(reading: Reading) -> None:
    """Warn of each channel that no route, topic or notice sends to."""
    root = reading.route
    if root is None:
        return
    named = {name for branch, _ in reading.branches for name in branch.to}
    named |= {name for topic in reading.topics for name in topic.alert.to}
    named |= set(getattr(reading.sections.get("ops"), "notices_to", ()))
    named |= {_via(reading, one) for one in reading.subscriptions.values()}
    named |= set(getattr(reading.sections.get("missed"), "to", ()))
    if root.to:  # without it, what no branch takes goes to every channel
        for name in reading.channels:
            if name not in named:
                place = reading.places["channel", name]
                text = f'nothing leads to the channel "{name}"; name it in the route or in a topic'
                place.file.say(place.line, text, "warning")


def _subscriptions(reading: Reading) -> None:
    """Note what subscriptions name that does not exist, and who cannot be sent anything."""
    topics, channels = reading.ids("topic"), reading.ids("channel")
    for name, one in reading.subscriptions.items():
        place = reading.places["subscription", name]
        found = [*(_unknown(one.topics, topics, ("topics",), "topic") if topics else ())]
        kind = "slack" if one.slack else "email"
        known = {key for key in channels if _kind(reading, key) in (kind, "")}
        if one.via and one.via not in known:
            text = f'there is no {kind} channel "{one.via}"; {did_you_mean(one.via, known)}'
            found.append(ConfigProblem(("via",), text))
        elif not known:
            text = f"nothing can send this; set up a channel of type {kind} under channels"
            found.append(ConfigProblem((kind if kind == "slack" else "mail",), text))
        if place.node is not None:
            for finding in found:
                note(place.file, place.node, finding)


def _kind(reading: Reading, channel: str) -> str:
    """Return the type of a channel; "" for one with a mistake in it."""
    settings = reading.channels.get(channel)
    return settings.type if settings else ""


def _via(reading: Reading, one: Subscription) -> str:
    """Return the channel whose bot or mail server a subscription uses."""
    kind = SlackChannel if one.slack else EmailChannel
    of_kind = (name for name, found in reading.channels.items() if isinstance(found, kind))
    return one.via or next(of_kind, "")


def _too_few_sources(reading: Reading) -> None:
    """Warn of a topic that waits for more independent sources than its feeds have owners."""
    feeds = [feed for feed in reading.feeds if feed.enabled]
    for topic in reading.topics:
        scope = [
            feed
            for feed in feeds
            if not (topic.feeds or topic.tags)
            or any(fits(pattern, feed.id) for pattern in topic.feeds)
            or not set(topic.tags).isdisjoint(feed.tags)
        ]
        owners = {owner_of_feed(feed.id, feed.url, feed.owner) for feed in scope}
        place = reading.places["topic", topic.id]
        if scope and len(owners) < topic.alert.min_sources.any and place.node is not None:
            have = "1 owner" if len(owners) == 1 else f"{len(owners)} owners"
            note(
                place.file,
                place.node,
                ConfigProblem(
                    ("alert", "min_sources"),
                    f"the feeds of this topic have {have}, so {topic.alert.min_sources.any} "
                    "independent sources never come together; add feeds or lower min_sources",
                    "warning",
                ),
            )


def _notices(reading: Reading, channels: set[str]) -> None:
    """Note who cannot be told of trouble with the service, and that nobody is."""
    missed = reading.places.get(("section", "missed"))
    if missed is not None and missed.node is not None:
        for finding in _unknown(
            getattr(reading.sections.get("missed"), "to", ()), channels, ("to",), "channel"
        ):
            note(missed.file, missed.node, finding)
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
