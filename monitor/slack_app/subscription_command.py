"""What people write to subscribe, read and written: `energy-* from major digest 08:00`. Pure.

    TOPIC...            ids, with * for any letters, or names in quotes; all, or none: every topic
    from LEVEL          routine, notable, major or flash, and whatever is graver
    at once             the default
    digest 08:00,18:00  instead of at once
    in Europe/London    the zone of these times
    paused FROM-TO      22:00-07:00 for every day, or 2026-12-24 to 2027-01-02

The parts may come in any order, and what is read last counts.
"""

from __future__ import annotations

import re
from typing import Any

from monitor.config.cron import zone_fault
from monitor.config.names import did_you_mean, fits
from monitor.config.pauses import Pause, leading
from monitor.config.schema import Config
from monitor.config.subscription_schema import Subscription
from monitor.reasons import Severity

LEVELS = tuple(level.value for level in Severity if level is not Severity.NONE)
MOST_PAUSES = 5  # of one subscription
MOST_TOPICS = 50
_LONGEST = 1_000  # characters of a command
_WORD = re.compile(r'"([^"]*)"|“([^”]*)”|([^\s,]+)')
_CLOCK = re.compile(r"(\d{1,2})(?:[:.]([0-5]\d))?")
_EVERYTHING = ("all", "everything", "*")


def read(text: str, config: Config) -> dict[str, Any]:
    """Return the settings of the subscription that `text` describes.

    Raises:
        ValueError: with a message that says what is wrong and what to write.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"that is longer than {_LONGEST} characters; name fewer topics")
    words = ["".join(found) for found in _WORD.findall(text)]
    settings: dict[str, Any] = {}
    topics: list[str] = []
    while words:
        word = words.pop(0)
        match word.casefold():
            case "from":
                settings["min_severity"] = _level(words)
            case "at" if words and words[0].casefold() == "once":
                settings["digest"] = ()
                words.pop(0)
            case "digest":
                settings["digest"] = _clocks(words)
            case "in":
                settings["timezone"] = _zone(words)
            case "paused" | "pause":
                settings["paused"] = (*settings.get("paused", ()), str(take_pause(words)))
            case plain if "/" in plain or plain == "utc":
                settings["timezone"] = _zone([word])
            case _:
                topics.append(_topic(word, config))
    if len(topics) > MOST_TOPICS:
        raise ValueError(f"that is more than {MOST_TOPICS} topics; use * or all")
    if len(settings.get("paused", ())) > MOST_PAUSES:
        raise ValueError(f"a subscription has {MOST_PAUSES} pauses at most")
    return settings | {"topics": () if "*" in topics else tuple(dict.fromkeys(topics))}


def written(one: Subscription) -> str:
    """Return a subscription as `read` takes it."""
    parts = list(one.topics) or ["all"]
    if one.min_severity != "none":
        parts.append(f"from {one.min_severity}")
    parts.append(f"digest {','.join(one.digest)}" if one.digest else "at once")
    parts += [f"paused {pause}" for pause in one.paused]
    if one.timezone:
        parts.append(f"in {one.timezone}")
    return " ".join(parts)


def take_pause(words: list[str]) -> Pause:
    """Take the pause that `words` begin with out of them: as many words as make one.

    Raises:
        ValueError: they begin with none.
    """
    if not words:
        raise ValueError("say from when to when: paused 22:00-07:00, or 2026-12-24 to 2027-01-02")
    text = " ".join(words)
    found = leading(text) or words[0]
    del words[: len(found.split())]
    return Pause.parse(found)


def _level(words: list[str]) -> str:
    word = words.pop(0) if words else ""
    if word.casefold() not in LEVELS:
        known = ", ".join(LEVELS)
        said = f'"{word}" is no level' if word else "say from which level"
        raise ValueError(f"{said}; write for example from major; levels: {known}")
    return word.casefold()


def _clocks(words: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    while words and (words[0][0].isdigit() or (found and words[0].casefold() == "and")):
        word = words.pop(0)
        if word.casefold() == "and":
            continue
        clock = _CLOCK.fullmatch(word)
        if clock is None or int(clock[1]) > 23:
            raise ValueError(f'"{word}" is no time of day; write for example digest 08:00,18:00')
        found.append(f"{int(clock[1]):02}:{clock[2] or '00'}")
    if not found:
        raise ValueError("say when a digest is to come: digest 08:00,18:00")
    return tuple(sorted(set(found)))


def _zone(words: list[str]) -> str:
    word = words.pop(0) if words else ""
    if not word:
        raise ValueError("say in which time zone: in Europe/London")
    word = "UTC" if word.casefold() == "utc" else word
    if fault := zone_fault(word):
        raise ValueError(fault)
    return word


def _topic(word: str, config: Config) -> str:
    if word.casefold() in _EVERYTHING:
        return "*"
    for topic in config.topics:
        if word.casefold() in (topic.id, topic.name.casefold()):
            return topic.id
    ids = [topic.id for topic in config.topics]
    if "*" in word and any(fits(word, name) for name in ids):
        return word
    raise ValueError(
        f'there is no topic "{word[:60]}" (`topics` lists them); {did_you_mean(word, ids)}'
    )
