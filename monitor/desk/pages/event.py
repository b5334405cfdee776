"""`/events/ID`: one happening with its stories, who was told, and what people do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from monitor.alerting.silences import Matcher
from monitor.desk import acts
from monitor.desk.ask import Ask, BadRequest
from monitor.desk.render import page
from monitor.history.history_store import EventHistory
from monitor.history.records import (
    Action,
    AlertRecord,
    Delivery,
    EventLine,
    StoryRecord,
    event_lines,
)
from monitor.reasons import Severity


@dataclass(frozen=True, slots=True)
class TimelineStory:
    """A story of the timeline, with the alerts that were decided on it.

    `apart` says what may be done about its place: "ask" (keep it apart), "asked", or "" (nothing).
    """

    story: StoryRecord
    alerts: tuple[AlertRecord, ...]
    apart: str = ""


@dataclass(frozen=True, slots=True)
class EventPage:
    """What the page shows.

    `id` names the event, `head` is its first alert or None (a story that waits for sources),
    `developments` how it began and what each story added, `lines` its stories in the order they
    were seen, `alerts` every alert with its `deliveries` by alert id, `actions` what people did,
    `merged` the ids of events it took in, `claim` who is on it, `muted` whether its alerts are
    muted, `severity` the gravest level told, `names` the topics' names by id.
    """

    id: str
    title: str
    head: AlertRecord | None
    developments: tuple[EventLine, ...]
    lines: tuple[TimelineStory, ...]
    alerts: tuple[AlertRecord, ...]
    deliveries: Mapping[str, list[Delivery]]
    actions: tuple[Action, ...]
    merged: tuple[str, ...]
    claim: Action | None
    muted: bool
    severity: str
    names: Mapping[str, str]


async def show(ask: Ask) -> Response:
    """Show one event; the id of one it absorbed leads here too."""
    desk = ask.desk
    kept = await acts.event_of(desk, ask.path("event"))
    claims = await desk.history.claims([kept.id], ask.now - desk.config().events.window)
    silences = await desk.silences.active(ask.now)
    ours = Matcher("event", kept.id)
    asked = {one.story for one in await desk.partings.all() if not one.others}
    head = kept.alerts[0] if kept.alerts else None
    stories = all_stories(kept)
    context = EventPage(
        id=kept.id,
        title=head.title if head else kept.stories[0].title if kept.stories else kept.id,
        head=head,
        developments=tuple(event_lines(stories)),
        lines=tuple(_line(story, kept, asked) for story in stories),
        alerts=tuple(kept.alerts),
        deliveries=await desk.history.deliveries(kept.alerts, await desk.channels()),
        actions=tuple(kept.actions),
        merged=tuple(sorted(kept.merged)),
        claim=claims.get(kept.id),
        severity=max((alert.severity for alert in kept.alerts), key=Severity.rank, default=""),
        muted=any(ours in silence.matchers for silence in silences),
        names={topic.id: topic.name for topic in desk.config().topics},
    )
    return await page(ask, "event.html", context.title, "/", context)


async def answer(ask: Ask) -> Response:
    """Take a person's word that a story belongs to a topic, or does not."""
    verdict = ask.form.get("verdict", "")
    if verdict not in ("relevant", "not_relevant"):
        raise BadRequest("an answer needs a verdict, and a story and topic of this event")
    story, topic = ask.form.get("story", ""), ask.form.get("topic", "")
    good = verdict == "relevant"
    kept = await acts.answer(ask.desk, ask.person, ask.path("event"), story, topic, good)
    return ask.back(verdict, f"/events/{kept.id}")


async def claim(ask: Ask) -> Response:
    """Say that this person is on it."""
    kept = await acts.claim(ask.desk, ask.person, ask.path("event"))
    return ask.back("claimed", f"/events/{kept.id}")


async def release(ask: Ask) -> Response:
    """Take the claim back."""
    kept = await acts.release(ask.desk, ask.person, ask.path("event"))
    return ask.back("released", f"/events/{kept.id}")


async def part(ask: Ask) -> Response:
    """Keep a story apart: it is not the same happening."""
    kept = await acts.part(ask.desk, ask.person, ask.path("event"), ask.form.get("story", ""))
    return ask.back("apart", f"/events/{kept.id}")


async def mute(ask: Ask) -> Response:
    """Mute the event's further alerts."""
    kept = await acts.mute(ask.desk, ask.person, ask.path("event"))
    return ask.back("muted", f"/events/{kept.id}")


def _line(story: StoryRecord, kept: EventHistory, asked: set[str]) -> TimelineStory:
    own = {one.id for one in kept.stories if not one.copy_of}
    apart = "ask" if story.id in own and len(own) > 1 else ""
    apart = "asked" if story.id in asked else apart
    alerts = tuple(alert for alert in kept.alerts if alert.story == story.id)
    return TimelineStory(story, alerts, apart)


def all_stories(kept: EventHistory) -> list[StoryRecord]:
    """Return the stories kept, and those that only an alert speaks of."""
    found = {story.id: story for story in kept.stories}
    for alert in kept.alerts:
        if alert.story not in found:
            found[alert.story] = StoryRecord(
                id=alert.story,
                title=alert.title,
                seen_at=alert.seen_at,
                published=alert.published,
                url=alert.url,
                source=alert.source,
                owner=alert.owner,
                trust=alert.trust,
                language=alert.language,
                novelty=alert.novelty,
            )
    return sorted(found.values(), key=lambda story: (story.seen_at, story.id))
