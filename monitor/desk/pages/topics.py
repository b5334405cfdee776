"""`/topics`: what is watched; `/topics/ID`: a change tried on the last day. Nothing is saved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from starlette.responses import Response

from monitor.analysis.text_archive import TextVectors
from monitor.analysis.topic_trial import Trial, TrialError, as_yaml, diff, read_topic, try_topic
from monitor.config.schema import Topic
from monitor.desk.ask import Ask, Missing
from monitor.desk.render import page
from monitor.history.search import Query

WEEK = 7 * 86400.0
READ = 2_000  # alerts that are counted


@dataclass(frozen=True, slots=True)
class Row:
    """One topic: its alerts of the last day and week, and the answers people gave on it."""

    topic: Topic
    day: int
    week: int
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class Context:
    """What the list shows: a row a topic, in the order of the file."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class TunerContext:
    """What the tuner shows.

    `yaml` is the topic as typed (or as it is), `headline` the one to try, `problem` what is wrong
    ("" if nothing), `trial` what the change does, `change` the diff to commit ("" if nothing
    changes).
    """

    topic: Topic
    yaml: str
    headline: str
    problem: str
    trial: Trial | None
    change: str


async def show(ask: Ask) -> Response:
    """List the topics."""
    found = (await ask.desk.history.search(Query(since=ask.now - WEEK), READ)).alerts
    week = Counter(alert.topic for alert in found if not alert.is_update)
    day = Counter(
        alert.topic for alert in found if not alert.is_update and alert.decided_at > ask.now - 86400
    )
    rows = []
    for topic in ask.desk.config().topics:
        answers = await ask.desk.feedback.all(topic.id)
        good = sum(verdict.good for verdict in answers)
        rows.append(Row(topic, day[topic.id], week[topic.id], good, len(answers) - good))
    return await page(ask, "topics.html", "Topics", "/topics", Context(tuple(rows)))


async def tune(ask: Ask) -> Response:
    """Show one topic's YAML, to be changed and tried."""
    topic = _topic(ask)
    return await _page(ask, TunerContext(topic, as_yaml(topic), "", "", None, ""))


async def trial(ask: Ask) -> Response:
    """Try what was typed on the last day's stories; nothing is written anywhere."""
    topic = _topic(ask)
    text, headline = ask.form.get("yaml", ""), ask.form.get("headline", "")[:500]
    desk = ask.desk
    try:
        proposed = read_topic(text.replace("\r\n", "\n"), topic.id)
        vectors = TextVectors(desk.client, desk.keys)
        found = await try_topic(desk.archive, vectors, desk.clock, topic, proposed, headline)
    except TrialError as error:
        context = TunerContext(topic, text, headline, str(error), None, "")
        return await _page(ask, context, 400)
    context = TunerContext(topic, text, headline, "", found, diff(topic, proposed))
    return await _page(ask, context)


def _topic(ask: Ask) -> Topic:
    topic = ask.desk.config().topic(ask.path("topic"))
    if topic is None:
        raise Missing(f"there is no topic {ask.path('topic')[:80]!r}")
    return topic


async def _page(ask: Ask, context: TunerContext, status: int = 200) -> Response:
    return await page(ask, "tuner.html", context.topic.name, "/topics", context, status)
