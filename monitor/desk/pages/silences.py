"""`/silences`: what is not told for a while, and what a silence would have hidden."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from monitor.alerting.silences import FIELDS, Matcher, Silence
from monitor.desk import acts
from monitor.desk.ask import Ask, BadRequest
from monitor.desk.render import page
from monitor.history.records import AlertRecord
from monitor.history.search import Query
from monitor.model import Alert, Story
from monitor.reasons import AlertReason

DAY = 86400.0
READ = 2_000  # alerts that a preview looks at
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Preview:
    """What a silence would have hidden in the last day: how many alerts, and the newest of them."""

    hidden: int
    of: int
    newest: tuple[AlertRecord, ...]


@dataclass(frozen=True, slots=True)
class SilencesPage:
    """What the page shows.

    `active` are the silences in force, `over` those that ended of late; `matchers`, `lasts` and
    `reason` are what is typed in the form, `problem` what is wrong with it ("" if nothing), and
    `preview` what it would have hidden. `fields` are the words a matcher may begin with.
    """

    active: tuple[Silence, ...]
    over: tuple[Silence, ...]
    matchers: str
    lasts: str
    reason: str
    problem: str
    preview: Preview | None
    fields: tuple[str, ...]


async def show(ask: Ask) -> Response:
    """Show the silences; a matcher in the address is previewed."""
    return await _page(ask, ask.query.get("m", ""), ask.query.get("for", "2h"), "")


async def add(ask: Ask) -> Response:
    """Add a silence in this person's name, or show what is wrong with it."""
    text, lasts = ask.form.get("m", ""), ask.form.get("for", "")
    try:
        lines = text.splitlines()
        await acts.silence(ask.desk, ask.person, lines, lasts, ask.form.get("reason", ""))
    except BadRequest as error:
        return await _page(ask, text, lasts, str(error), 400)
    return ask.back("silenced", "/silences")


async def end(ask: Ask) -> Response:
    """End a silence now."""
    if await ask.desk.silences.end(ask.form.get("id", ""), ask.now) is None:
        raise BadRequest("there is no silence of that id")
    return ask.back("ended", "/silences")


async def preview(ask: Ask, matchers: tuple[Matcher, ...]) -> Preview:
    """Return what a silence of these matchers would have hidden in the last day."""
    channels = await ask.desk.channels()
    trial = Silence("preview", matchers, ask.now - 1.0, ask.now + 1.0, "", "")
    query = Query(since=ask.now - DAY)
    alerts = (await ask.desk.history.search(query, READ)).alerts
    labels = {topic.id: topic.labels for topic in ask.desk.config().topics}
    tags = {feed.id: feed.tags for feed in ask.desk.config().feeds}
    hidden = [
        alert
        for alert in alerts
        if any(
            trial.covers(
                _as_alert(alert, labels.get(alert.topic, ()), tags.get(alert.feed, ())),
                channel,
                ask.now,
            )
            for channel in channels
        )
    ]
    return Preview(len(hidden), len(alerts), tuple(hidden[:SHOWN]))


async def _page(ask: Ask, text: str, lasts: str, problem: str, status: int = 200) -> Response:
    shown = None
    if text.strip() and not problem:
        try:
            shown = await preview(ask, acts.read_silence(text.splitlines(), lasts)[0])
        except BadRequest as error:
            problem = str(error)
    every = await ask.desk.silences.all()
    context = SilencesPage(
        active=tuple(silence for silence in every if silence.ends > ask.now),
        over=tuple(silence for silence in reversed(every) if silence.ends <= ask.now)[:SHOWN],
        matchers=text,
        lasts=lasts,
        reason=ask.form.get("reason", ""),
        problem=problem,
        preview=shown,
        fields=FIELDS,
    )
    return await page(ask, "silences.html", "Silences", "/silences", context, status)


def _as_alert(record: AlertRecord, labels: tuple[str, ...], tags: tuple[str, ...]) -> Alert:
    """Return a kept alert in the form that matchers read."""
    story = Story(
        id=record.story,
        title=record.title,
        url=record.url,
        feed_id=record.feed,
        source=record.source,
        owner=record.owner,
        language=record.language,
        tags=tags,
    )
    return Alert(
        id=record.id,
        topic=record.topic,
        topic_name=record.topic_name,
        event=record.event,
        reason=AlertReason(record.reason),
        story=story,
        score=record.score,
        line=record.line,
        urgency=record.urgency,
        topic_tags=labels,
    )
