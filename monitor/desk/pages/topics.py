"""`/topics`: what is watched; `/topics/ID`: a change tried on the last day, and saved if wished."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import RedirectResponse, Response

from monitor.analysis.text_archive import TextVectors
from monitor.analysis.topic_trial import Trial, TrialError, as_yaml, diff, read_topic, try_topic
from monitor.config.schema import Topic
from monitor.config.topic_file import CannotSave, with_topic
from monitor.desk.ask import Ask, Missing
from monitor.desk.render import page
from monitor.observability.logs import get_logger

log = get_logger(__name__)

WEEK = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic: its alerts of the last day and week, and the answers people gave on it."""

    topic: Topic
    day: int
    week: int
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class TopicsPage:
    """What the list shows: a row a topic, in the order of the file."""

    rows: tuple[TopicRow, ...]


@dataclass(frozen=True, slots=True)
class TunerPage:
    """What the tuner shows.

    `yaml` is the topic as typed (or as it is), `headline` the one to try, `problem` what is wrong
    ("" if nothing), `trial` what the change does, `change` the diff to commit ("" if nothing
    changes), `unsaved` why it cannot be saved from here ("" if it can, or nothing changes).
    """

    topic: Topic
    yaml: str
    headline: str = ""
    problem: str = ""
    trial: Trial | None = None
    change: str = ""
    unsaved: str = ""


async def show(ask: Ask) -> Response:
    """List the topics."""
    found = await ask.desk.history.first_alerts(ask.now - WEEK)
    week = Counter(topic for topic, _ in found)
    day = Counter(topic for topic, at in found if at > ask.now - 86400)
    rows = []
    for topic in ask.desk.config().topics:
        answers = await ask.desk.feedback.all(topic.id)
        good = sum(verdict.good for verdict in answers)
        rows.append(TopicRow(topic, day[topic.id], week[topic.id], good, len(answers) - good))
    return await page(ask, "topics.html", "Topics", "/topics", TopicsPage(tuple(rows)))


async def tune(ask: Ask) -> Response:
    """Show one topic's YAML, to be changed and tried."""
    topic = _topic(ask)
    return await _page(ask, TunerPage(topic, as_yaml(topic)))


async def trial(ask: Ask) -> Response:
    """Try what was typed on the last day's stories; nothing is written anywhere."""
    topic = _topic(ask)
    text, headline = ask.form.get("yaml", ""), ask.form.get("headline", "")[:500]
    desk = ask.desk
    try:
        proposed = read_topic(text, topic.id)
        vectors = TextVectors(desk.client, desk.keys)
        found = await try_topic(desk.archive, vectors, desk.clock, topic, proposed, headline)
    except TrialError as error:
        return await _page(ask, TunerPage(topic, text, headline, str(error)), 400)
    change, unsaved = diff(topic, proposed), ""
    if change:
        try:
            file = await asyncio.to_thread(with_topic, desk.folder, topic.id, as_yaml(proposed))
            change, unsaved = file.diff(desk.folder), _closed(file.path)
        except CannotSave as error:
            unsaved = str(error)
    return await _page(ask, TunerPage(topic, text, headline, "", found, change, unsaved))


async def save(ask: Ask) -> Response:
    """Write the topic into its file, where the folder may be written."""
    topic, text, desk = _topic(ask), ask.form.get("yaml", ""), ask.desk
    try:
        proposed = read_topic(text, topic.id)
        file = await asyncio.to_thread(with_topic, desk.folder, topic.id, as_yaml(proposed))
        if closed := _closed(file.path):
            raise CannotSave(closed)
        await asyncio.to_thread(file.save, desk.folder)
    except (TrialError, CannotSave) as error:
        return await _page(ask, TunerPage(topic, text, "", str(error)), 400)
    except OSError as error:
        problem = f"{file.path.name} cannot be written: {error.strerror}"
        return await _page(ask, TunerPage(topic, text, "", problem), 400)
    log.info("topic_saved", topic=topic.id, by=ask.person.name, file=str(file.path))
    return RedirectResponse(f"/topics/{topic.id}?done=saved", 303)


def _closed(path: Path) -> str:
    """Return why a file cannot be written from here, "" if it can."""
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return ""
    return "the configuration folder is not to be written from here; commit the change"


def _topic(ask: Ask) -> Topic:
    topic = ask.desk.config().topic(ask.path("topic"))
    if topic is None:
        raise Missing(f"there is no topic {ask.path('topic')[:80]!r}")
    return topic


async def _page(ask: Ask, context: TunerPage, status: int = 200) -> Response:
    return await page(ask, "tuner.html", context.topic.name, "/topics", context, status)
