"""What each address of the API answers."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from monitor.alerting.silences import Silence
from monitor.analysis.explain_store import explain as explain_story
from monitor.analysis.topic_trial import as_yaml
from monitor.desk import acts
from monitor.desk.api import shapes
from monitor.desk.ask import Ask, BadRequest, Missing
from monitor.desk.pages.event import all_stories
from monitor.desk.pages.feeds import feed_rows
from monitor.desk.pages.history import read_query
from monitor.desk.render import moment
from monitor.history.records import event_lines

MOST = 200
Taken = TypeVar("Taken", bound=shapes.Shape)


async def alerts(ask: Ask) -> Response:
    """Alerts of the history, newest first; by words, topic, outlet, urgency and day."""
    limit = ask.query.get("limit", "50")
    if not limit.isdigit() or not 1 <= int(limit) <= MOST:
        raise BadRequest(f"limit is a number from 1 to {MOST}")
    query, before = read_query(ask), ask.query.get("before", "")
    found = await ask.desk.history.search(query, int(limit), before)
    return _json(shapes.AlertPage(alerts=list(found.alerts), next=found.cursor))


async def alert(ask: Ask) -> Response:
    """One alert and what became of it on each channel."""
    kept = await ask.desk.history.alert(ask.path("alert"))
    if kept is None:
        raise Missing("there is no such alert in the history")
    sent = await ask.desk.history.deliveries([kept], await ask.desk.channels())
    return _json(shapes.OneAlert(alert=kept, deliveries=sent[kept.id]))


async def event(ask: Ask) -> Response:
    """One event: stories, alerts, what people did."""
    kept = await acts.event_of(ask.desk, ask.path("event"))
    since = ask.now - ask.desk.config().events.window
    claim = (await ask.desk.history.claims([kept.id], since)).get(kept.id)
    return _json(
        shapes.EventDetail(
            id=kept.id,
            stories=kept.stories,
            lines=event_lines(all_stories(kept)),
            alerts=kept.alerts,
            actions=kept.actions,
            merged=sorted(kept.merged),
            claimed_by=claim.by if claim else "",
        )
    )


async def explain(ask: Ask) -> Response:
    """Why a story was told, or was not."""
    desk = ask.desk
    told = await explain_story(desk.client, desk.keys, desk.config(), ask.path("story"), moment)
    if told is None:
        raise Missing("there is no such story among those that are kept")
    return _json(shapes.Explanation.model_validate(told))


async def feeds(ask: Ask) -> Response:
    """Every feed and how it does."""
    rows = [
        shapes.Feed(
            id=row.feed.id,
            name=row.feed.name,
            enabled=row.feed.enabled,
            health=row.health,
            trouble=row.trouble,
            last_item=row.state.last_item,
            last_poll=row.state.last_poll,
            next_due=row.state.next_due,
            items=row.state.items,
        )
        for row in await feed_rows(ask.desk, ask.now)
    ]
    return _json(shapes.Feeds(feeds=rows))


async def topics(ask: Ask) -> Response:
    """Every topic."""
    rows = [
        shapes.WatchedTopic(
            id=topic.id,
            name=topic.name,
            enabled=topic.enabled,
            sensitivity=topic.sensitivity,
            yaml=as_yaml(topic),
        )
        for topic in ask.desk.config().topics
    ]
    return _json(shapes.Topics(topics=rows))


async def silences(ask: Ask) -> Response:
    """The silences in force."""
    active = await ask.desk.silences.active(ask.now)
    return _json(shapes.Silences(silences=[_silence(one) for one in active]))


async def dead_letters(ask: Ask) -> Response:
    """What could not be processed or delivered."""
    rows = [
        shapes.Letter(
            id=one.id,
            stage=one.stage,
            reason=one.reason,
            detail=one.detail,
            what=one.what,
            at=one.at,
        )
        for one in await ask.desk.dead_letters.list()
    ]
    return _json(shapes.Letters(dead_letters=rows))


async def add_silence(ask: Ask) -> Response:
    """Add a silence in the caller's name."""
    new = _taken(ask, shapes.NewSilence)
    made = await acts.silence(ask.desk, ask.person, new.matchers, new.lasts, new.reason)
    return _json(_silence(made), 201)


async def end_silence(ask: Ask) -> Response:
    """End a silence now."""
    if await ask.desk.silences.end(ask.path("silence"), ask.now) is None:
        raise Missing("there is no silence of that id")
    return _json(shapes.Done())


async def answer(ask: Ask) -> Response:
    """Say whether a story belongs to a topic."""
    new = _taken(ask, shapes.NewAnswer)
    event_id = ask.path("event")
    await acts.answer(ask.desk, ask.person, event_id, new.story, new.topic, new.relevant)
    return _json(shapes.Done(), 201)


async def claim(ask: Ask) -> Response:
    """Say that the caller is on an event."""
    await acts.claim(ask.desk, ask.person, ask.path("event"))
    return _json(shapes.Done(), 201)


async def release(ask: Ask) -> Response:
    """Take the claim back."""
    await acts.release(ask.desk, ask.person, ask.path("event"))
    return _json(shapes.Done())


async def part(ask: Ask) -> Response:
    """Keep a story apart from an event: it is not the same happening."""
    await acts.part(ask.desk, ask.person, ask.path("event"), _taken(ask, shapes.StoryId).story)
    return _json(shapes.Done(), 201)


async def requeue(ask: Ask) -> Response:
    """Put a dead letter back where it came from."""
    letter = await ask.desk.dead_letters.get(_taken(ask, shapes.LetterId).id)
    if letter is None:
        raise Missing("there is no such dead letter")
    try:
        await ask.desk.dead_letters.requeue(letter, ask.now)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return _json(shapes.Done())


def _silence(one: Silence) -> shapes.SilenceOut:
    return shapes.SilenceOut(
        id=one.id,
        kind=one.kind,
        matchers=[str(matcher) for matcher in one.matchers],
        starts=one.starts,
        ends=one.ends,
        author=one.author,
        reason=one.reason,
    )


def _taken(ask: Ask, shape: type[Taken]) -> Taken:
    """Read the JSON that was sent.

    Raises:
        BadRequest: it has not this shape; the first mistake is named.
    """
    try:
        return shape.model_validate_json(ask.form.get("", ""))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise BadRequest(f"{place}: {first['msg']} (send JSON)") from None


def _json(shape: shapes.Shape, status: int = 200) -> Response:
    return JSONResponse(shape.model_dump(mode="json"), status)
